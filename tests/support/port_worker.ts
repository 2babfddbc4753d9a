/**
 * A worker that runs a router: over its own scope where workers have one, over the port that it was
 * given in Node. It goes on living once its channel has closed, and says so when it is asked.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { Router } from "../../mod.ts";
import { MessagePortChannel, type MessagePortLike } from "../../src/channel/mod.ts";

const inNode = !("Deno" in globalThis || "Bun" in globalThis);
const parent = (inNode ? parentPort : globalThis) as unknown as MessagePortLike;

const router = new Router("worker");
router.registerService("ping", (packet, reply) => void reply(`pong ${packet.text()}`));
router.addChannel(new MessagePortChannel(inNode ? workerData : parent));

parent.addEventListener("message", ({ data }) => {
  if (data === "are you alive?") parent.postMessage(`yes, with ${router.routes().length} routes`);
});
