// Reads lines of hexadecimal digits from stdin, each a stream in pieces divided by spaces, and writes what eventsource-parser
// makes of each as a line of JSON.

import { createInterface } from "node:readline";
import { load } from "./parts.mjs";

const { createParser } = await load("eventsource-parser");

for await (const line of createInterface({ input: process.stdin })) {
  const seen = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => seen.push({ id, event, data }),
    onRetry: (retry) => seen.push({ retry }),
  });
  const decoder = new TextDecoder();
  for (const piece of line.split(" ")) {
    parser.feed(decoder.decode(Buffer.from(piece, "hex"), { stream: true }));
  }
  console.log(JSON.stringify(seen));
}
