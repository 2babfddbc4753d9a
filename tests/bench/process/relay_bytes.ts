/**
 * The control in the middle: hands bytes from one connection to the next, and looks at none, with
 * what its runtime does best.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import { obey } from "./commands.ts";
import { memory } from "./memory.ts";

const CHUNK = 1 << 16; // bytes read at once

// deno-lint-ignore no-explicit-any -- One runtime has no types for what only the other one has.
const { Deno, Bun } = globalThis as any;

const hostname = "127.0.0.1";
/** Whoever waits for the next connection, to be joined with it. */
// deno-lint-ignore no-explicit-any -- Each runtime has its own.
let alone: any = null;
/** Connections that are joined with no other: for those who ask what they cost. */
let single = false;

// deno-lint-ignore no-explicit-any -- Each runtime has its own.
function joinNext(socket: any, join: (one: any, other: any) => void): void {
  if (single) return;
  if (alone === null) return void (alone = socket);
  join(alone, socket);
  join(socket, alone);
  alone = null;
}

function listenDeno(): number {
  const listener = Deno.listen({ hostname, port: 0 });
  // deno-lint-ignore no-explicit-any -- See above.
  const pump = async (from: any, to: any) => {
    const buffer = new Uint8Array(CHUNK);
    for (let size; (size = await from.read(buffer)) !== null;) {
      for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
    }
  };
  (async () => {
    for await (const socket of listener) {
      socket.setNoDelay(true);
      joinNext(socket, (from, to) => void pump(from, to).catch(() => {}));
      if (single) socket.read(new Uint8Array(1)).catch(() => {});
    }
  })();
  return listener.addr.port;
}

function listenBun(): number {
  const listener = Bun.listen({
    hostname,
    port: 0,
    socket: {
      // deno-lint-ignore no-explicit-any -- See above.
      open(socket: any) {
        socket.setNoDelay(true);
        socket.data = { peer: null, rest: null };
        joinNext(socket, (from, to) => from.data.peer = to);
      },
      // deno-lint-ignore no-explicit-any -- See above.
      data(socket: any, chunk: Uint8Array) {
        const { peer } = socket.data;
        if (peer === null) return;
        const written = peer.data.rest === null ? peer.write(chunk) : 0;
        if (written === chunk.length) return;
        const rest = new Uint8Array(chunk.subarray(written)); // The chunk is only lent to us.
        peer.data.rest = peer.data.rest ? Buffer.concat([peer.data.rest, rest]) : rest;
        socket.pause();
      },
      // deno-lint-ignore no-explicit-any -- See above.
      drain(socket: any) {
        const { rest, peer } = socket.data;
        if (rest === null) return;
        const written = socket.write(rest);
        socket.data.rest = written === rest.length ? null : rest.subarray(written);
        if (socket.data.rest === null) peer.resume();
      },
    },
  });
  return listener.port;
}

function listenNode(): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    joinNext(socket, (from: Socket, to: Socket) => {
      from.on("data", (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on("drain", () => from.resume());
    });
    if (single) socket.resume();
  });
  return new Promise((resolve) => {
    server.listen(0, hostname, () => resolve((server.address() as { port: number }).port));
  });
}

obey({
  async listen({ apart = false }: { apart?: boolean }) {
    single = apart;
    return { port: Deno ? listenDeno() : Bun ? listenBun() : await listenNode() };
  },
  drops: () => 0,
  memory,
});
