/**
 * {@linkcode DivertedSocket}: a socket that a channel has at first, and a counter of bytes then.
 *
 * @module
 */

import type { Socket } from "node:net";
import { Packet } from "../../../mod.ts";
import { encodeFrame } from "../../../src/framing/kiss.ts";
import { NET_LINK } from "../../../src/wire/limits.ts";
import { LinkFrameWriter } from "../../../src/wire/link_frame.ts";

/** How often a router that is cut off is told that its neighbour is alive, at most, in ms. */
const ALIVE_INTERVAL = 5_000;

/** What it is told: an answer that it has not asked for, and that means nothing else. */
const ALIVE = encodeFrame(alive());

function alive(): Uint8Array {
  const writer = new LinkFrameWriter();
  writer.pong(0);
  return new Packet({ net: NET_LINK, data: writer.finish() }).toBinary();
}

/** A socket whose router can be cut off from what comes, while it goes on talking. */
export class DivertedSocket {
  readonly #socket: Socket;
  #onData: (bytes: Uint8Array) => void = () => {};
  #aliveAt: number = 0;

  /** Constructs a new instance. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#onData(bytes));
  }

  /** From now on nobody else is given what comes. */
  divert(onBytes: (bytes: Uint8Array) => void): void {
    const tellRouter = this.#onData;
    this.#onData = (bytes) => {
      onBytes(bytes);
      const now = performance.now();
      if (now - this.#aliveAt < ALIVE_INTERVAL) return;
      this.#aliveAt = now;
      tellRouter(ALIVE.slice()); // Else it would take its neighbour for dead.
    };
    this.#socket.resume();
  }

  // What a channel needs of a socket.

  on(event: string, listener: (bytes: Uint8Array) => void): void {
    if (event === "data") this.#onData = listener;
    else this.#socket.on(event, listener);
  }

  write(chunk: Uint8Array): boolean {
    return this.#socket.write(chunk);
  }

  end(onFinish: () => void): void {
    this.#socket.end(onFinish);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {} // What a handshake takes is little.
  resume(): void {}
}
