/**
 * A site of several: workers join it over TCP, and so do those who ask; it serves a page; and it
 * stands on a segment of NATS, which joins it with the other sites.
 *
 *     deno run --allow-net --allow-read=mod.ts,src,examples examples/backbone/sites/site.ts north
 *     bun run examples/backbone/sites/site.ts north
 *     node examples/backbone/sites/site.ts north
 *
 * Two sites have addresses, `north` and `south`. For others, or on other machines, the arguments that
 * follow are where to listen, and the nodes of the cluster, the site's own first.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { BusChannel, natsBus } from "../../../src/bus/mod.ts";
import { listen } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { servePage } from "../../serve_page.ts";
import { connectNats } from "../nats.ts";

const NODES = ["nats://127.0.0.1:4222", "nats://127.0.0.1:4223"];

const [name = "north", ...rest] = process.argv.slice(2);
const port = name === "south" ? 1 : 0;
const [
  tcp = `tcp+aln://127.0.0.1:${8001 + port}`,
  http = `ws://127.0.0.1:${8080 + port}`,
  nodes = `${(port === 0 ? NODES : NODES.toReversed())}`,
] = rest;

const site = new Router(name);
site.addEventListener("route", ({ address, cost, via }) => {
  console.log(printable(`${address} is ${cost === 0 ? "gone" : `here, by ${via}`}`));
});

const nats = await connectNats(nodes, name);
site.addChannel(new BusChannel(natsBus(nats), { network: "sites" }));
const workers = await listen(tcp, site);
const pages = await listen(http, site, servePage("examples/workers/page"));
process.on("SIGINT", async () => {
  await Promise.all([workers.close(), pages.close(), site.close()]);
  await nats.drain();
  process.exit(0);
});
console.log(`${name}: workers join ${workers.url}`);
console.log(`${name}: page at http://localhost:${pages.address.port}/`);

for await (const { type, server } of nats.status()) {
  if (type === "disconnect") console.log("NATS is lost");
  else if (type === "reconnect") console.log(`NATS is back at ${server}`);
}
