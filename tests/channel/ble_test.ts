import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, Router, StreamChannel } from "../../mod.ts";
import { BLE_UART, type BleOptions, chunkedDuplex, openBle } from "../../src/channel/mod.ts";
import { channelConformance } from "../../src/testing/mod.ts";
import { encodeFrame } from "../../src/wire/mod.ts";
import { concat, record, turn } from "../support/channels.ts";
import { FakeUart } from "../support/lines.ts";

const say = (srv: string) => new Packet({ srv });
const frame = (packet: Packet) => encodeFrame(packet.toBinary());

async function open(options: BleOptions = {}) {
  const uart = new FakeUart();
  const near = await openBle(uart, options);
  return { uart, near, told: record(near) };
}

const conformance = channelConformance(async (options) => {
  const uart = new FakeUart();
  return { near: await openBle(uart, options), far: new StreamChannel(uart.far) };
});
for (const { name, run } of conformance) test(`openBle() ${name}`, { timeout: 10_000 }, run);

test("openBle() joins two routers in writes and notifications of 20 bytes", {
  timeout: 10_000,
}, async () => {
  const { uart, near } = await open();
  const [page, board] = [new Router("page"), new Router("board")];
  page.addChannel(near);
  board.addChannel(new StreamChannel(uart.far));
  board.registerService("echo", (packet, reply) => void reply(packet.data));
  assert.equal(await page.waitForService("echo"), "board");
  const text = "more than what fits into one write of the radio";
  assert.equal((await page.request("echo", text)).text(), text);
  assert(uart.sizes.includes(20) && uart.sizes.every((size) => size <= 20));
  await page.close();
  assert.equal(uart.listening, 0);
  await board.close();
});

test("openBle() cuts its bytes as it is told, and the far end puts them together", {
  timeout: 10_000,
}, async () => {
  const uart = new FakeUart(180);
  const near = await openBle(uart, { mtu: 180 });
  const received = new Promise<Packet>((resolve) => {
    new StreamChannel(uart.far).onPacket = resolve;
  });
  const packet = new Packet({ srv: "s", data: new Uint8Array(500).fill(0xc0) });
  near.send(packet);
  assert.equal((await received).toJson(), packet.toJson());
  const { length } = frame(packet);
  assert.deepEqual(uart.sizes, [
    ...Array.from({ length: Math.floor(length / 180) }, () => 180),
    length % 180,
  ]);
  near.close(new Error("over"));
});

test("openBle() hands on packets that were framed twice, as Android does it", {
  timeout: 10_000,
}, async () => {
  const packets = [
    say("ping"),
    new Packet({ srv: "s", data: Uint8Array.of(0xc0, 0xdb, 0xdc, 0xdd, 0xc0) }),
    new Packet({ dst: "d", nxt: "n" }), // Its control word has a C0.
    new Packet({ data: new Uint8Array(0xc0).fill(0xdb) }), // So has its size.
    new Packet({ srv: "s", data: Uint8Array.of(1, 0xc0) }),
  ];
  for (const repair of [true, false]) {
    const { uart, near } = await open({ repair });
    const received: string[] = [];
    near.onPacket = (packet) => received.push(packet.toJson());
    near.onDrop = (error) => assert.fail(error);
    for (const packet of packets) {
      for (const bytes of [frame(packet), encodeFrame(frame(packet))]) {
        for (let at = 0; at < bytes.length; at += 20) uart.notify(bytes.subarray(at, at + 20));
      }
    }
    await turn();
    assert.deepEqual(received, packets.flatMap((packet) => [packet.toJson(), packet.toJson()]));
    near.close(new Error("over"));
  }
});

test("openBle() is the only one to hand on packets that were framed twice", {
  timeout: 10_000,
}, async () => {
  const packet = new Packet({ srv: "s", data: Uint8Array.of(0xc0, 0xdb) });
  const line = chunkedDuplex(() => {});
  const channel = new StreamChannel(line);
  let received: Packet | undefined;
  channel.onPacket = (packet) => received = packet;
  line.push(encodeFrame(frame(packet)));
  line.push(frame(say("ping")));
  await turn();
  assert.notDeepEqual(received?.data, packet.data);
  channel.close(new Error("over"));
});

test("openBle() leaves alone a packet whose end looks like a frame's", {
  timeout: 10_000,
}, async () => {
  const { uart, near } = await open();
  const received: Uint8Array[] = [];
  near.onPacket = ({ data }) => received.push(data);
  const payloads = [[0xc0], [0xdb, 0xdc, 0xc0], [0xdb, 0xdd, 0xdb, 0xdc, 0xc0], [0xc0, 0xc0]]
    .map((data) => Uint8Array.from(data));
  for (const data of payloads) uart.notify(frame(new Packet({ srv: "s", data })));
  await turn();
  assert.deepEqual(received.map((data) => [...data]), payloads.map((data) => [...data]));
  near.close(new Error("over"));
});

test("openBle() hands on packets whose C0 was escaped as Python does it", {
  timeout: 10_000,
}, async () => {
  const { uart, near } = await open();
  const packet = new Packet({ srv: "s", data: Uint8Array.of(1, 0xc0, 2) });
  const python = Uint8Array.from(
    [...packet.toBinary()].flatMap((byte) => byte === 0xc0 ? [0xc0, 0xdc] : [byte]).concat(0xc0),
  );
  // At the start of a packet it leaves an empty frame behind.
  const first = new Packet({ dst: "d", nxt: "n", ctx: 1 });
  const received: string[] = [];
  near.onPacket = (packet) => received.push(packet.toJson());
  near.onDrop = (error) => assert.fail(error);
  uart.notify(python);
  uart.notify(frame(say("ping")));
  uart.notify(python);
  uart.notify(frame(first));
  await turn();
  assert.deepEqual(received, [packet, say("ping"), packet, first].map((packet) => packet.toJson()));
  near.close(new Error("over"));
});

test("openBle() tells broken and oversize frames to onDrop, and lives on", {
  timeout: 10_000,
}, async () => {
  const { uart, near, told } = await open();
  uart.notify(Uint8Array.of(1, 0xdb, 1, 0xc0));
  uart.notify(frame(say("1")));
  uart.notify(new Uint8Array(200_000).fill(1));
  uart.notify(Uint8Array.of(0xc0));
  uart.notify(frame(say("2")));
  uart.notify(encodeFrame(Uint8Array.of(0xff, 1, 2, 3, 0xc0)));
  uart.notify(frame(say("3")));
  await turn();
  assert.deepEqual(told, [
    "drop ERR_PACKET_FRAME",
    "packet 1",
    "drop ERR_PACKET_FRAME",
    "packet 2",
    "drop ERR_PACKET_TRUNCATED",
    "packet 3",
  ]);
  near.close(new Error("over"));
});

test("openBle() closes the channel when the device is out of reach", {
  timeout: 10_000,
}, async () => {
  const { uart, near, told } = await open();
  uart.leave();
  assert.equal(
    (await near.closed as Error).message,
    "Cannot keep channel: the device is out of reach",
  );
  await turn();
  assert.deepEqual([told.length, uart.listening, near.send(say("x"))], [1, 0, false]);
});

test("openBle() closes the channel with the error of a write", { timeout: 10_000 }, async () => {
  const uart = new FakeUart(8); // Its radio takes less than it is given.
  const near = await openBle(uart);
  near.send(say("too much for it"));
  assert.match((await near.closed as Error).message, /19 bytes in one write/);
  assert.equal(uart.listening, 0);
});

test("openBle() leaves nothing behind if it cannot open or is told not to", {
  timeout: 10_000,
}, async () => {
  const refusing = new FakeUart();
  refusing.refuses = new Error("not permitted");
  await assert.rejects(openBle(refusing), refusing.refuses);
  assert.equal(refusing.listening, 0);

  const reason = new Error("too late");
  await assert.rejects(openBle(new FakeUart(), { signal: AbortSignal.abort(reason) }), reason);
  const uart = new FakeUart();
  const controller = new AbortController();
  const opening = openBle(uart, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(opening, reason);
  assert.equal(uart.listening, 0);
});

test("openBle() leaves nothing behind: 1,000 channels come and go", {
  timeout: 60_000,
}, async () => {
  for (let i = 0; i < 1_000; i++) {
    const { uart, near } = await open();
    near.send(say("ping"));
    if (i % 3 === 0) near.close();
    else if (i % 3 === 1) near.close(new Error("cut"));
    else uart.leave();
    await near.closed;
    assert.equal(uart.listening, 0, `round ${i}`);
  }
});

test("BLE_UART is the Nordic UART service", () => {
  for (const uuid of Object.values(BLE_UART)) {
    assert.match(uuid, /^6e40000[123]-b5a3-f393-e0a9-e50e24dcca9e$/);
  }
});

test("chunkedDuplex() waits for each write, and cuts what is larger than its mtu", {
  timeout: 10_000,
}, async () => {
  const written: Uint8Array[] = [];
  let writing = 0;
  const line = chunkedDuplex(async (chunk) => {
    assert.equal(++writing, 1);
    await turn();
    writing--;
    written.push(chunk);
  }, { mtu: 7 });
  const writer = line.writable.getWriter();
  const bytes = Uint8Array.from({ length: 50 }, (_, i) => i);
  await Promise.all([writer.write(bytes), writer.write(bytes)]);
  assert.deepEqual(concat(written), concat([bytes, bytes]));
  assert.deepEqual(written.map(({ length }) => length), [
    ...[7, 7, 7, 7, 7, 7, 7, 1],
    ...[7, 7, 7, 7, 7, 7, 7, 1],
  ]);
  await writer.close();
});

test("chunkedDuplex() releases its line however it ends, and takes no more from it", {
  timeout: 10_000,
}, async () => {
  const reason = new Error("why");
  const ends: ((line: ReturnType<typeof chunkedDuplex>) => unknown)[] = [
    (line) => line.writable.close(),
    (line) => line.end(),
    (line) => line.end(reason),
    (line) => line.readable.cancel(reason),
    (line) => line.writable.abort(reason),
  ];
  const released: unknown[] = [];
  for (const end of ends) {
    const line = chunkedDuplex(() => {}, { release: (reason) => void released.push(reason) });
    await end(line);
    line.push(Uint8Array.of(1));
    line.end(reason);
    const { done } = await line.readable.getReader().read().catch(() => ({ done: true }));
    assert.equal(done, true);
  }
  assert.deepEqual(released.slice(0, 2), [undefined, reason]);
  assert.equal(new Set(released).size, 2);
});
