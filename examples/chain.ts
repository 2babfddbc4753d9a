/**
 * Three routers in one process, left – middle – right: they find each other, call each other over
 * two hops, send to many at once, and notice when the link is cut.
 *
 *     deno run examples/chain.ts
 *     bun run examples/chain.ts
 *     node examples/chain.ts
 *
 * @module
 */

import { createChannelPair, Router } from "../mod.ts";

const left = new Router("left");
const middle = new Router("middle");
const right = new Router("right");

function link(a: Router, b: Router): () => void {
  const [here, there] = createChannelPair();
  a.addChannel(here);
  b.addChannel(there);
  return () => a.removeChannel(here);
}
link(left, middle);
const cut = link(middle, right);

// Discovery: `right` offers a service, and `left` finds it though it has never met `right`.
right.registerService("upper", (packet, reply) => void reply(packet.text().toUpperCase()));
const found = await left.waitForService("upper");
const [route] = left.routes().filter(({ address }) => address === found);
console.log(`left found "upper" at ${found}, ${route!.cost} hops away via ${route!.via}`);

// A call over two hops.
const answer = await left.request("upper", "hello");
console.log(`left asked for "hello" and got "${answer.text()}"`);

// A multicast: every instance of "note" gets one copy.
const heard = new Promise<void>((resolve) => {
  let count = 0;
  for (const router of [left, middle, right]) {
    router.registerService("note", (packet) => {
      console.log(`${router.address} heard "${packet.text()}"`);
      if (++count === 3) resolve();
    });
  }
});
while (left.serviceAddresses("note").length < 3) await next(left, "service");
left.send({ srv: "note", data: "good morning" });
await heard;

// A cut: when no other way is found, whoever calls learns at once that nobody is there.
const lost = next(left, "route");
cut();
await lost;
await left.request("upper", "still there?").catch((error) => {
  console.log(`after the cut: ${error.code}, ${error.message}`);
});
await Promise.all([left, middle, right].map((router) => router.close()));

function next(router: Router, event: "service" | "route"): Promise<unknown> {
  return new Promise((resolve) => router.addEventListener(event, resolve, { once: true }));
}
