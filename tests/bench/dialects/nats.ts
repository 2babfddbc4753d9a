/**
 * NATS over TCP.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { connected, type Dialect } from "./dialect.ts";

const SUBJECT = "sink";

/** See {@linkcode Dialect}. */
export const dialect: Dialect = {
  async source(socket, data) {
    await join(socket, "");
    socket.resume();
    return Buffer.concat([Buffer.from(`PUB ${SUBJECT} ${data.length}\r\n`), data, CRLF]);
  },
  async sink(socket, onBytes) {
    await join(socket, `SUB ${SUBJECT} 1\r\n`);
    socket.on("data", onBytes);
  },
  inspect(bytes) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const seen = { messages: 0, bytes: 0 };
    for (let at = 0; (at = text.indexOf("MSG ", at)) >= 0;) {
      const line = text.indexOf(CRLF, at);
      const size = Number(text.toString("latin1", at, line).split(" ")[3]);
      const end = line + 2 + size + 2;
      if (line < 0 || end > text.length) break;
      seen.messages++;
      seen.bytes += end - at;
      at = end;
    }
    return seen;
  },
};

const CRLF = Buffer.from("\r\n");

/** Connects as a client that wants no acknowledgements, and waits until the server is there. */
async function join(socket: Socket, more: string): Promise<void> {
  await connected(socket);
  const options = { verbose: false, pedantic: false, lang: "bench", version: "1", protocol: 1 };
  socket.write(`CONNECT ${JSON.stringify(options)}\r\n${more}PING\r\n`);
  let heard = "";
  await new Promise<void>((resolve) => {
    const listen = (chunk: Uint8Array) => {
      heard += Buffer.from(chunk).toString("latin1");
      if (!heard.includes("PONG\r\n")) return;
      socket.off("data", listen);
      resolve();
    };
    socket.on("data", listen);
  });
}
