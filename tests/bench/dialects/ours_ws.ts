/**
 * Our own protocol over WebSocket, a packet in each binary message: the same as over TCP.
 *
 * @module
 */

import { Packet, Router } from "../../../mod.ts";
import type { Dialect } from "./dialect.ts";
import { isKnown, message } from "./ours.ts";
import { encodeClientMessage, RawWebSocketChannel, readMessages } from "./raw_websocket.ts";

/** See {@linkcode Dialect}. */
export const dialect: Dialect = {
  async source(socket, data) {
    const router = new Router("source");
    router.registerService("source", () => {});
    router.addChannel(await RawWebSocketChannel.open(socket));
    await router.waitForService("sink");
    return encodeClientMessage(message(data));
  },
  async sink(socket, onBytes, name = "sink") {
    const channel = await RawWebSocketChannel.open(socket);
    const router = new Router(name);
    router.registerService("sink", () => {});
    router.addChannel(channel);
    await isKnown(router);
    channel.divert(onBytes);
  },
  inspect(bytes) {
    const ours = readMessages(bytes).messages.filter(({ data }) => isOurs(data));
    return { messages: ours.length, bytes: ours.reduce((sum, { size }) => sum + size, 0) };
  },
};

/** Whether a message is not what routers tell each other. */
function isOurs(data: Uint8Array): boolean {
  return Packet.fromBinary(data).srv === "sink";
}
