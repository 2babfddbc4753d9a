/**
 * Joins one of the networks that share a port, calls its `ping`, and prints the answer; or what the
 * host says if there is no such network.
 *
 *     deno run --allow-net examples/maln_client.ts tcp+maln://127.0.0.1:8003/garden
 *     bun run examples/maln_client.ts tcp+maln://127.0.0.1:8003/garden
 *     node examples/maln_client.ts tcp+maln://127.0.0.1:8003/garden
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { connect } from "../src/runtime/net.ts";

const url = process.argv[2] ?? "tcp+maln://127.0.0.1:8003/home";

const router = new Router(`client-${crypto.randomUUID().slice(0, 4)}`);
try {
  const channel = await connect(url);
  router.addChannel(channel);
  // The connection is there before the host has looked for the network.
  const refused = channel.closed.then((reason) => {
    throw reason ?? new Error("the host has closed the connection");
  });
  const host = await Promise.race([router.waitForService("ping"), refused]);
  console.log(`${host} answered "${(await router.request("ping")).text()}"`);
} catch (error) {
  console.error(`Cannot ping ${url}: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  await router.close();
}
