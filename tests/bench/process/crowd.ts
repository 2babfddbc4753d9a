/**
 * Many sinks in one process, each with a connection of its own, and a source that sends to all of
 * them. They count bytes, and no more.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import { loadDialect } from "../dialects/dialect.ts";
import { obey } from "./commands.ts";
import { payload } from "./payload.ts";

/** Connections that are being made at a time. */
const AT_ONCE = 50;

/** How long nothing may come before all is taken to be at rest, and how long to wait for that, in ms. */
const REST = 300;
const BOUND = 30_000;

let source: Socket;
let message: Uint8Array;
/** Bytes that each sink has got since the last message was sent. */
let got: Uint32Array;
let size = 0;
let lacking = 0;
let onAll: () => void = () => {};
let lastAt = 0;

function receive(member: number, bytes: number): void {
  lastAt = performance.now();
  const before = got[member]!;
  got[member] = before + bytes;
  if (before < size && before + bytes >= size && --lacking === 0) onAll();
}

/** Sends one message; resolves to how long it has taken to reach all of them, in ms. */
function send(): Promise<number> {
  got.fill(0);
  lacking = got.length;
  const start = performance.now();
  source.write(message);
  return new Promise((resolve, reject) => {
    const give = () => reject(new Error(`${lacking} of ${got.length} have not got a message`));
    const timer = setTimeout(give, BOUND);
    onAll = () => {
      clearTimeout(timer);
      resolve(performance.now() - start);
    };
  });
}

obey({
  async join({ dialect, port, count, data }: {
    dialect: string;
    port: number;
    count: number;
    data: number;
  }) {
    const loaded = await loadDialect(dialect);
    size = data;
    got = new Uint32Array(count);
    source = connect({ host: "127.0.0.1", port, noDelay: true });
    message = await loaded.source(source, payload(data), { multicast: true });
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < count) {
        const member = next++;
        const socket = connect({ host: "127.0.0.1", port, noDelay: true });
        const onBytes = (bytes: Uint8Array) => receive(member, bytes.length);
        await loaded.sink(socket, onBytes, `member-${member}`);
      }
    }));
  },
  /** Waits until nothing comes any more: what routers tell each other has been told. */
  async rest() {
    const start = performance.now();
    lastAt = start;
    while (performance.now() - lastAt < REST && performance.now() - start < BOUND) {
      await new Promise((resolve) => setTimeout(resolve, REST));
    }
  },
  async send({ rounds }: { rounds: number }) {
    const times: number[] = [];
    for (let i = 0; i < rounds; i++) times.push(await send());
    return times;
  },
});
