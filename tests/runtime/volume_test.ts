import assert from "node:assert/strict";
import { test } from "node:test";
import { type BaseChannel, connectWebSocket, Packet } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { testCertificate } from "../support/certificate.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";

type Channel = BaseChannel<unknown>;

const { cert, key, ca } = testCertificate;
const VOLUME = 40 << 20; // bytes
const HIGH_WATER = 256 << 10; // bytes
const LARGEST = 65_535; // bytes

/** Each byte channel: both ends, and what else is to be closed. */
const kinds: Record<string, () => Promise<{ near: Channel; far: Channel; close(): unknown }>> = {
  async TCP() {
    const far = Promise.withResolvers<Channel>();
    const listener = await sockets.listenTcp(LOOPBACK, far.resolve, { highWater: HIGH_WATER });
    const near = await sockets.connectTcp(listener.address, { highWater: HIGH_WATER });
    return { near, far: await far.promise, close: () => listener.close() };
  },
  async TLS() {
    const far = Promise.withResolvers<Channel>();
    const options = { highWater: HIGH_WATER, cert, key };
    const listener = await sockets.listenTls(LOOPBACK, far.resolve, options);
    const near = await sockets.connectTls(listener.address, { highWater: HIGH_WATER, ca: [ca] });
    return { near, far: await far.promise, close: () => listener.close() };
  },
  async WebSocket() {
    const far = Promise.withResolvers<Channel>();
    const options = { highWater: HIGH_WATER, format: "binary" as const };
    const listener = await sockets.listenWebSocket(LOOPBACK, far.resolve, options);
    const near = await connectWebSocket(`ws://127.0.0.1:${listener.address.port}`, options);
    return { near, far: await far.promise, close: () => listener.close() };
  },
};

/** Sends packets of random sizes out of one buffer, which is written over after each. */
async function pour(channel: Channel, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const buffer = new Uint8Array(LARGEST);
  for (let sent = 0; sent < VOLUME;) {
    const size = 1 + Math.floor(random() * LARGEST);
    const first = Math.floor(random() * 256);
    for (let i = 0; i < size; i++) buffer[i] = first + i * 7;
    const packet = new Packet({ srv: "s", data: buffer.subarray(0, size) });
    while (!channel.send(packet)) await channel.drained();
    assert(channel.bufferedBytes <= HIGH_WATER, `${channel.bufferedBytes} bytes are buffered`);
    buffer.fill(0);
    sent += size;
  }
}

/** Checks what {@linkcode pour} sent with the same seed. */
function check(channel: Channel, seed: number): Promise<void> {
  const random = seededRandom(seed);
  let received = 0;
  return new Promise((resolve, reject) => {
    channel.onPacket = ({ data }) => {
      const size = 1 + Math.floor(random() * LARGEST);
      const first = Math.floor(random() * 256);
      let wrong = data.length !== size;
      for (let i = 0; i < size; i++) wrong ||= data[i] !== ((first + i * 7) & 0xff);
      received += size;
      if (wrong) reject(new Error(`wrong bytes within the first ${received}`));
      else if (received >= VOLUME) resolve();
    };
    channel.closed.then((reason) => reject(reason ?? new Error("it closed")));
  });
}

for (const [kind, open] of Object.entries(kinds)) {
  test(`40 MB cross ${kind} under ${runtime} both ways without a wrong byte`, {
    timeout: 120_000,
  }, async () => {
    const { near, far, close } = await open();
    await Promise.all([check(far, 1), check(near, 2), pour(near, 1), pour(far, 2)]);
    await Promise.all([near[Symbol.asyncDispose](), far[Symbol.asyncDispose]()]);
    await close();
  });
}

test(`A TCP channel under ${runtime} holds no more than highWater while its peer does not read`, {
  timeout: 30_000,
}, async () => {
  // The far end is stuck in its handler's turn: nobody sets onPacket, and few packets may wait.
  const { near, far, close } = await kinds.TCP!();
  const packet = new Packet({ srv: "s", data: new Uint8Array(60_000) });
  let sent = 0;
  while (near.send(packet)) sent++;
  assert(sent > 0 && near.bufferedBytes <= HIGH_WATER, `${near.bufferedBytes} bytes are buffered`);
  near.close(new Error("enough"));
  far.close(new Error("enough"));
  await Promise.all([near.closed, far.closed]);
  await close();
});
