/**
 * The control: bytes on a socket. Messages are all as long as the first; answers come in order.
 *
 * @module
 */

import { connect as connectSocket } from "node:net";
import { connected } from "../dialects/dialect.ts";
import type { Client, Place } from "./client.ts";

/** Connects; see {@linkcode Client}. The sink is told of as many messages as there are bytes for. */
export async function connect({ port }: Place): Promise<Client> {
  const socket = connectSocket({ host: "127.0.0.1", port, noDelay: true });
  await connected(socket);
  const waiting: (() => void)[] = [];
  let first = 0;
  let size = 0;
  let bytes = 0;
  /** Puts together what is written in one turn. */
  let batch: Uint8Array[] = [];
  const write = (data: Uint8Array) => {
    if (batch.push(data) > 1) return;
    queueMicrotask(() => {
      socket.cork();
      for (const one of batch) socket.write(one);
      batch = [];
      socket.uncork();
    });
  };
  return {
    ready: () => Promise.resolve(),
    subscribe(onMessage) {
      socket.on("data", (chunk) => {
        size ||= chunk.length; // The first one comes alone.
        for (bytes += chunk.length; bytes >= size; bytes -= size) onMessage();
      });
    },
    publish: write,
    answer: () => void socket.on("data", (chunk) => socket.write(chunk)),
    request(data) {
      if (size === 0) {
        size = data.length;
        socket.on("data", (chunk) => {
          for (bytes += chunk.length; bytes >= size; bytes -= size) {
            waiting[first]!();
            if (++first === 4_096) waiting.splice(0, first), first = 0;
          }
        });
      }
      write(data);
      return new Promise<void>((resolve) => void waiting.push(resolve));
    },
  };
}
