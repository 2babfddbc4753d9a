import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type BaseChannel, connectWebSocket } from "../../mod.ts";
import { testCertificate } from "../support/certificate.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";

type Channel = BaseChannel<unknown>;

const { cert, key, ca } = testCertificate;

/** Growth of the heap that is still noise after so many channels, in bytes. */
const HEAP_NOISE = 8 << 20;

const kinds: Record<string, {
  cycles: number;
  listen: (onChannel: (channel: Channel) => void) => ReturnType<typeof sockets.listenTcp>;
  connect: (port: number) => Promise<Channel>;
}> = {
  TCP: {
    cycles: 1_000,
    listen: (onChannel) => sockets.listenTcp(LOOPBACK, onChannel),
    connect: (port) => sockets.connectTcp({ port }),
  },
  TLS: {
    cycles: 200, // Handshakes are dear.
    listen: (onChannel) => sockets.listenTls(LOOPBACK, onChannel, { cert, key }),
    connect: (port) => sockets.connectTls({ hostname: "127.0.0.1", port }, { ca: [ca] }),
  },
  WebSocket: {
    cycles: 1_000,
    listen: (onChannel) => sockets.listenWebSocket(LOOPBACK, onChannel),
    connect: (port) => connectWebSocket(`ws://127.0.0.1:${port}/`),
  },
};

/** The heap after a collection, in bytes. */
function heapUsed(): number {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  if (Bun) {
    Bun.gc(true);
  } else {
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  }
  return process.memoryUsage().heapUsed;
}

/** Lets handles that are closing close; they need some turns. */
async function turns(done: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !done(); i++) await new Promise((resolve) => setImmediate(resolve));
}

/** What keeps the process alive, where the runtime tells. */
function resources(): string[] {
  const { getActiveResourcesInfo } = process as { getActiveResourcesInfo?: () => string[] };
  const mine = /TCP|TLS|Timeout|Socket|HTTP/i;
  return (getActiveResourcesInfo?.call(process) ?? []).filter((kind) => mine.test(kind)).sort();
}

for (const [kind, { cycles, listen, connect }] of Object.entries(kinds)) {
  test(`${cycles} ${kind} channels opened and closed under ${runtime} leave nothing behind`, {
    timeout: 120_000,
  }, async () => {
    const accepted: Promise<unknown>[] = [];
    const before = resources();
    const listener = await listen((channel) => accepted.push(channel.closed));
    const cycle = async () => {
      const channel = await connect(listener.address.port);
      await channel[Symbol.asyncDispose]();
    };
    for (let i = 0; i < 20; i++) await cycle(); // What is made once does not count.
    const heap = heapUsed();
    for (let i = 0; i < cycles; i++) await cycle();
    assert.equal(accepted.length, 20 + cycles);
    assert.deepEqual(new Set(await Promise.all(accepted)), new Set([undefined]));
    await listener.close();
    accepted.length = 0;
    await turns(() => resources().length <= before.length);
    assert.deepEqual(resources(), before);
    const growth = heapUsed() - heap;
    assert(growth < HEAP_NOISE, `the heap has grown by ${growth} bytes`);
  });
}
