/** `tcp+maln:` and `tls+maln:` URLs: several networks on one port. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { type Channel, ChannelError, Packet, Router, StreamChannel } from "../../mod.ts";
import { MalnLobby } from "../../src/runtime/maln.ts";
import {
  type ChannelTarget,
  connect,
  dial,
  type DialerEvent,
  listen,
  type UrlListener,
} from "../../src/runtime/net.ts";
import { encodeFrame, KissDecoder } from "../../src/wire/mod.ts";
import { testCertificate } from "../support/certificate.ts";
import { FakeDuplex } from "../support/channels.ts";
import { connectRaw, RawServer, type RawSocket } from "../support/raw_socket.ts";
import { ForeignChannel, rejection } from "../support/routers.ts";
import { concat, hex, toHex } from "../wire/hex.ts";

const timeout = 20_000;
const { cert, key, ca } = testCertificate;

/** Counts as UTF-8, not as characters. */
const LONGEST = "ü".repeat(127) + "x";

/** What a recording holds of a peer that we accept. */
interface Recording {
  steps: { dir: "in" | "out" | "note"; hex?: string; label?: string }[];
}

function recording<Kind = Recording>(name: string): Kind {
  const url = new URL(`../interop/transcripts/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8"));
}

/** All that a peer has sent, or been sent, in frames. */
function frames({ steps }: Recording, dir: "in" | "out"): Uint8Array[] {
  return steps.filter((step) => step.dir === dir).map((step) => hex(step.hex!));
}

/** The frame that names a network. */
function selection(network: string): Uint8Array {
  return encodeFrame(new Packet({ dst: network }).toBinary());
}

/** What a client is told that is sent away. */
function refusal(why: string): Uint8Array {
  return encodeFrame(new Packet({ net: 255, data: why }).toBinary());
}

/** The next frame that we send. */
async function nextFrame(socket: RawSocket): Promise<Uint8Array> {
  return Uint8Array.from(await socket.readTo("\xc0"), (char) => char.charCodeAt(0));
}

/** The next packet of the application that we send, as its frame. */
async function nextData(socket: RawSocket): Promise<Uint8Array> {
  for (;;) {
    const frame = await nextFrame(socket);
    const [packet] = new KissDecoder().push(frame);
    if (Packet.fromBinary(packet!).net === 0) return frame;
  }
}

/** Listens to one network, `home`, and resolves to the next channel in it. */
async function listenHome(): Promise<{ listener: UrlListener; next: () => Promise<Channel> }> {
  let joined: (channel: Channel) => void = () => {};
  const networks = { home: (channel: Channel) => joined(channel) };
  const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
  return { listener, next: () => new Promise((resolve) => joined = resolve) };
}

for (const url of ["tcp+maln://127.0.0.1:0", "tls+maln://localhost:0/"]) {
  for (const kind of ["Map", "record"]) {
    test(`listen("${url}") keeps the networks of a ${kind} apart, and connect() finds each`, {
      timeout,
    }, async () => {
      const names = ["home", "grüße aus/Köln", LONGEST, "__proto__"];
      const routers = names.map((name) => {
        const router = new Router("hub"); // They may all have one address.
        router.registerService(`in ${name.slice(0, 9)}`, (_packet, reply) => void reply(name));
        return router;
      });
      const pairs = names.map((name, i): [string, ChannelTarget] => [name, routers[i]!]);
      const networks = kind === "Map" ? new Map(pairs) : Object.fromEntries(pairs);
      const listener = await listen(url, { networks }, { cert, key });
      assert.match(listener.url, /^t(cp|ls)\+maln:\/\/(127\.0\.0\.1|localhost):\d+\/?$/);
      for (const name of names) {
        const client = new Router("client");
        for (const path of [encodeURIComponent(name), `${name}/`]) {
          const channel = await connect(`${listener.url}/${path}`, { ca: [ca] });
          client.addChannel(channel);
        }
        const service = `in ${name.slice(0, 9)}`;
        await client.waitForService(service);
        assert.equal((await client.request(service)).text(), name);
        assert.deepEqual(client.services().map(({ service }) => service), [service]);
        await client.close();
      }
      await listener.close();
      await listener.close();
      await Promise.all(routers.map((router) => router.close()));
    });
  }
}

test("connect() names the network first, in the very bytes of the recorded peers", {
  timeout,
}, async () => {
  const server = await RawServer.listen();
  const [expected] = frames(recording("node_maln_client"), "in");
  const network = "6b404c2d-50d1-4007-94af-1b157c64e4e3";
  const channel = await connect(`tcp+maln://127.0.0.1:${server.address.port}/${network}`);
  channel.send(new Packet({ net: 3 }));
  const peer = await server.accept();
  assert.equal(toHex(await nextFrame(peer)), toHex(expected!));
  assert.equal(toHex(await nextFrame(peer)), "340003c0");
  await peer.end();
  channel.close();
  assert.equal(await channel.closed, undefined);
  await server.close();
});

/** A stream, cut in two ways. */
const CUTS: [string, (bytes: Uint8Array) => Uint8Array[]][] = [
  ["all at once", (bytes) => [bytes]],
  ["byte by byte", (bytes) => [...bytes].map((byte) => Uint8Array.of(byte))],
];
for (const [how, cut] of CUTS) {
  test(`listen() loses nothing that follows the network's name, sent ${how}`, {
    timeout,
  }, async () => {
    const { listener, next } = await listenHome();
    for (const name of ["home", "/home", "//home/"]) {
      const joined = next();
      const socket = await connectRaw(listener.address.port);
      const texts = ["one", "two", "three"];
      const packets = texts.map((data) => encodeFrame(new Packet({ srv: "s", data }).toBinary()));
      for (const chunk of cut(concat(selection(name), ...packets))) await socket.write(chunk);
      const channel = await joined;
      const heard: string[] = [];
      await new Promise<void>((resolve) => {
        channel.onPacket = (packet) => {
          heard.push(packet.text());
          if (heard.length === texts.length) resolve();
        };
      });
      assert.deepEqual(heard, texts);
      channel.close();
      await socket.close();
    }
    await listener.close();
  });

  test(`listen() gives the recorded Node client its network, and both call, sent ${how}`, {
    timeout,
  }, async () => {
    const peer = recording("node_maln_client");
    const [choice, query, route, service, , request, reply] = frames(peer, "in");
    const [, , , , call, pong] = frames(peer, "out");
    const context = 4_661; // In the recording of that call.
    const router = new Router("lab-host", { random: () => (context - 0.5) / 65_535 });
    router.registerService("ping", (_packet, answer) => void answer("pong"));
    const networks = { "6b404c2d-50d1-4007-94af-1b157c64e4e3": router };
    const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
    const socket = await connectRaw(listener.address.port);
    for (const chunk of cut(concat(choice!, query!, route!, service!))) await socket.write(chunk);
    while (router.serviceAddresses("ping").length < 2) {
      await new Promise((resolve) => router.addEventListener("service", resolve, { once: true }));
    }
    const client = "nodejs-client-dve2d";
    const answered = router.request("ping", "hello", { dst: client });
    assert.equal(toHex(await nextData(socket)), toHex(call!));
    await socket.write(reply!);
    assert.equal((await answered).text(), "pong");
    await socket.write(request!);
    assert.equal(toHex(await nextData(socket)), toHex(pong!));
    await socket.close();
    await listener.close();
    await router.close();
  });

  test(`listen() takes the recorded Python edge's first line, sent ${how}`, {
    timeout,
  }, async () => {
    const sent = frames(recording("python_ip_edge_node_maln"), "in");
    const router = new Router("hub");
    const lines: string[] = [];
    const logged = new Promise<void>((resolve) => {
      router.registerService("log", (packet) => {
        lines.push(`${packet.src}: ${packet.text()}`);
        if (lines.length === sent.length - 1) resolve();
      });
    });
    const networks = { "6b404c2d-50d1-4007-94af-1b157c64e4e3": router };
    const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
    const socket = await connectRaw(listener.address.port);
    for (const chunk of cut(concat(...sent))) await socket.write(chunk);
    await logged;
    assert.deepEqual(
      lines,
      ["34", "35", "36", "37"].map((second) => `time logger example: 01:53:${second} PM`),
    );
    await socket.close();
    await listener.close();
    await router.close();
  });
}

test("listen() gives the recorded Python logger, found by its beacon, its network", {
  timeout,
}, async () => {
  const { logger_client: [, client] } = recording<{ logger_client: Recording[] }>(
    "python_udp_beacon",
  );
  const router = new Router("hub");
  const networks = { "6b404c2d-50d1-4007-94af-1b157c64e4e3": router };
  const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
  const socket = await connectRaw(listener.address.port);
  await socket.write(concat(...frames(client!, "in")));
  assert.equal(await router.waitForService("log"), "python-logger-01");
  await socket.close();
  await listener.close();
  await router.close();
});

for (const name of ["nowhere", "homer", "constructor", "toString", "hasOwnProperty", "Home"]) {
  test(`listen() tells a client that there is no network "${name}", and closes`, {
    timeout,
  }, async () => {
    const { listener } = await listenHome();
    const why = `there is no network "${name}" here`;
    const socket = await connectRaw(listener.address.port);
    await socket.write(selection(`/${name}`));
    assert.deepEqual(await socket.readAll(), refusal(why));
    await socket.close();

    const channel = await connect(`${listener.url}/${name}`);
    let heard = 0;
    channel.onPacket = () => heard++;
    assert.deepEqual(
      await channel.closed,
      new ChannelError("ERR_CHANNEL_PEER", `Cannot join network "${name}": ${why}`),
    );
    assert.deepEqual([heard, channel.isOpen], [0, false]);
    await listener.close();
  });
}

const NOT_ONES: [string, Packet][] = [
  ["a query, as of a client that knows of no networks", new Packet({ net: 3 })],
  ["a query with a name", new Packet({ dst: "home", net: 3 })],
  ["a packet for a service", new Packet({ dst: "home", srv: "ping" })],
  ["a packet with data", new Packet({ dst: "home", data: "x" })],
  ["a packet with a source", new Packet({ dst: "home", src: "me" })],
  ["a packet with a next hop", new Packet({ dst: "home", nxt: "home" })],
  ["a packet with a context", new Packet({ dst: "home", ctx: 1 })],
  ["a packet with a sequence number", new Packet({ dst: "home", seq: 1 })],
  ["a packet with an acknowledgement", new Packet({ dst: "home", ack: 1 })],
  ["a packet with a data type", new Packet({ dst: "home", typ: 1 })],
  ["a packet without a field", new Packet()],
];
for (const [what, packet] of NOT_ONES) {
  test(`listen() refuses ${what} in place of a network's name`, { timeout }, async () => {
    const { listener } = await listenHome();
    const socket = await connectRaw(listener.address.port);
    const why = "no network was named by the first packet, in dst and without other fields";
    await socket.write(concat(encodeFrame(packet.toBinary()), selection("home")));
    assert.deepEqual(await socket.readAll(), refusal(why));
    await socket.close();
    await listener.close();
  });
}

test("listen() looks networks up when a client comes, and dial() tries until there is one", {
  timeout,
}, async () => {
  const networks = new Map<string, ChannelTarget>();
  const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
  const client = new Router("client");
  const dialer = dial(client, `${listener.url}/home`, { minDelay: 1, maxDelay: 5 });
  const refused = new Promise<DialerEvent>((resolve) => {
    dialer.addEventListener("status", (event) => void (event.error && resolve(event)));
  });
  const { state, error } = await refused;
  assert.deepEqual([state, (error as ChannelError).code], ["waiting", "ERR_CHANNEL_PEER"]);

  const home = new Router("hub");
  home.registerService("ping", (_packet, reply) => void reply("pong"));
  networks.set("home", home);
  await client.waitForService("ping");
  networks.delete("home"); // Who is in stays in.
  assert.equal((await client.request("ping")).text(), "pong");
  const late = await connect(`${listener.url}/home`);
  assert.equal((await late.closed as ChannelError).code, "ERR_CHANNEL_PEER");
  assert.equal(dialer.state, "connected");
  await client.close();
  await home.close();
  await listener.close();
});

test("UrlListener.close() sends those away that have named no network, and no others", {
  timeout,
}, async () => {
  const { listener, next } = await listenHome();
  const joined = next();
  const inside = await connect(`${listener.url}/home`);
  const channel = await joined;
  const outside = await connectRaw(listener.address.port);
  await outside.write(selection("home").subarray(0, 3));
  const second = next();
  const marker = await connect(`${listener.url}/home`); // Accepted after the one that waits.
  (await second).close();
  marker.close();
  await listener.close();
  assert.deepEqual(await outside.readAll(), new Uint8Array());
  await outside.close();
  const heard = new Promise<Packet>((resolve) => channel.onPacket = resolve);
  inside.send(new Packet({ srv: "s", data: "still here" }));
  assert.equal((await heard).text(), "still here");
  inside.close();
  channel.close();
  await inside.closed;
});

test("StreamChannel passes errors on that are not the first that the peer says", {
  timeout,
}, async () => {
  const { listener, next } = await listenHome();
  const joined = next();
  const near = await connect(`${listener.url}/home`);
  const far = await joined;
  far.send(new Packet({ net: 3 }));
  far.send(new Packet({ net: 255, data: "no such service" }));
  const nets: number[] = [];
  await new Promise<void>((resolve) => {
    near.onPacket = (packet) => void (nets.push(packet.net) === 2 && resolve());
  });
  assert.deepEqual([nets, near.isOpen], [[3, 255], true]);
  near.close();
  far.close();
  await near.closed;
  await listener.close();
});

// ── the wait has an end, and the queue too ──────────────────────────────────

/** A lobby in front of one network. */
function lobby() {
  const joined: Channel[] = [];
  const join = (channel: Channel) => void joined.push(channel);
  return { joined, lobby: new MalnLobby((name) => name === "home" ? join : undefined) };
}

test("MalnLobby tells a client after ten seconds that it has named no network", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { lobby: waiting, joined } = lobby();
    const [quick, slow] = [new ForeignChannel(), new ForeignChannel()];
    waiting.enter(quick);
    waiting.enter(slow);
    mock.timers.tick(9_999);
    quick.onPacket!(new Packet({ dst: "home" }));
    assert.deepEqual([joined, waiting.size, slow.sent], [[quick], 1, []]);
    mock.timers.tick(1);
    assert.deepEqual(slow.sent.map(({ net, text }, i) => [net, text.call(slow.sent[i])]), [
      [255, "no network was named in time"],
    ]);
    assert.deepEqual([slow.closes, quick.closes, waiting.size], [[undefined], [], 0]);
    mock.timers.tick(60_000);
    assert.deepEqual([slow.closes.length, quick.closes.length], [1, 0]);
  } finally {
    mock.timers.reset();
  }
});

test("MalnLobby holds 256 channels, and the one that waits longest makes room", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { lobby: waiting, joined } = lobby();
    const channels = Array.from({ length: 258 }, () => new ForeignChannel());
    for (const channel of channels) waiting.enter(channel);
    assert.equal(waiting.size, 256);
    const why = "Cannot keep channel: too many others have not named a network either";
    const full = new ChannelError("ERR_CHANNEL_FULL", why);
    assert.deepEqual(channels.map(({ closes }) => closes).slice(0, 3), [[full], [full], []]);
    for (const channel of channels.slice(2)) channel.onPacket!(new Packet({ dst: "home" }));
    assert.deepEqual([joined.length, waiting.size], [256, 0]);
    mock.timers.tick(60_000);
    assert(channels.slice(2).every(({ closes }) => closes.length === 0));
  } finally {
    mock.timers.reset();
  }
});

test("MalnLobby keeps the place of a channel that is sent away until it has closed", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { lobby: waiting } = lobby();
    const channel = new ForeignChannel();
    channel.tells = false;
    waiting.enter(channel);
    channel.onPacket!(new Packet({ dst: "nowhere" }));
    mock.timers.tick(60_000); // It is told once.
    assert.deepEqual([waiting.size, channel.closes, channel.onPacket], [1, [undefined], null]);
    assert.equal(channel.sent.length, 1);
    channel.onClose!();
    assert.equal(waiting.size, 0);
  } finally {
    mock.timers.reset();
  }
});

test("MalnLobby.close() closes who waits, and who comes later", () => {
  const { lobby: waiting, joined } = lobby();
  const [early, late] = [new ForeignChannel(), new ForeignChannel()];
  waiting.enter(early);
  waiting.close();
  waiting.enter(late);
  assert.deepEqual([early.closes, late.closes, waiting.size], [[undefined], [undefined], 0]);
  assert.deepEqual([early.onPacket, late.onPacket, joined], [null, null, []]);
});

// ── what cannot be ──────────────────────────────────────────────────────────

const BAD_PATHS: [path: string, message: string][] = [
  ["", "it names no network"],
  ["/", "it names no network"],
  ["//", "it names no network"],
  ["/%ff", "its path is not UTF-8"],
  ["/50%25%", "its path is not UTF-8"],
  [`/${"x".repeat(256)}`, "its network takes 256 bytes, more than 255"],
  [`/x${"%C3%BC".repeat(128)}`, "its network takes 257 bytes, more than 255"],
];
for (const [path, message] of BAD_PATHS) {
  test(`connect() throws a TypeError for "tcp+maln://localhost:1${path.slice(0, 9)}": ${message}`, {
    timeout,
  }, async () => {
    const url = `tcp+maln://localhost:1${path}`;
    const error = await rejection(connect(url)) as Error;
    const expected = `Cannot use ${url}: ${message}`;
    assert.deepEqual([error instanceof TypeError, error.message], [true, expected]);

    const router = new Router("client");
    const dialer = dial(router, url);
    assert.equal((await dialer.closed as Error).message, expected); // Another attempt is no use.
    await router.close();
  });
}

test("listen() throws a TypeError if URL and target do not go together", {
  timeout,
}, async () => {
  const networks = { home: () => {} };
  const none = "it needs networks, each with a target";
  const cases: [string, Parameters<typeof listen>[1], string][] = [
    ["tcp+maln://127.0.0.1:0", () => {}, none],
    ["tls+maln://127.0.0.1:0", new Router("a"), none],
    ["tcp+aln://127.0.0.1:0", { networks }, "networks need a tcp+maln: or tls+maln: URL"],
    ["ws://127.0.0.1:0/", { networks }, "networks need a tcp+maln: or tls+maln: URL"],
    ["tcp+maln://127.0.0.1:0/home", { networks }, "its networks are not named by a path"],
  ];
  for (const [url, target, why] of cases) {
    const error = await rejection(listen(url, target, { cert, key })) as Error;
    assert.deepEqual([error instanceof TypeError, error.message], [
      true,
      `Cannot listen on ${url}: ${why}`,
    ]);
  }
});

test("StreamChannel names its network before anything else, whatever is sent at once", {
  timeout,
}, async () => {
  const duplex = new FakeDuplex();
  const channel = new StreamChannel(duplex, { network: "home" });
  channel.send(new Packet({ net: 3 }));
  await channel.drained();
  const query = encodeFrame(new Packet({ net: 3 }).toBinary());
  assert.deepEqual(concat(...duplex.written), concat(selection("home"), query));
  channel.close(new Error("enough"));
});

test("new StreamChannel() throws for a network's name that does not fit, and takes no stream", () => {
  for (const network of ["", "x".repeat(256)]) {
    const duplex = new TransformStream<Uint8Array, Uint8Array>();
    assert.throws(() => new StreamChannel(duplex, { network }), {
      name: "PacketError",
      code: "ERR_PACKET_FIELD",
    });
    assert.deepEqual([duplex.readable.locked, duplex.writable.locked], [false, false]);
  }
});
