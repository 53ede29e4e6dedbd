// Uses the knowledge server with an official TypeScript client: node use.mjs PARTS URL v1|v2|v2-legacy all|ask.
// v1 and v2-legacy speak 2025-11-25; v2 negotiates. PARTS is the folder that the clients are installed in.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [parts, url, generation, what] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${parts}/package.json`));
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function connect() {
  const info = { name: "test", version: "1" };
  if (generation === "v1") {
    const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return [new Client(info), new StreamableHTTPClientTransport(new URL(url))];
  }
  const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
  const options = generation === "v2" ? { versionNegotiation: { mode: "auto" } } : {};
  return [new Client(info, options), new StreamableHTTPClientTransport(new URL(url))];
}

const [client, transport] = await connect();
await client.connect(transport);
const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
const call = (name, args, options = {}) => {
  const params = { name, arguments: args };
  return generation === "v1" ? client.callTool(params, undefined, options) : client.callTool(params, options);
};
const question = { question: "Why do retries make overload worse?" };
const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
const seats = async () => {
  const page = await (await fetch(url.replace(/mcp$/, "metrics"))).text();
  return Number(/^lifeline_gate_in_flight\{gate="mcp"\} (\S+)$/m.exec(page)?.[1] ?? 0);
};

if (what === "ask") {
  const heard = [];
  const onprogress = ({ progress, message }) => heard.push([progress, message]);
  const answer = await call("ask_papers", question, { onprogress });
  const { structuredContent, isError, content } = answer;
  const seen = { version, is_error: isError, answer: structuredContent, text: content[0].text, progress: heard };
  console.log(JSON.stringify(seen));
  process.exit(0);
}

const tools = (await client.listTools()).tools.map((tool) => tool.name);
const found = await call("search_papers", { query: "retries and overload", limit: 3 });
const unknown = await call("get_paper", { id: "no such paper" });
const heard = [];
let began = Date.now();
const onprogress = ({ progress, message }) => heard.push([progress, message]);
const answer = await call("ask_papers", question, { onprogress });
const took = (Date.now() - began) / 1000;

const abort = new AbortController();
const cancelled = call("ask_papers", question, { signal: abort.signal }).catch(() => "cancelled");
began = Date.now();
let taken = await seats();
while (taken === 0 && Date.now() - began < 10000) {
  await sleep(20);
  taken = await seats();
}
abort.abort();
await cancelled;
began = Date.now();
while ((await seats()) > 0 && Date.now() - began < 10000) await sleep(20);

console.log(JSON.stringify({
  version,
  tools,
  papers: found.structuredContent.papers.map((paper) => paper.id),
  unknown: [unknown.isError, unknown.content[0].text],
  answer: answer.structuredContent,
  text: answer.content[0].text,
  took,
  progress: heard,
  taken,
  released: (Date.now() - began) / 1000,
}));
await client.close();
process.exit(0);
