/**
 * A process with a dialer whose listener throws at every event, which ends by itself once nothing
 * runs any more. A test runner would take such an error for its own.
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { dial, listen } from "../../src/runtime/net.ts";

const report = (error: unknown) => console.log(`reported: ${(error as Error).message}`);
if ("Deno" in globalThis) {
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    report(event.error);
  });
} else {
  process.on("uncaughtException", report);
}

const server = new Router("server");
server.registerService("ping", (_packet, reply) => void reply("pong"));
const listener = await listen("tcp+aln://127.0.0.1:0", server);
const client = new Router("client");
const dialer = dial(client, listener.url);
dialer.addEventListener("status", ({ state }) => {
  throw new Error(`at ${state}`);
});
await client.waitForService("ping");
console.log((await client.request("ping")).text());
await dialer.close();
console.log(`closed: ${await dialer.closed}`);
await listener.close();
await server.close();
await client.close();
