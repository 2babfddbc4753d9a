/**
 * What a relay speaks, as far as a loader and a sink need it: how to join, and what a message is in
 * bytes.
 *
 * @module
 */

import type { Socket } from "node:net";

/** What a source is for. */
export interface SourceOptions {
  /** Its message is for every sink there is, and there may be none yet. */
  multicast?: boolean;
}

/** One of them. */
export interface Dialect {
  /** Joins as the one that sends; resolves to one message, encoded, once the sink is known. */
  source(socket: Socket, data: Uint8Array, options?: SourceOptions): Promise<Uint8Array>;
  /**
   * Joins as one that is sent to; what comes after that is given to `onBytes`, raw.
   *
   * @param name Tells several apart.
   */
  sink(socket: Socket, onBytes: (bytes: Uint8Array) => void, name?: string): Promise<void>;
  /** How many messages there are among bytes that came to the sink, and what they take. */
  inspect(bytes: Uint8Array): { messages: number; bytes: number };
}

/** Loads one by the name of its file. */
export async function loadDialect(name: string): Promise<Dialect> {
  return (await import(`./${name}.ts`)).dialect;
}

/** Resolves once a socket is connected. */
export function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    if (!socket.connecting) resolve();
    else socket.on("connect", resolve);
  });
}
