/**
 * Sends blocks of messages that were encoded beforehand, as fast as the sink grants them.
 *
 * @module
 */

import { connect } from "node:net";
import { loadDialect } from "../dialects/dialect.ts";
import { obey } from "./commands.ts";
import { Credits } from "./credits.ts";
import { type Filling, payload } from "./payload.ts";

/** Bytes in a block, about, and blocks on their way: less than what any relay may hold. */
const BLOCK = 1 << 16;
const WINDOW = 12;

const credits = new Credits();
let send: () => void = () => {};
let sent = 0;
let limit = 0;

function pump(): void {
  while (sent < Math.min(limit, credits.granted + WINDOW)) {
    send();
    sent++;
  }
}
credits.onGrant = pump;

obey({
  async join({ dialect, port, size, filling }: {
    dialect: string;
    port: number;
    size: number;
    filling: Filling;
  }) {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const { source } = await loadDialect(dialect);
    const message = await source(socket, payload(size, filling));
    const messages = Math.ceil(BLOCK / message.length);
    const block = new Uint8Array(messages * message.length);
    for (let i = 0; i < messages; i++) block.set(message, i * message.length);
    send = () => void socket.write(block);
    return { messages, control: await credits.listen() };
  },
  /** Sends one block, for the sink to see what becomes of it. */
  one() {
    limit = sent + 1;
    pump();
  },
  flood() {
    limit = Infinity;
    pump();
  },
});
