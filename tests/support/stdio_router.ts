/**
 * A program that runs a router over its own stdin and stdout, in any runtime, and ends with them.
 *
 * @module
 */

import process from "node:process";
import { Router, StreamChannel } from "../../mod.ts";
import { webStreams } from "./child.ts";

const channel = new StreamChannel(
  "Deno" in globalThis
    ? { readable: Deno.stdin.readable, writable: Deno.stdout.writable }
    : webStreams(process),
);
const router = new Router("child");
router.registerService("echo", (packet, reply) => void reply(packet.data));
router.addChannel(channel);
await channel.closed;
await router.close();
