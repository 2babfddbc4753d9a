/**
 * Our own protocol over TCP. Whole routers shake hands with the relay, as routers of one kind do, and
 * tell it of their services; then frames that were made beforehand go past them.
 *
 * @module
 */

import { Packet, Router, TcpChannel } from "../../../mod.ts";
import type { NodeSocketLike } from "../../../src/channel/tcp_channel.ts";
import { encodeFrame, KissDecoder } from "../../../src/framing/kiss.ts";
import { connected, type Dialect } from "./dialect.ts";
import { DivertedSocket } from "./diverted_socket.ts";

/** How long a relay may take to know a thousand sinks, in ms. */
const PATIENCE = 30_000;

/** What a router that is two hops away would allow: twice the distance, and 8. */
const HOPS = 12;

/** See {@linkcode Dialect}. */
export const dialect: Dialect = {
  async source(socket, data, { multicast = false } = {}) {
    await connected(socket);
    const router = new Router("source");
    router.registerService("source", () => {});
    router.addChannel(new TcpChannel(socket as unknown as NodeSocketLike));
    const packet = message(data);
    if (multicast) packet.dst = ""; // The relay makes a copy for each.
    else await router.waitForService("sink");
    return encodeFrame(packet.toBinary());
  },
  async sink(socket, onBytes, name = "sink") {
    await connected(socket);
    const diverted = new DivertedSocket(socket);
    const router = new Router(name);
    router.registerService("sink", () => {});
    router.addChannel(new TcpChannel(diverted as unknown as NodeSocketLike));
    await isKnown(router);
    diverted.divert(onBytes);
  },
  inspect(bytes) {
    const decoder = new KissDecoder();
    const seen = { messages: 0, bytes: 0 };
    for (let at = 0, end; (end = bytes.indexOf(0xc0, at) + 1) > 0; at = end) {
      for (const frame of decoder.push(bytes.subarray(at, end))) {
        if (Packet.fromBinary(frame).srv !== "sink") continue; // What routers tell each other.
        seen.messages++;
        seen.bytes += end - at;
      }
    }
    return seen;
  },
};

/** Resolves once a sink knows of the source, and the relay knows of its service. */
export async function isKnown(router: Router): Promise<void> {
  await router.waitForService("source");
  await router.waitForService("known");
  await router.request("known", "", { timeout: PATIENCE });
}

/** What a router would send: the trailer says how far it may go. */
export function message(data: Uint8Array): Packet {
  return new Packet({
    ...{ src: "source", dst: "sink", nxt: "relay", srv: "sink", data },
    trailer: { hops: HOPS, instance: 0, counter: 0 },
  });
}
