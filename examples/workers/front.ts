/**
 * The front of a pool of workers: they join it over TCP, and so do those who ask; and it serves a
 * page that joins it over a WebSocket. It chooses nobody and keeps nothing: whoever asks sees all
 * workers and what they have to do.
 *
 *     deno run --allow-net --allow-read=mod.ts,src,examples examples/workers/front.ts
 *     bun run examples/workers/front.ts
 *     node examples/workers/front.ts
 *
 * Where to listen are its arguments: `tcp+aln://127.0.0.1:8001 ws://127.0.0.1:8080` by default.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { listen } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { servePage } from "../serve_page.ts";

const [tcp = "tcp+aln://127.0.0.1:8001", http = "ws://127.0.0.1:8080"] = process.argv.slice(2);

const front = new Router("front");
front.addEventListener("service", ({ service, address, capacity }) => {
  if (service !== "llm") return;
  const news = capacity === 0
    ? "is gone"
    : capacity === 65_535
    ? "is about to leave"
    : `has ${capacity - 1} to do`;
  console.log(printable(`${address} ${news}`));
});

const workers = await listen(tcp, front);
const pages = await listen(http, front, servePage("examples/workers/page"));
process.on("SIGINT", async () => {
  await Promise.all([workers.close(), pages.close(), front.close()]);
  process.exit(0);
});
console.log(`workers join ${workers.url}`);
console.log(`page at http://localhost:${pages.address.port}/`);
