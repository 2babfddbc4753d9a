/**
 * The hub of a home: sensors and lights join it over TCP, and it serves a panel that joins it, too,
 * over a WebSocket. It keeps nothing: the panel hears the devices themselves.
 *
 *     deno run --allow-net --allow-read=mod.ts,src,examples examples/home/hub.ts
 *     bun run examples/home/hub.ts
 *     node examples/home/hub.ts
 *
 * Where to listen are its arguments: `tcp+aln://0.0.0.0:8001 ws://0.0.0.0:8080` by default, which is
 * every network that this machine is in.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { listen } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { servePage } from "../serve_page.ts";

const [tcp = "tcp+aln://0.0.0.0:8001", http = "ws://0.0.0.0:8080"] = process.argv.slice(2);

const hub = new Router("hub");
hub.addEventListener("route", ({ address, cost }) => {
  console.log(printable(`${address} is ${cost === 0 ? "gone" : "here"}`));
});

const devices = await listen(tcp, hub);
const panels = await listen(http, hub, servePage("examples/home/page"));
process.on("SIGINT", async () => {
  await Promise.all([devices.close(), panels.close(), hub.close()]);
  process.exit(0);
});
console.log(`devices join ${devices.url}`);
console.log(`panel at http://localhost:${panels.address.port}/`);
