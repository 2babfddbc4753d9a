/**
 * The control: bytes, which a relay hands on as they are.
 *
 * @module
 */

import { connected, type Dialect } from "./dialect.ts";

/** Every message is as long as the first: they are all the same, and end in a byte of their own. */
const END = 0xc0;

/** See {@linkcode Dialect}. */
export const dialect: Dialect = {
  async source(socket, data) {
    await connected(socket);
    socket.resume();
    const message = new Uint8Array(data.length + 1);
    message.set(data.map((byte) => byte === END ? 0 : byte));
    message[data.length] = END;
    return message;
  },
  async sink(socket, onBytes) {
    await connected(socket);
    socket.on("data", onBytes);
  },
  inspect(bytes) {
    let messages = 0;
    for (const byte of bytes) if (byte === END) messages++;
    return { messages, bytes: bytes.length };
  },
};
