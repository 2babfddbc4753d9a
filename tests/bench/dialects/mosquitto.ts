/**
 * MQTT 3.1.1 over TCP, with QoS 0: at most once, as everybody else here.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { connected, type Dialect } from "./dialect.ts";

const CONNECT = 0x10;
const PUBLISH = 0x30;
const SUBSCRIBE = 0x82;

const CONNACK_SIZE = 4;
const SUBACK_SIZE = 5;

const TOPIC = text("sink");

/** See {@linkcode Dialect}. */
export const dialect: Dialect = {
  async source(socket, data) {
    await exchange(socket, connectPacket("source"), CONNACK_SIZE);
    socket.resume();
    return packet(PUBLISH, TOPIC, data);
  },
  async sink(socket, onBytes, name = "sink") {
    await exchange(socket, connectPacket(name), CONNACK_SIZE);
    const subscribe = packet(SUBSCRIBE, Uint8Array.of(0, 1), TOPIC, Uint8Array.of(0));
    await exchange(socket, subscribe, SUBACK_SIZE);
    socket.on("data", onBytes);
  },
  inspect(bytes) {
    const seen = { messages: 0, bytes: 0 };
    while (seen.bytes + 5 < bytes.length) {
      let at = seen.bytes + 1;
      let size = 0;
      for (let shift = 0;; shift += 7) {
        const byte = bytes[at++]!;
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      if (at + size > bytes.length) break;
      seen.messages++;
      seen.bytes = at + size;
    }
    return seen;
  },
};

function connectPacket(name: string): Uint8Array {
  const cleanSession = 2;
  return packet(CONNECT, text("MQTT"), Uint8Array.of(4, cleanSession, 0, 0), text(name));
}

/** One packet: its type, the size of all that follows in groups of seven bits, and that. */
function packet(type: number, ...parts: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(parts);
  const head = [type];
  let rest = body.length;
  do {
    head.push((rest & 127) | (rest > 127 ? 128 : 0));
    rest >>= 7;
  } while (rest > 0);
  return Buffer.concat([Uint8Array.from(head), body]);
}

function text(value: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(0, value.length), Buffer.from(value)]);
}

/** Sends something, and waits for so many bytes. */
async function exchange(socket: Socket, bytes: Uint8Array, size: number): Promise<void> {
  await connected(socket);
  socket.write(bytes);
  let heard = 0;
  await new Promise<void>((resolve) => {
    const listen = (chunk: Uint8Array) => {
      heard += chunk.length;
      if (heard < size) return;
      socket.off("data", listen);
      resolve();
    };
    socket.on("data", listen);
  });
}
