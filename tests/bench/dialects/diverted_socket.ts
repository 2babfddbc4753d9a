/**
 * {@linkcode DivertedSocket}: a socket that a channel has at first, and a counter of bytes then.
 *
 * @module
 */

import type { Socket } from "node:net";

/** A socket whose router can be cut off from what comes, while it goes on talking. */
export class DivertedSocket {
  readonly #socket: Socket;
  #onData: (bytes: Uint8Array) => void = () => {};

  /** Constructs a new instance. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#onData(bytes));
  }

  /** From now on nobody else is given what comes. */
  divert(onBytes: (bytes: Uint8Array) => void): void {
    this.#onData = onBytes;
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
