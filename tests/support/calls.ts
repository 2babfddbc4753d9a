/**
 * Calls for tests: what they leave behind, links that lose packets, and what went over them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createChannelPair, type Packet, type PacketInit, type Router } from "../../mod.ts";
import { decodeCallMark } from "../../src/wire/call_mark.ts";
import { chain, type Link, turn } from "./routers.ts";

/** Contexts that a router may have open. */
export const ALL_CONTEXTS = 16_384;

/** How many contexts a router can still open; all are closed again. */
export function freeContexts(router: Router): number {
  const open: number[] = [];
  try {
    for (;;) open.push(router.registerContextHandler(() => {}));
  } catch {
    for (const ctx of open) router.releaseContext(ctx);
    return open.length;
  }
}

/** Two routers at rest. Once they have been told of services, call `rest`. */
export async function pair() {
  const { routers: [a, b], clock, links: [link] } = await chain(["a", "b"]);
  await clock.pass(60_000); // Whatever the mesh still had to do is done.
  const timers = clock.pending;
  const drops: string[] = [];
  for (const router of [a, b]) {
    router.addEventListener("drop", ({ error }) => {
      drops.push(`${router.address}: ${error.code}: ${error.message}`);
    });
  }
  /** Fails unless calls have left nothing behind. */
  const nothingLeft = async (what: string = "a call") => {
    await turns();
    assert.deepEqual(
      { a: freeContexts(a), b: freeContexts(b), timers: clock.pending },
      { a: ALL_CONTEXTS, b: ALL_CONTEXTS, timers },
      `after ${what}`,
    );
  };
  return { a, b, clock, link, drops, nothingLeft, rest: () => clock.rest() };
}

/** Lets everything happen that takes no time, however many turns it takes. */
export async function turns(count: number = 20): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** The texts of replies, to their end. */
export async function texts(replies: AsyncIterable<Packet>): Promise<string[]> {
  const all: string[] = [];
  for await (const packet of replies) all.push(packet.text());
  return all;
}

/**
 * Links two routers by channels that ask how often an application's packet arrives: 0 loses it.
 * What routers tell each other always arrives.
 */
export function joinThrough(a: Router, b: Router, copies: (packet: Packet) => number): Link {
  const link = createChannelPair();
  for (const end of link) {
    const send = end.send.bind(end);
    end.send = (packet) => {
      let taken = true;
      const count = packet.net === 0 ? copies(packet) : 1;
      for (let i = 0; i < count; i++) taken = send(packet);
      return taken;
    };
  }
  a.addChannel(link[0]);
  b.addChannel(link[1]);
  return link;
}

const KINDS = ["ask", "open", "data", "end", "error", "cancel", "ack", "gone"];

/** An application's packet in words: "a>b open 1 srv", "b>a plain". */
export function describe(packet: Packet | PacketInit): string {
  const { src, dst, srv, seq = 0, ack = 0 } = packet;
  const mark = ack === 0 ? null : decodeCallMark({ seq, ack });
  const words = mark === null ? ["plain"] : [KINDS[mark.kind], ...mark.number ? [mark.number] : []];
  return [`${src}>${dst}`, ...words, ...srv ? [srv] : []].join(" ");
}
