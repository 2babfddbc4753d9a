/**
 * A worker that runs a router: over its own scope where workers have one, over the port that it was
 * given in Node. It goes on living once its channel has closed, and says so when it is asked.
 *
 * @module
 */

import { MessagePortChannel, type MessagePortLike, Router } from "../../mod.ts";

const threads = "Deno" in globalThis || "Bun" in globalThis
  ? null
  : (globalThis as unknown as { process: typeof process }).process
    .getBuiltinModule("node:worker_threads");
const scope = globalThis as unknown as MessagePortLike;
const parent: MessagePortLike = threads ? threads.parentPort as unknown as MessagePortLike : scope;

const router = new Router("worker");
router.registerService("ping", (packet, reply) => void reply(`pong ${packet.text()}`));
router.addChannel(new MessagePortChannel(threads ? threads.workerData : scope));

parent.addEventListener("message", ({ data }) => {
  if (data === "are you alive?") parent.postMessage(`yes, with ${router.routes().length} routes`);
});
