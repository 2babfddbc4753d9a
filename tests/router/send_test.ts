import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type PacketInit, Router } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { chain, ForeignChannel, record } from "../support/routers.ts";

/** Sends what TypeScript would not let through. */
function sendAnything(router: Router, init: unknown): string | null {
  return router.send(init as PacketInit);
}

test("Router.send() answers null when the packet is on its way", { timeout: 10_000 }, async () => {
  const { routers: [a, , c], clock } = await chain(["a", "b", "c"]);
  const received = new Promise<Packet>((resolve) => {
    c.registerService("note", (packet) => resolve(packet));
  });
  await clock.rest();
  assert.equal(
    a.send({ dst: "c", srv: "note", ctx: 9, typ: 3, seq: 7, ack: 8, data: "hi" }),
    null,
  );
  assert.deepEqual(
    (await received).toJson(),
    new Packet({
      src: "a",
      dst: "c",
      nxt: "c",
      srv: "note",
      ctx: 9,
      typ: 3,
      seq: 7,
      ack: 8,
      data: "hi",
    }).toJson(),
  );
});

test("Router.send() answers with a stable code and words when it cannot", () => {
  const router = new Router("a", { clock: new ManualClock() });
  assert.deepEqual(
    [
      router.send({ dst: "b", srv: "ping" }),
      router.send({ srv: "ping" }),
      router.send({}),
      router.send({ net: 1, dst: "b" }),
      router.send({ dst: "b", ctx: 70_000 }),
    ],
    [
      'ERR_NO_ROUTE: Cannot send packet: no route leads to "b"',
      'ERR_NO_SERVICE: Cannot send packet: nobody offers "ping"',
      "ERR_PACKET_FIELD: Cannot send packet: it has neither dst nor srv",
      "ERR_PACKET_FIELD: Cannot send packet: net is between routers",
      "ERR_PACKET_FIELD: Cannot accept ctx: 70000 is not an integer in 0-65535",
    ],
  );
});

test("Router.send() leaves the caller's packet alone, and does not keep it", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const received: string[] = [];
  for (const router of [a, b]) {
    router.registerService("note", (packet) => {
      received.push(`${router.address}: ${packet.text()}`);
      packet.data.fill(0x7a); // A handler may do with its packet what it likes.
      packet.srv = "mine";
    });
  }
  await clock.rest();
  const packet = new Packet({ srv: "note", data: "xyz" });
  const before = packet.toJson();
  assert.equal(a.send(packet), null);
  assert.equal(packet.toJson(), before);
  packet.data.fill(0x71);
  await clock.rest();
  assert.deepEqual(received, ["a: xyz", "b: xyz"]);
});

test("Router.send() keeps a src that the caller has set, and else sets its own", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const sources: string[] = [];
  b.registerService("note", (packet) => void sources.push(packet.src));
  await clock.rest();
  a.send({ dst: "b", srv: "note" });
  a.send({ dst: "b", srv: "note", src: "sensor" });
  await clock.rest();
  assert.deepEqual(sources, ["a", "sensor"]);
});

test("Router.send() without dst reaches every instance once, the local one first", {
  timeout: 10_000,
}, async () => {
  const { routers, clock } = await chain(["a", "b", "c", "d"]);
  const heard: string[] = [];
  for (const router of routers) {
    router.registerService("note", (packet) => {
      heard.push(`${router.address} from ${packet.src} to ${packet.dst}: ${packet.text()}`);
    });
  }
  await clock.rest();
  assert.equal(routers[1].send({ srv: "note", data: "morning" }), null);
  assert.deepEqual(heard, ["b from b to b: morning"]);
  await clock.rest();
  assert.deepEqual([heard[0], ...heard.slice(1).sort()], [
    "b from b to b: morning",
    "a from b to a: morning",
    "c from b to c: morning",
    "d from b to d: morning",
  ]);
});

test("Router.send() to many tells what did not get through as drop events", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const jammed = new ForeignChannel();
  a.addChannel(jammed);
  jammed.onPacket!(new Packet({ net: 1, src: "x", data: Uint8Array.of(1, 120, 0, 1) }));
  jammed.onPacket!(
    new Packet({ net: 2, data: Uint8Array.of(1, 120, 4, 110, 111, 116, 101, 0, 1) }),
  );
  let heard = "";
  b.registerService("note", (packet) => void (heard = packet.text()));
  await clock.rest();
  assert.deepEqual(a.serviceAddresses("note").sort(), ["b", "x"]);
  jammed.answer = () => false;
  const told = record(a);
  assert.equal(a.send({ srv: "note", data: "hello" }), null);
  await clock.rest();
  assert.deepEqual([heard, told], ["hello", ["drop ERR_CHANNEL_FULL: hello"]]);
});

test("Router.send() says so when the only channel is full", { timeout: 10_000 }, async () => {
  const { routers: [a], links: [[here]] } = await chain(["a", "b"]);
  const told = record(a);
  const data = new Uint8Array(60_000);
  let failure: string | null = null;
  for (let sent = 0; failure === null && sent < 100; sent++) failure = a.send({ dst: "b", data });
  assert.equal(failure, "ERR_CHANNEL_FULL: Cannot send packet: the channel's queue is full");
  assert.deepEqual(told, []);
  await here.drained();
  assert.equal(a.send({ dst: "b", data }), null);
});

test("Router.send() never throws, whatever it is given", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  let delivered = 0;
  b.registerService("note", () => void delivered++);
  await clock.rest();

  const hostile: unknown[] = [
    undefined,
    null,
    0,
    1n,
    NaN,
    "",
    "note",
    true,
    Symbol("s"),
    () => {},
    [],
    new Date(),
    new Map(),
    Object.create(null),
    new Proxy({}, {
      get() {
        throw new Error("no");
      },
    }),
    new Proxy(new Packet({ dst: "b", srv: "note" }), {}),
    new Proxy({}, {
      getPrototypeOf() {
        throw null;
      },
    }),
    new Uint8Array(0),
    new Uint8Array([0xff, 0xff, 0xff]),
  ];
  const values: unknown[] = [
    Symbol("s"),
    -1,
    1.5,
    NaN,
    Infinity,
    1n,
    2 ** 53,
    {},
    [],
    () => {},
    true,
    new Date(NaN),
    "x".repeat(256),
    "東".repeat(86),
    { toString: () => "b", valueOf: () => 1 },
    {
      toString() {
        throw new Error("no");
      },
    },
  ];
  const keys = ["net", "srv", "src", "dst", "nxt", "seq", "ack", "ctx", "typ", "data"];
  const good = { dst: "b", srv: "note" };
  for (const key of keys) for (const value of values) hostile.push({ ...good, [key]: value });
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  hostile.push(
    { ...good, data: new Uint8Array(65_536) },
    { ...good, data: new Uint8Array(1 << 24) },
    { ...good, data: "ü".repeat(40_000) },
    { ...good, data: new DataView(new ArrayBuffer(1)) },
    { ...good, data: new Float64Array(2) },
    { ...good, data: detached },
    { ...good, data: null },
    { ...good, data: [1, 2, 3] },
  );
  // What a getter throws need not be an error, nor an error's members what they should be.
  const thrown: unknown[] = [
    new Error("no"),
    null,
    undefined,
    "text",
    7,
    Symbol("s"),
    Object.create(null),
    Object.assign(new Error("no"), { code: 42 }),
    Object.assign(new Error("no"), { code: "ENOENT" }),
    Object.assign(new Error("no"), { code: Symbol("s") }),
    Object.defineProperty(new Error("no"), "message", {
      get() {
        throw new Error("again");
      },
    }),
  ];
  for (const reason of thrown) {
    for (const key of ["dst", "data"]) {
      hostile.push(Object.defineProperty({ srv: "note" }, key, {
        enumerable: true,
        get() {
          throw reason;
        },
      }));
    }
  }
  assert(hostile.length >= 200, `only ${hostile.length} kinds`);

  for (const [i, init] of hostile.entries()) {
    const result = sendAnything(a, init);
    const wellFormed = result === null ||
      /^ERR_(PACKET_(FIELD|TRUNCATED|CRC|FRAME)|NO_ROUTE|NO_SERVICE): Cannot .+/s.test(result) ||
      /^ERR_PACKET_FIELD: /.test(result);
    assert(wellFormed, `case ${i}: ${String(result)}`);
  }
  await clock.rest();
  const before = delivered;
  assert.equal(a.send(good), null);
  await clock.rest();
  assert.equal(delivered, before + 1, "a good packet still arrives");
});

test("Router.send() says that the router is closed", { timeout: 10_000 }, async () => {
  const { routers: [a] } = await chain(["a", "b"]);
  const closed = a.close();
  const failure = "ERR_CHANNEL_CLOSED: Cannot go on: the router is closed";
  assert.deepEqual([a.send({ dst: "b" }), a.send({})], [failure, failure]);
  await closed;
  assert.equal(a.send({ dst: "b" }), failure);
});

test("new Router() refuses an address that does not fit", () => {
  const refuse = (address: unknown) =>
    assert.throws(() => new Router(address as string), {
      name: "PacketError",
      code: "ERR_PACKET_FIELD",
    });
  for (const address of ["", "x".repeat(256), "東".repeat(86), 7, null, undefined, Symbol("s")]) {
    refuse(address);
  }
  assert.equal(new Router("東".repeat(85)).address, "東".repeat(85));
});
