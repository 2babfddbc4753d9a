/**
 * A serial port that is none: at the other end of its line, a router in this page plays a board.
 *
 * @module
 */

import { Router, StreamChannel } from "../../../mod.ts";
import type { SerialPortLike } from "../../../src/channel/mod.ts";

/** What somebody chooses who has no board. */
export function simulatePort(): Promise<SerialPortLike> {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  let board: Router | null = null;
  return Promise.resolve({
    readable: back.readable,
    writable: there.writable,
    open() {
      board = new Router("simulated-board");
      board.registerService("ping", (packet, reply) => void reply(`pong, ${packet.text()}`));
      board.addChannel(
        new StreamChannel({ readable: there.readable, writable: back.writable }),
      );
      return Promise.resolve();
    },
    close: () => board!.close(),
  });
}
