/**
 * Counts what comes out of a relay, by its bytes: nothing is decoded but the first block.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { loadDialect } from "../dialects/dialect.ts";
import { obey } from "./commands.ts";
import { Granter } from "./credits.ts";

let granter: Granter;
let inspect: (bytes: Uint8Array) => { messages: number; bytes: number };
/** Bytes of one block as it comes out of the relay, and messages in it. */
let blockBytes = Infinity;
let blockMessages = 0;
let bytes = 0;
let granted = 0;
/** The first block, as far as it has come. */
let first: Uint8Array[] | null = [];
let onFirst: () => void = () => {};

function receive(chunk: Uint8Array): void {
  if (first !== null) {
    first.push(chunk.slice());
    return onFirst();
  }
  bytes += chunk.length;
  const portions = Math.floor(bytes / blockBytes) - granted;
  if (portions === 0) return;
  granted += portions;
  granter.grant(portions);
}

obey({
  async join({ dialect, port }: { dialect: string; port: number }) {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const loaded = await loadDialect(dialect);
    inspect = loaded.inspect;
    await loaded.sink(socket, receive);
  },
  /** Waits for the first block, and grants the next. */
  async first({ control, messages, size }: { control: number; messages: number; size: number }) {
    granter = await Granter.connect(control);
    blockMessages = messages;
    await new Promise<void>((resolve) => {
      onFirst = () => {
        const seen = inspect(Buffer.concat(first!));
        if (seen.messages < messages) return;
        blockBytes = seen.bytes;
        resolve();
      };
      if (first!.length > 0) onFirst();
    });
    first = null;
    granter.grant(1);
    if (blockBytes < messages * size) throw new Error(`Only ${blockBytes} bytes in a block`);
  },
  /** Messages so far, and when, in ms. */
  count: () => ({ messages: blockMessages * bytes / blockBytes, at: performance.now() }),
});
