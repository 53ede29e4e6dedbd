// Calls a tool with an official TypeScript client: node call.mjs URL TOOL v1|v2 [MILLISECONDS].
// v1 speaks 2025-11-25; v2 negotiates. The time is the client's own limit, which progress sets back.

import { load } from "./parts.mjs";

const [url, tool, generation, limit] = process.argv.slice(2);

async function connect() {
  const info = { name: "test", version: "1" };
  if (generation === "v1") {
    const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return [new Client(info), new StreamableHTTPClientTransport(new URL(url))];
  }
  const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
  return [new Client(info, { versionNegotiation: { mode: "auto" } }), new StreamableHTTPClientTransport(new URL(url))];
}

const [client, transport] = await connect();
await client.connect(transport);
const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;

const progress = [];
const options = limit
  ? { timeout: Number(limit), resetTimeoutOnProgress: true, onprogress: (one) => progress.push(one.progress) }
  : {};
const began = Date.now();
const params = { name: tool, arguments: {} };
const result = await (generation === "v1" ? client.callTool(params, undefined, options) : client.callTool(params, options));
const seconds = (Date.now() - began) / 1000;
console.log(JSON.stringify({ version, text: result.content[0].text, seconds, progress }));
await client.close();
process.exit(0);
