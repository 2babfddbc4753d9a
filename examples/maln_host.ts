/**
 * One port for several networks that know nothing of each other: `home` and `garden`, each with a
 * router of its own. A client says in its URL which one it wants.
 *
 *     deno run --allow-net examples/maln_host.ts tcp+maln://127.0.0.1:8003
 *     bun run examples/maln_host.ts tcp+maln://127.0.0.1:8003
 *     node examples/maln_host.ts tcp+maln://127.0.0.1:8003
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { listen } from "../src/runtime/net.ts";

const url = process.argv[2] ?? "tcp+maln://127.0.0.1:8003";

const networks = { home: new Router("home-hub"), garden: new Router("garden-hub") };
for (const [name, router] of Object.entries(networks)) {
  router.registerService("ping", (_packet, reply) => void reply(`pong from ${name}`));
  router.addEventListener("route", ({ address, cost }) => {
    console.log(`${name}: ${address} ${cost === 0 ? "left" : "joined"}`);
  });
}

const listener = await listen(url, { networks });
for (const name of Object.keys(networks)) console.log(`${name} is at ${listener.url}/${name}`);

process.on("SIGINT", async () => {
  await listener.close();
  await Promise.all(Object.values(networks).map((router) => router.close()));
  process.exit(0);
});
