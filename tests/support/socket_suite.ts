/**
 * What every channel over a socket promises, told to a peer that the test plays: one suite for TCP
 * and TLS, for the side that connects and the side that accepts, in every runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BaseChannel, Packet, type StreamChannelOptions, type TcpChannel } from "../../mod.ts";
import { encodeFrame, KissDecoder } from "../../src/wire/mod.ts";
import { openSockets, type RawSocket, until } from "./raw_socket.ts";
import { CountingController } from "./routers.ts";
import { name as runtime } from "./runtime.ts";

const timeout = 20_000;
const PING = encodeFrame(new Packet({ srv: "ping" }).toBinary());
const LARGE = new Packet({ srv: "s", data: new Uint8Array(60_000) });

/** A channel under test and its peer. */
export interface Opened {
  channel: TcpChannel;
  peer: RawSocket;
  /** The port that one of them listens on. */
  port: number;
  /** Ends the listener, and the peer if need be. */
  cleanup(): Promise<void>;
}

/** The next packets that arrive. */
export function packets(channel: TcpChannel, count: number): Promise<Packet[]> {
  return new Promise((resolve) => {
    const received: Packet[] = [];
    channel.onPacket = (packet) => {
      received.push(packet);
      if (received.length === count) resolve(received);
    };
  });
}

/** Queues packets until no more are taken, and the system takes none either. */
export async function jam(channel: BaseChannel<unknown>): Promise<number> {
  let sent = 0;
  for (let stuck = 0; stuck < 20;) {
    if (channel.send(LARGE)) sent++, stuck = 0;
    else stuck++;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return sent;
}

/** @param kind How its tests are called. */
export function socketSuite(
  kind: string,
  open: (options?: StreamChannelOptions) => Promise<Opened>,
): void {
  const check = (what: string, run: () => Promise<void>) => {
    test(`${kind} under ${runtime} ${what}`, { timeout }, run);
  };

  check("hands on what its peer sent before it ended", async () => {
    const { channel, peer, cleanup } = await open();
    const received = packets(channel, 3);
    await peer.write(Uint8Array.from([...PING, ...PING, ...PING]));
    await peer.end();
    assert.equal((await received).length, 3);
    assert.equal(await channel.closed, undefined);
    assert.deepEqual(await peer.readAll(), new Uint8Array(0));
    await cleanup();
  });

  check("keeps what its peer sent before it ended for whoever comes late", async () => {
    const { channel, peer, cleanup } = await open();
    await peer.write(PING);
    await peer.end();
    assert.equal(await channel.closed, undefined);
    const [packet] = await packets(channel, 1);
    assert.equal(packet!.srv, "ping");
    await cleanup();
  });

  check("puts together a packet that comes byte by byte", async () => {
    const { channel, peer, cleanup } = await open();
    const received = packets(channel, 2);
    for (const byte of [...PING, ...PING]) await peer.write(Uint8Array.of(byte));
    assert.deepEqual((await received).map(({ srv }) => srv), ["ping", "ping"]);
    channel.close();
    await peer.end();
    assert.equal(await channel.closed, undefined);
    await cleanup();
  });

  check("refuses packets while its peer does not read, and loses none of the others", async () => {
    const highWater = 300_000;
    const { channel, peer, cleanup } = await open({ highWater });
    let held = 0;
    const sending = (async () => {
      let sent = await jam(channel);
      held = Math.max(held, channel.bufferedBytes);
      assert.equal(channel.send(LARGE), false);
      const reading = peer.readAll();
      for (const end = sent + 100; sent < end;) {
        held = Math.max(held, channel.bufferedBytes);
        if (channel.send(LARGE)) sent++;
        else await channel.drained();
      }
      channel.close();
      return { sent, bytes: await reading };
    })();
    const { sent, bytes } = await sending;
    await peer.end(); // Before all that takes long: it does not wait for ever.
    assert.equal(await channel.closed, undefined);
    assert.equal(new KissDecoder().push(bytes).length, sent);
    assert.ok(held > 0 && held <= highWater, `${held} bytes were queued`);
    await cleanup();
  });

  check("closes when its peer reads nothing for too long, and holds nothing any more", async () => {
    const { channel, peer, cleanup } = await open({ highWater: 300_000, stallTimeout: 100 });
    let dropped = 0;
    channel.onDrop = (_error, _packet, count = 1) => dropped += count;
    for (let sent = 0; channel.isOpen; sent++) {
      if (sent < 20_000 && channel.send(LARGE)) continue;
      assert(channel.bufferedBytes <= 300_000, `${channel.bufferedBytes} bytes are buffered`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.match((await channel.closed as Error).message, /has not moved for 100 ms/);
    assert(dropped > 0, "nobody was told of what was queued");
    assert.equal(channel.bufferedBytes, 0);
    await peer.readAll().catch(() => {}); // It comes to an end: nobody holds the socket any more.
    await peer.close();
    await cleanup();
  });

  check("still sends what is queued after its peer has ended", async () => {
    const { channel, peer, cleanup } = await open();
    const sent = await jam(channel); // More than the system takes at once.
    await peer.end();
    const frames = new KissDecoder().push(await peer.readAll());
    assert.equal(frames.length, sent);
    assert.equal(await channel.closed, undefined);
    await cleanup();
  });

  check("ends in order, not with a reset, though it has unread data", async () => {
    const { channel, peer, cleanup } = await open();
    channel.send(new Packet({ srv: "ping" }));
    const flooding = peer.write(new Uint8Array(1 << 20));
    channel.close();
    assert.deepEqual(await peer.readAll(), Uint8Array.from(PING)); // Its end, and no ECONNRESET.
    await flooding;
    await peer.end();
    assert.equal(await channel.closed, undefined);
    await cleanup();
  });

  check("closes with the reason of its signal, and the socket with it", async () => {
    const controller = new CountingController();
    const { channel, peer, port, cleanup } = await open({ signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    assert.equal(await channel.closed, reason);
    await peer.readAll().catch(() => {}); // An end or a reset, as the system likes.
    assert.equal(controller.listening, 0);
    await peer.close();
    await until(() => (openSockets(port) ?? 0) === 0);
    await cleanup();
  });

  check("is cut for a reason though its peer has ended and does not read", async () => {
    const { channel, peer, cleanup } = await open();
    await jam(channel);
    await peer.end();
    await until(() => !channel.isOpen);
    const reason = new Error("enough");
    channel.close(reason);
    assert.equal(await channel.closed, reason);
    await peer.readAll().catch(() => {}); // It comes to an end: nobody holds the socket any more.
    await peer.close();
    await cleanup();
  });

  check("is cut after a second though its peer has ended and does not read", async () => {
    const { channel, peer, cleanup } = await open();
    await jam(channel);
    await peer.end();
    const reason = await channel.closed as Error;
    assert.equal(reason.message, "Cannot close channel in order: it takes too long");
    await peer.readAll().catch(() => {});
    await peer.close();
    await cleanup();
  });

  check("does not wait for ever for a peer that does not end", async () => {
    const { channel, peer, port, cleanup } = await open();
    channel.close();
    assert.deepEqual(await peer.readAll(), new Uint8Array(0)); // Ours has come; it says nothing.
    const reason = await channel.closed as Error;
    assert.equal(reason.message, "Cannot close channel in order: it takes too long");
    await peer.close();
    await until(() => (openSockets(port) ?? 0) === 0);
    await cleanup();
  });
}
