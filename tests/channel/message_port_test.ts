import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { type ChannelError, type ChannelOptions, Packet, Router } from "../../mod.ts";
import { MessagePortChannel, type MessagePortLike } from "../../src/channel/mod.ts";
import { channelConformance } from "../../src/testing/mod.ts";
import { record, turn } from "../support/channels.ts";
import { FakeMessagePort, FakePort } from "../support/ports.ts";

const WINDOW = 1 << 16;
const bytes = (packet: ConstructorParameters<typeof Packet>[0]) => new Packet(packet).toBinary();

function pair(options: ChannelOptions = {}) {
  const { port1, port2 } = new MessageChannel();
  return { near: new MessagePortChannel(port1, options), far: new MessagePortChannel(port2) };
}

for (const { name, run } of channelConformance((options) => Promise.resolve(pair(options)))) {
  test(`MessagePortChannel ${name}`, { timeout: 10_000 }, run);
}

/** A worker, what a channel to it is made over, and another way to talk to it. */
async function startWorker(): Promise<{
  port: MessagePortLike;
  ask: (question: string) => Promise<unknown>;
  terminate: () => unknown;
}> {
  const url = new URL("../support/port_worker.ts", import.meta.url);
  if (typeof Worker !== "undefined") { // Not in Node.
    const worker = new Worker(url, { type: "module" });
    const ask = (question: string) =>
      new Promise<unknown>((resolve) => {
        worker.addEventListener("message", ({ data }) => resolve(data), { once: true });
        worker.postMessage(question);
      });
    return { port: worker, ask, terminate: () => worker.terminate() };
  }
  const threads = await import("node:worker_threads");
  const { port1, port2 } = new threads.MessageChannel();
  const worker = new threads.Worker(url, { workerData: port2, transferList: [port2] });
  const ask = (question: string) =>
    new Promise<unknown>((resolve) => {
      worker.once("message", resolve);
      worker.postMessage(question);
    });
  return { port: port1 as unknown as MessagePortLike, ask, terminate: () => worker.terminate() };
}

test("MessagePortChannel joins a router in a worker, and closing it does not end the worker", {
  timeout: 30_000,
}, async () => {
  const { port, ask, terminate } = await startWorker();
  const channel = new MessagePortChannel(port);
  const router = new Router("page");
  router.addChannel(channel);
  assert.equal(await router.waitForService("ping"), "worker");
  assert.equal((await router.request("ping", "1")).text(), "pong 1");
  await router.close();
  assert.equal(await channel.closed, undefined);
  assert.equal(await ask("are you alive?"), "yes, with 0 routes");
  await terminate();
});

test("MessagePortChannel starts and closes a MessagePort, but only listens to a worker's scope", {
  timeout: 10_000,
}, async () => {
  const port = new FakeMessagePort();
  const scope = Object.assign(new FakePort(), {
    close: () => assert.fail("this would end the worker"),
  });
  for (const each of [port, scope]) {
    const channel = new MessagePortChannel(each);
    assert.equal(each.listening, 3);
    channel.close();
    each.tell("message", "end");
    assert.equal(await channel.closed, undefined);
    assert.deepEqual([each.listening, each.posted], [0, ["end"]]);
  }
  assert.deepEqual(port.calls, ["start", "close"]);
});

test("MessagePortChannel drops what is no packet, tells onDrop, and lives on", {
  timeout: 10_000,
}, () => {
  const port = new FakePort();
  const channel = new MessagePortChannel(port);
  const told = record(channel);
  const hostile = [
    undefined,
    null,
    "",
    "END",
    -1,
    0,
    NaN,
    {},
    [1, 2],
    new ArrayBuffer(8),
    new Uint8Array(),
    Uint8Array.of(0xff),
    new Uint8Array(66_609),
    bytes({ srv: "ping" }).subarray(0, 4),
  ];
  for (const message of hostile) port.tell("message", message);
  port.tell("messageerror", null);
  assert.equal(told.filter((line) => line.startsWith("drop ERR_PACKET_")).length, 15);
  port.tell("message", bytes({ srv: "ping" }));
  assert.deepEqual([told.length, told.at(-1), channel.isOpen], [16, "packet ping", true]);
  channel.close(new Error("over"));
});

test("MessagePortChannel takes packets that share their bytes with something else", {
  timeout: 10_000,
}, () => {
  const port = new FakePort();
  const channel = new MessagePortChannel(port);
  const packet = bytes({ srv: "s", data: Uint8Array.of(1, 2, 3) });
  const window = new Uint8Array(new SharedArrayBuffer(1_000), 500, packet.length);
  window.set(packet);
  let received: Packet | undefined;
  channel.onPacket = (packet) => received = packet;
  port.tell("message", window);
  window.fill(0);
  assert.deepEqual([...received!.data], [1, 2, 3]);
  assert(received!.data.buffer.byteLength < 100);
  channel.close(new Error("over"));
});

test("MessagePortChannel understands damaged encodings unless it is told not to", {
  timeout: 10_000,
}, () => {
  const damaged = bytes({ srv: "grüß" });
  damaged[2] = 4; // As JavaScript peers do it: the name's length in UTF-16 units.
  for (const [repair, srv] of [[true, "grüß"], [false, "grü"]] as const) {
    const port = new FakePort();
    const channel = new MessagePortChannel(port, { repair });
    const told = record(channel);
    port.tell("message", damaged);
    assert.deepEqual(told, [`packet ${srv}`]);
    channel.close(new Error("over"));
  }
});

test("MessagePortChannel posts no more than a window until it is acknowledged", {
  timeout: 10_000,
}, async () => {
  const port = new FakePort();
  const channel = new MessagePortChannel(port, { highWater: 4 * WINDOW });
  const packet = new Packet({ srv: "s", data: new Uint8Array(1_000) });
  const size = packet.toBinary().length;
  let sent = 0;
  while (channel.send(packet)) sent++;
  await turn();
  const perWindow = Math.ceil(WINDOW / size);
  assert.equal(port.posted.length, perWindow);
  assert.equal(channel.bufferedBytes, (sent - perWindow) * size);
  while (channel.send(packet)) sent++; // What is on its way does not count as queued.
  await turn();
  assert.equal(port.posted.length, perWindow);
  assert.equal(channel.send(packet), false);

  port.tell("message", 10 * size);
  assert.equal(port.posted.length, perWindow + 10);
  port.tell("message", Infinity); // A peer that lies about it only hurts itself.
  assert.equal(port.posted.length, 2 * perWindow + 10);
  const drained = channel.drained();
  while (channel.bufferedBytes > 0) port.tell("message", WINDOW);
  await drained;
  assert.equal(port.posted.length, sent);
  channel.close(new Error("over"));
});

test("MessagePortChannel acknowledges every half window that it takes, packets or not", {
  timeout: 10_000,
}, () => {
  const port = new FakePort();
  const channel = new MessagePortChannel(port);
  channel.onPacket = () => {};
  const packet = bytes({ srv: "s", data: new Uint8Array(10_000) });
  for (let i = 0; i < 3; i++) port.tell("message", packet);
  assert.deepEqual(port.posted, []);
  port.tell("message", new Uint8Array(10_000).fill(0xff));
  assert.deepEqual(port.posted, [3 * packet.length + 10_000]);
  port.tell("message", packet);
  assert.equal(port.posted.length, 1);
  channel.close(new Error("over"));
});

test("MessagePortChannel carries 40 MB through its window, both ways", {
  timeout: 60_000,
}, async () => {
  const { near, far } = pair();
  const total = 40 << 20;
  const all = async (from: MessagePortChannel, to: MessagePortChannel) => {
    let received = 0;
    let highest = 0;
    const done = new Promise<void>((resolve, reject) => {
      to.onPacket = ({ data, seq }) => {
        if (data.some((byte) => byte !== (seq & 0xff))) reject(new Error("a byte is wrong"));
        if ((received += data.length) >= total) resolve();
      };
    });
    const data = new Uint8Array(65_535); // Reused for every packet.
    for (let sent = 0, seq = 1; sent < total; seq = seq % 0xffff + 1) {
      const size = 1 + (seq * 7_919) % data.length;
      const packet = new Packet({ seq, data: data.subarray(0, size).fill(seq & 0xff) });
      while (!from.send(packet)) await from.drained();
      highest = Math.max(highest, from.bufferedBytes);
      sent += size;
    }
    await done;
    return highest;
  };
  for (const highest of await Promise.all([all(near, far), all(far, near)])) {
    assert(highest <= 1 << 20, `${highest} bytes were queued`);
  }
  near.close();
  assert.deepEqual([await near.closed, await far.closed], [undefined, undefined]);
});

test("MessagePortChannel answers the peer's end once its own queue is sent", {
  timeout: 10_000,
}, async () => {
  const port = new FakePort();
  const channel = new MessagePortChannel(port);
  const packet = new Packet({ srv: "s", data: new Uint8Array(60_000) });
  for (let i = 0; i < 4; i++) assert(channel.send(packet));
  await turn();
  port.tell("message", "end");
  assert.equal(channel.isOpen, false);
  assert.equal(port.posted.length, 2);
  port.tell("message", 2 * packet.toBinary().length);
  assert.equal(await channel.closed, undefined);
  const size = packet.toBinary().length;
  assert.deepEqual(port.words, [size, size, size, size, "end"]);
});

test("MessagePortChannel closes within a second though its peer never answers", {
  timeout: 10_000,
}, async () => {
  const port = new FakePort();
  mock.timers.enable({ apis: ["setTimeout"] });
  const channel = new MessagePortChannel(port);
  try {
    channel.close();
    mock.timers.tick(1_000);
  } finally {
    mock.timers.reset();
  }
  assert.equal((await channel.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
  assert.deepEqual([port.listening, port.posted], [0, ["end", "cut"]]);
});

test("MessagePortChannel closes when it is cut, when its port closes and when that throws", {
  timeout: 10_000,
}, async () => {
  const reasons = [
    [(port: FakePort) => port.tell("message", "cut"), "Cannot keep channel: the peer cut it"],
    [(port: FakePort) => port.tell("close"), "Cannot keep channel: the port was closed"],
    [(port: FakePort) => void (port.broken = new Error("it is detached")), "it is detached"],
  ] as const;
  for (const [happen, message] of reasons) {
    const port = new FakePort();
    const channel = new MessagePortChannel(port);
    happen(port);
    channel.send(new Packet({ srv: "ping" }));
    assert.equal((await channel.closed as Error).message, message);
    assert.equal(port.listening, 0);
    assert.equal(channel.send(new Packet({ srv: "ping" })), false);
  }
});

test("MessagePortChannel leaves nothing behind: 1,000 pairs come and go", {
  timeout: 60_000,
}, async () => {
  for (let i = 0; i < 1_000; i++) {
    const { near, far } = pair();
    const received = new Promise((resolve) => far.onPacket = resolve);
    near.send(new Packet({ srv: "ping" }));
    await received;
    if (i % 2) near.close();
    else far.close(new Error("cut"));
    await Promise.all([near.closed, far.closed]);
  }
  // A port that were still open would keep Node from ending, and so fail this file.
});
