import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type BaseChannel,
  connectWebSocket,
  createChannelPair,
  Packet,
  StreamChannel,
} from "../../mod.ts";
import { encodeFrame } from "../../src/wire/mod.ts";
import { testCertificate } from "../support/certificate.ts";
import { connectRaw, openSockets, type RawSocket, until } from "../support/raw_socket.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";
import { connectRawWebSocket } from "../support/websocket_client.ts";
import { clientFrame, OPCODE } from "../support/websocket_frames.ts";

type Channel = BaseChannel<unknown>;

const { cert, key, ca } = testCertificate;

/** Both ends of a link: what is to be opened and closed. */
type Ends = [near: Channel, far: Channel];

/** What opens links of a kind, until it is closed. */
interface Kind {
  open: () => Promise<Ends>;
  close: () => Promise<void>;
  /** Where it listens, if it does. */
  port?: number;
}

/** Links between what listens and what connects to it. */
async function linked(
  listen: (onChannel: (channel: Channel) => void) => ReturnType<typeof sockets.listenTcp>,
  connect: (port: number) => Promise<Channel>,
): Promise<Kind> {
  let accept: (channel: Channel) => void = () => {};
  const listener = await listen((channel) => accept(channel));
  const { port } = listener.address;
  const open = async (): Promise<Ends> => {
    const accepted = new Promise<Channel>((resolve) => accept = resolve);
    return await Promise.all([connect(port), accepted]);
  };
  return { open, close: () => listener.close(), port };
}

/** Links that need no socket. */
const inMemory = (open: () => Ends): Promise<Kind> =>
  Promise.resolve({ open: () => Promise.resolve(open()), close: () => Promise.resolve() });

/** `noise`: bytes that the heap may grow by without a leak, about half of what the channels take. */
const kinds: Record<string, { cycles: number; noise: number; start: () => Promise<Kind> }> = {
  TCP: {
    cycles: 1_000,
    noise: 4_000_000,
    start: () =>
      linked(
        (onChannel) => sockets.listenTcp(LOOPBACK, onChannel),
        (port) => sockets.connectTcp({ hostname: "127.0.0.1", port }),
      ),
  },
  TLS: {
    cycles: 200, // Handshakes are dear.
    noise: 1_200_000,
    start: () =>
      linked(
        (onChannel) => sockets.listenTls(LOOPBACK, onChannel, { cert, key }),
        (port) => sockets.connectTls({ hostname: "127.0.0.1", port }, { ca: [ca] }),
      ),
  },
  WebSocket: {
    cycles: 1_000,
    noise: 4_000_000,
    start: () =>
      linked(
        (onChannel) => sockets.listenWebSocket(LOOPBACK, onChannel),
        (port) => connectWebSocket(`ws://127.0.0.1:${port}/`),
      ),
  },
  Stream: {
    cycles: 1_000,
    noise: 3_000_000,
    start: () =>
      inMemory(() => {
        const there = new TransformStream<Uint8Array, Uint8Array>();
        const back = new TransformStream<Uint8Array, Uint8Array>();
        return [
          new StreamChannel({ readable: back.readable, writable: there.writable }),
          new StreamChannel({ readable: there.readable, writable: back.writable }),
        ];
      }),
  },
  "in-memory": { cycles: 1_000, noise: 1_500_000, start: () => inMemory(createChannelPair) },
};

const PING = new Packet({ srv: "ping" });

/** What both ends of an idle connection may take together, the runtime's own part included, in bytes. */
const IDLE_SIZE = 80_000;

/** The same for TCP, in bytes. */
const IDLE_TCP_SIZE = 25_000;

/** The heap and the buffers outside of it after a collection, in bytes. */
function bytesHeld(): number {
  return heapUsed() + process.memoryUsage().external;
}

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

for (const [kind, { cycles, noise, start }] of Object.entries(kinds)) {
  test(`${cycles} ${kind} channels opened and closed under ${runtime} leave nothing behind`, {
    timeout: 120_000,
  }, async () => {
    const before = resources();
    const { open, close, port } = await start();
    let turn = 0;
    const cycle = async () => {
      const ends = await open();
      const received = new Promise((resolve) => ends[0].onPacket = resolve);
      ends[1].send(PING);
      await received;
      ends[turn++ % 2]!.close(); // Now by this one, now by that.
      assert.deepEqual(await Promise.all(ends.map(({ closed }) => closed)), [undefined, undefined]);
    };
    for (let i = 0; i < cycles / 2; i++) await cycle(); // What is made once does not count.
    const heap = heapUsed();
    for (let i = 0; i < cycles; i++) await cycle();
    await close();
    await turns(() => resources().length <= before.length);
    assert.deepEqual(resources(), before);
    const growth = heapUsed() - heap;
    assert(growth < noise, `the heap has grown by ${growth} bytes`);
    if (port !== undefined) await until(() => (openSockets(port) ?? 0) === 0);
  });
}

test(`200 idle WebSocket connections under ${runtime} take little memory`, {
  timeout: 60_000,
}, async () => {
  const channels: Channel[] = [];
  let accept: (channel: Channel) => void = () => {};
  const listener = await sockets.listenWebSocket(LOOPBACK, (channel) => {
    channels.push(channel);
    accept(channel);
  });
  const clients: RawSocket[] = [];
  const large = clientFrame(OPCODE.text, "x".repeat(100_000));
  const connect = async () => {
    const accepted = new Promise<Channel>((resolve) => accept = resolve);
    const client = await connectRawWebSocket(listener.address.port);
    clients.push(client);
    const channel = await accepted;
    const dropped = new Promise((resolve) => channel.onDrop = resolve);
    await client.write(large); // What it took to hold this is not kept.
    await dropped;
    channel.onDrop = null;
  };
  for (let i = 0; i < 20; i++) await connect();
  const before = bytesHeld();
  for (let i = 0; i < 200; i++) await connect();
  const each = (bytesHeld() - before) / 200;
  assert.equal(channels.length, 220);
  assert(each < IDLE_SIZE, `a connection takes ${each} bytes`);
  for (const channel of channels) channel.close(new Error("enough"));
  await Promise.all([...clients.map((client) => client.close()), listener.close()]);
});

test(`200 idle TCP connections under ${runtime} take little memory, though much has come`, {
  timeout: 60_000,
}, async () => {
  const channels: Channel[] = [];
  let accept: (channel: Channel) => void = () => {};
  const listener = await sockets.listenTcp(LOOPBACK, (channel) => {
    channels.push(channel);
    accept(channel);
  });
  const clients: RawSocket[] = [];
  const [large, small] = [new Uint8Array(60_000), PING.data].map((data) =>
    encodeFrame(new Packet({ srv: "s", data }).toBinary())
  );
  const connect = async () => {
    const accepted = new Promise<Channel>((resolve) => accept = resolve);
    const client = await connectRaw(listener.address.port);
    clients.push(client);
    const channel = await accepted;
    for (const frame of [large!, small!]) {
      const heard = new Promise<void>((resolve) => {
        channel.onPacket = channel.onDrop = () => resolve();
      });
      await client.write(frame); // What it took to hold this is not kept.
      await heard;
    }
    channel.onPacket = channel.onDrop = null;
  };
  for (let i = 0; i < 20; i++) await connect();
  const before = bytesHeld();
  for (let i = 0; i < 200; i++) await connect();
  const each = () => (bytesHeld() - before) / 200;
  await turns(() => each() < IDLE_TCP_SIZE); // Buffers go some turns after who held them.
  assert.equal(channels.length, 220);
  assert(each() < IDLE_TCP_SIZE, `a connection takes ${each()} bytes`);
  for (const channel of channels) channel.close(new Error("enough"));
  await Promise.all([...clients.map((client) => client.close()), listener.close()]);
});
