import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { type ChannelOptions, Packet, Router, StreamChannel } from "../../mod.ts";
import { openSerial, type SerialOptions } from "../../src/channel/mod.ts";
import { channelConformance } from "../../src/testing/mod.ts";
import { encodeFrame } from "../../src/wire/mod.ts";
import { record, turn } from "../support/channels.ts";
import { FakeSerialPort } from "../support/lines.ts";
import { pass } from "../support/timers.ts";

const say = (srv: string) => new Packet({ srv });

async function open(options: SerialOptions = {}) {
  const port = new FakeSerialPort();
  const near = await openSerial(port, options);
  return { port, near, told: record(near) };
}

const conformance = channelConformance(async (options: ChannelOptions) => {
  const port = new FakeSerialPort();
  const near = await openSerial(port, options);
  return { near, far: new StreamChannel(port.far) };
});
for (const { name, run } of conformance) test(`openSerial() ${name}`, { timeout: 10_000 }, run);

test("openSerial() joins two routers over a wire", { timeout: 10_000 }, async () => {
  const { port, near } = await open();
  const [page, board] = [new Router("page"), new Router("board")];
  page.addChannel(near);
  board.addChannel(new StreamChannel(port.far));
  board.registerService("led", (packet, reply) => void reply(`led is ${packet.text()}`));
  assert.equal(await page.waitForService("led"), "board");
  assert.equal((await page.request("led", "on")).text(), "led is on");
  await page.close();
  assert.deepEqual(port.log, ["open 115200", "flush", "cancel", "close"]);
  await board.close();
});

test("openSerial() opens the port at the rate it is told", { timeout: 10_000 }, async () => {
  const { port, near } = await open({ baudRate: 9_600 });
  near.close();
  await near.closed;
  assert.equal(port.log[0], "open 9600");
});

test("openSerial() closes the port before it says that it has closed in order", {
  timeout: 10_000,
}, async () => {
  const { port, near, told } = await open();
  const received = new Promise<void>((resolve) => {
    new StreamChannel(port.far).onPacket = ({ srv }) => void (srv === "last" && resolve());
  });
  near.send(say("last"));
  near.close();
  assert.equal(await near.closed, undefined);
  assert.deepEqual([port.log, told], [["open 115200", "flush", "cancel", "close"], ["close"]]);
  await received;
  const again = await openSerial(port); // It is free.
  again.close(new Error("over"));
});

test("openSerial() closes the port when it is cut", { timeout: 10_000 }, async () => {
  const { port, near } = await open();
  port.gate = new Promise(() => {});
  near.send(say("never"));
  await turn();
  near.close(new Error("cut"));
  assert.equal((await near.closed as Error).message, "cut");
  await turn();
  assert.deepEqual(port.log.toSorted(), ["abort", "cancel", "close", "open 115200"]);
});

test("openSerial() closes the port though it does not take what is written", {
  timeout: 10_000,
}, async () => {
  const { port, near } = await open();
  port.gate = new Promise(() => {});
  near.send(say("never"));
  await turn();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    near.close();
    mock.timers.tick(1_000);
  } finally {
    mock.timers.reset();
  }
  assert.match((await near.closed as Error).message, /too long/);
  await turn();
  assert.equal(port.log.at(-1), "close");
});

test("openSerial() closes the port though its last bytes never leave", {
  timeout: 10_000,
}, async () => {
  const port = new FakeSerialPort();
  const { writable } = await port.open({ baudRate: 1 }).then(() => port);
  let closing!: () => void;
  const stuck = new WritableStream<Uint8Array>({
    close: () => new Promise((resolve) => closing = resolve),
  });
  await writable!.close();
  Object.defineProperty(port, "writable", { get: () => stuck });
  const near = await openSerial(port);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    near.close();
    await Promise.resolve();
    mock.timers.tick(1_000);
  } finally {
    mock.timers.reset();
  }
  assert.match((await near.closed as Error).message, /too long/);
  closing();
  await turn();
  assert.equal(port.log.at(-1), "close");
});

test("openSerial() closes the channel with the error of a port that is unplugged", {
  timeout: 10_000,
}, async () => {
  const { port, near, told } = await open();
  near.send(say("ping"));
  await turn();
  port.unplug();
  assert.equal((await near.closed as Error).message, "the device has been lost");
  await turn();
  assert.deepEqual(told, ["close: the device has been lost"]);
  assert.equal(near.send(say("ping")), false);
});

test("openSerial() ends in order when the port's stream does", { timeout: 10_000 }, async () => {
  const { port, near } = await open();
  await port.far.writable.close();
  assert.equal(await near.closed, undefined);
  assert.equal(port.log.at(-1), "close");
});

test("openSerial() survives a disturbed line, and hands on the packet after it", {
  timeout: 10_000,
}, async () => {
  const { port, near, told } = await open();
  const far = port.far.writable.getWriter();
  const frame = encodeFrame(say("ping").toBinary());
  await far.write(frame);
  await far.write(frame.subarray(0, 4));
  await turn();
  port.disturb();
  await turn();
  await far.write(frame.subarray(5)); // A byte is lost.
  await far.write(frame);
  await turn();
  assert.deepEqual(told, ["packet ping", "drop ERR_PACKET_TRUNCATED", "packet ping"]);
  near.close();
  assert.equal(await near.closed, undefined);
  assert.deepEqual(port.log, ["open 115200", "flush", "cancel", "close"]);
});

test("openSerial() gives up on a line that is nothing but disturbed", {
  timeout: 10_000,
}, async () => {
  const { port, near } = await open();
  for (let errors = 1; errors <= 16; errors++) {
    port.disturb();
    await turn();
    assert.equal(near.isOpen, true, `after ${errors}`);
  }
  port.disturb();
  assert.equal((await near.closed as Error).message, "framing error");
  await turn();
  assert.equal(port.log.at(-1), "close");
});

test("openSerial() tells of a port that cannot be opened", { timeout: 10_000 }, async () => {
  const port = new FakeSerialPort();
  port.open = () => Promise.reject(new Error("it is in use"));
  await assert.rejects(openSerial(port), { message: "it is in use" });
});

test("openSerial() heeds a signal that aborts before or while it opens", {
  timeout: 10_000,
}, async () => {
  const reason = new Error("too late");
  const port = new FakeSerialPort();
  await assert.rejects(openSerial(port, { signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(port.log, []);
  const controller = new AbortController();
  const opening = openSerial(port, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(opening, reason);
  await turn();
  assert.deepEqual(port.log.toSorted(), ["abort", "cancel", "close", "open 115200"]);
});

test("openSerial() leaves the port as it was: opened and closed 1,000 times", {
  timeout: 60_000,
}, async () => {
  for (let i = 0; i < 1_000; i++) {
    const { port, near } = await open();
    near.send(say("ping"));
    near.close(i % 2 ? undefined : new Error("cut"));
    await near.closed;
    if (i % 2 === 0) await turn();
    assert.equal(port.log.at(-1), "close", `round ${i}`);
  }
});

test("openSerial() does not take a slow port for a stuck one, though one packet takes a minute", {
  timeout: 10_000,
}, async () => {
  const { port, near, told } = await open({ baudRate: 9_600 });
  const packet = new Packet({ data: new Uint8Array(60_000) });
  let release = () => {};
  const take = async () => {
    const go = release;
    port.gate = new Promise((resolve) => release = resolve);
    go();
    for (let i = 0; i < 20; i++) await Promise.resolve(); // No turn(): it takes a timer.
  };
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await take();
    near.send(packet);
    await take();
    const pieces = Math.ceil(encodeFrame(packet.toBinary()).length / 480); // Half a second each.
    for (let i = 1; i < pieces; i++) {
      mock.timers.tick(500);
      await take();
    }
    assert.deepEqual([near.isOpen, near.bufferedBytes > 60_000, told], [true, true, []]);
    pass(10_000); // The last piece never leaves.
    assert.equal(near.isOpen, false);
  } finally {
    mock.timers.reset();
  }
});
