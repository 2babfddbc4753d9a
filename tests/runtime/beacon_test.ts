/** Beacons over UDP: `announce()`, `discover()`, and what both make of a text. On loopback alone. */

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { type Beacon, type BeaconInterface, ownInterfaces } from "../../src/runtime/beacon.ts";
import { BeaconTable } from "../../src/runtime/beacon_table.ts";
import { beaconText, readBeacon } from "../../src/runtime/beacon_text.ts";
import { announce, discover } from "../../src/runtime/net.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { freeUdpPort } from "../support/free_ports.ts";
import { CountingController, failureCode, rejection } from "../support/routers.ts";
import { name as runtime } from "../support/runtime.ts";
import { runScript } from "../support/script.ts";
import { hex } from "../wire/hex.ts";

const timeout = 20_000;

const LOCAL = "127.0.0.1";
const LAN = "192.0.2.7";
const encoder = new TextEncoder();

/** What the recorded Python peers sent, and were sent. */
const recorded: {
  advert_datagrams_from_ip_bcast_host: { from: string; hex: string; text: string }[];
  logger_client: { advert: string }[];
} = JSON.parse(
  readFileSync(
    new URL("../interop/transcripts/python_udp_beacon.json", import.meta.url),
    "utf8",
  ),
);

/** A socket that hears beacons, as those of other peers do, and sends them. */
class Peer {
  readonly #socket: Socket;
  readonly #heard: string[] = [];
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (datagram) => {
      this.#heard.push(datagram.toString());
      this.#wake();
    });
  }

  /** Opens one, on a port of its own unless it is to share it. */
  static open(
    port: number = 0,
    { address = LOCAL, reuseAddr = false }: { address?: string; reuseAddr?: boolean } = {},
  ): Promise<Peer> {
    return new Promise((resolve, reject) => {
      const socket = createSocket({ type: "udp4", reuseAddr });
      socket.once("error", reject);
      socket.bind({ port, address }, () => resolve(new Peer(socket)));
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** How many have come and were not taken. */
  get waiting(): number {
    return this.#heard.length;
  }

  /** The next beacon. */
  async next(): Promise<string> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#heard.shift()!;
  }

  /** Sends datagrams, one after another. */
  async send(port: number, ...datagrams: (string | Uint8Array)[]): Promise<void> {
    for (const datagram of datagrams) {
      await new Promise<void>((resolve, reject) => {
        const done = (error: Error | null) => error ? reject(error) : resolve();
        this.#socket.send(datagram, port, LOCAL, done);
      });
    }
  }

  broadcast(port: number, text: string): Promise<void> {
    this.#socket.setBroadcast(true);
    return new Promise((resolve, reject) => {
      const done = (error: Error | null) => error ? reject(error) : resolve();
      this.#socket.send(text, port, "127.255.255.255", done);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => void this.#socket.close(() => resolve()));
  }
}

/** One interface that leads to this machine alone, whatever our address is said to be there. */
function loopback(address: string = LOCAL): BeaconInterface {
  return { address, broadcast: LOCAL };
}

/** Takes the next URL. */
async function take(urls: AsyncGenerator<string, void, void>): Promise<string | undefined> {
  const { value } = await urls.next();
  return value ?? undefined;
}

/** Sends a beacon until it is heard: whoever is to hear it may not listen yet. */
async function sendUntil(
  peer: Peer,
  port: number,
  text: string,
  heard: Promise<unknown>,
): Promise<void> {
  let isHeard = false;
  const done = () => void (isHeard = true);
  heard.then(done, done);
  for (let pause = 1; !isHeard; pause++) {
    await peer.send(port, text);
    await new Promise((resolve) => setTimeout(resolve, pause)); // It has more and more time for it.
  }
}

// ── the text ────────────────────────────────────────────────────────────────

const TEXTS: [url: string, onLan: string | null, onLoopback: string | null][] = [
  ["tcp+aln://0.0.0.0:8081", "tcp+aln://192.0.2.7:8081", "tcp+aln://127.0.0.1:8081"],
  ["tls+aln://[::]:1", "tls+aln://192.0.2.7:1", "tls+aln://127.0.0.1:1"],
  [
    "tcp+maln://0.0.0.0:32767/home",
    "tcp+maln://192.0.2.7:32767/home",
    "tcp+maln://127.0.0.1:32767/home",
  ],
  ["tls+maln://hub.local:9/grüße/", ...twice("tls+maln://hub.local:9/gr%C3%BC%C3%9Fe")],
  ["tcp+aln://198.51.100.1:8081", ...twice("tcp+aln://198.51.100.1:8081")],
  ["tcp+aln://Kitchen:8081/", ...twice("tcp+aln://kitchen:8081")],
  ["tcp+aln://127.0.0.1:8081", null, "tcp+aln://127.0.0.1:8081"],
  ["tcp+aln://localhost:8081", null, "tcp+aln://localhost:8081"],
];
function twice(text: string): [string, string] {
  return [text, text];
}
for (const [url, onLan, onLoopback] of TEXTS) {
  test(`announce("${url}") says what every peer can read`, () => {
    const textFor = beaconText(new URL(url));
    const texts = [textFor(LAN, "192.0.2.255"), textFor(LOCAL, "127.255.255.255")];
    assert.deepEqual(texts, [onLan, onLoopback]);
    for (const text of texts) {
      if (text === null) continue;
      assert(text.length <= 254);
      assert.equal(readBeacon(encoder.encode(text), LOCAL), text);
    }
  });
}

const UNSPOKEN: [url: string, why: string | RegExp][] = [
  ["hub:8081", /^Cannot use hub:8081: it begins with none of /],
  ["tcp+aln://hub", /it names no port$/],
  ["tcp+maln://hub:1", /it names no network$/],
  ["tcp+maln://hub:1/%ff", /its path is not UTF-8$/],
  ["ws://hub:8080/", "peers know beacons for TCP and TLS alone"],
  ["wss://hub:8080/", "peers know beacons for TCP and TLS alone"],
  ["tcp+aln://hub:0", "port 0 is none"],
  ["tcp+aln://hub:32768", "peers read no port above 32767"],
  ["tcp+maln://0.0.0.0:65535/x", "peers read no port above 32767"],
  ["tcp+aln://hub:1/x", "it has a path"],
  ["tcp+maln://hub:1/x/y", "its network has a slash in it"],
  ["tcp+maln://hub:1/x%2Fy", "its network has a slash in it"],
  ["tcp+aln://hub:1?x", "it has more than a scheme, host, port and network"],
  ["tcp+aln://hub:1#x", "it has more than a scheme, host, port and network"],
  ["tcp+aln://me@hub:1", "it has more than a scheme, host, port and network"],
  ["tcp+aln://:pass@hub:1", "it has more than a scheme, host, port and network"],
  ...["[::1]", "[fe80::1]", "h%C3%BCb", "127.1", "1.2.3.400"].map((host): [string, string] => [
    `tcp+aln://${host}:1`,
    "its host is neither a name nor an IPv4 address, and peers read nothing else",
  ]),
  [`tcp+maln://0.0.0.0:1/${"x".repeat(226)}`, "it takes more than 254 bytes"],
  [`tcp+maln://hub:12345/${"x".repeat(234)}`, "it takes more than 254 bytes"],
];
for (const [url, why] of UNSPOKEN) {
  test(`announce("${url.slice(0, 30)}") throws, for no peer could read it: ${why}`, {
    timeout,
  }, async () => {
    const error = await rejection(announce(url, { interfaces: () => [] })) as Error;
    assert(error instanceof TypeError || error instanceof RangeError, `${error}`);
    if (typeof why === "string") assert.equal(error.message, `Cannot announce ${url}: ${why}`);
    else assert.match(error.message, why);
    assert.equal(error instanceof RangeError, /32767|254/.test(error.message));
  });
}

test("announce() takes URLs of exactly as many bytes as peers have room for", () => {
  for (const [url, size] of [["tcp+maln://0.0.0.0:1/", 225], ["tcp+maln://hub:12345/", 233]]) {
    const text = beaconText(`${url}${"x".repeat(size as number)}`)("255.255.255.255", LAN)!;
    assert.equal(text.length, 254);
    assert.equal(readBeacon(encoder.encode(text), LAN), text);
  }
});

test("announce() says in the very bytes of the recorded peers what they said", () => {
  for (const { hex: digits, text, from } of recorded.advert_datagrams_from_ip_bcast_host) {
    const datagram = hex(digits);
    assert.equal(readBeacon(datagram, from), text);
    assert.deepEqual(encoder.encode(beaconText(text)(LOCAL, LOCAL)!), datagram);
  }
  for (const { advert } of recorded.logger_client) { // Which a Python peer has followed.
    assert.equal(beaconText(advert)(LOCAL, LOCAL), advert);
    assert.equal(beaconText(advert.replace(LOCAL, "0.0.0.0"))(LOCAL, LOCAL), advert);
  }
});

const DIALECTS: [what: string, datagram: string, url: string][] = [
  ["of Qt, cut at the zero", "tcp+aln://192.0.2.7:8081\0\0old", "tcp+aln://192.0.2.7:8081"],
  ["of Java, with a name", "tcp+aln:/hub.lan/192.0.2.7:8081", "tcp+aln://192.0.2.7:8081"],
  ["of Java, without one", "tcp+aln://192.0.2.7:8081", "tcp+aln://192.0.2.7:8081"],
  ["with a line break", "tls+aln://hub:8081\r\n", "tls+aln://hub:8081"],
  ["with a slash at its end", "tcp+aln://hub:8081/", "tcp+aln://hub:8081"],
  ["in capitals", "tcp+aln://HUB:8081", "tcp+aln://hub:8081"],
  ["with a high port", "tcp+aln://hub:65535", "tcp+aln://hub:65535"],
  ["with a network", "tls+maln://hub:1/home", "tls+maln://hub:1/home"],
  ["with a name in UTF-8", "tcp+maln://hub:1/grün", "tcp+maln://hub:1/gr%C3%BCn"],
];
for (const [what, datagram, url] of DIALECTS) {
  test(`discover() reads a beacon ${what}`, () => {
    assert.equal(readBeacon(encoder.encode(datagram), LAN), url);
  });
}

const HOSTILE: (string | Uint8Array)[] = [
  ...["", " ", "\0", "hello", "{}", "tcp+aln", "tcp+aln://", "tcp+aln://hub", "tcp+aln://hub:"],
  ...["tcp+aln://:8081", "tcp+aln://hub:0", "tcp+aln://hub:65536", "tcp+aln://hub:999999"],
  ...["tcp+aln://hub:-1", "tcp+aln://hub:x", "tcp+aln://hub:1:2", "tcp+aln://hub:1?x#y"],
  ...["tcp+aln://a@hub:1", "tcp+aln://h b:1", "tcp+aln://h\x1b[31m:1", "xtcp+aln://hub:1"],
  ...["http://hub:80", "ws://hub:80", "javascript:alert(1)", "file:///etc/passwd", "tcp://hub:1"],
  ...["tcp+aln://0.0.0.0:1", "tcp+aln://0:1", "tcp+aln://[::]:1", "tcp+aln://[::1]:1"],
  ...["tcp+aln://1.2.3.400:1", "tcp+aln://hub:1/a/b", "tcp+maln://hub:1", "tcp+maln://hub:1/"],
  ...["tcp+maln://hub:1/%ff", "tcp+aln://hub:1 tcp+aln://hub:2", "tcp+aln://hub:1\ntls"],
  Uint8Array.of(0xff, 0xfe),
  Uint8Array.from([...encoder.encode("tcp+aln://hub:1"), 0xc0]),
  `tcp+maln://hub:1/${"x".repeat(238)}`,
  new Uint8Array(60_000).fill(0x61),
];
for (const datagram of HOSTILE) {
  const bytes = typeof datagram === "string" ? encoder.encode(datagram) : datagram;
  const name = JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 40)));
  test(`discover() takes ${name} of ${bytes.length} bytes for no beacon`, () => {
    assert.equal(readBeacon(bytes, LOCAL), null);
  });
}

test("discover() takes URLs that lead to this machine from this machine alone", () => {
  const hosts = [
    "127.0.0.1",
    "127.9.9.9",
    "127.1",
    "2130706433",
    "0x7f.1",
    "localhost",
    "a.localhost.",
  ];
  for (const host of hosts) {
    const bytes = encoder.encode(`tcp+aln://${host}:22`);
    assert.equal(readBeacon(bytes, LAN), null, host);
    assert.match(
      readBeacon(bytes, LOCAL)!,
      /^tcp\+aln:\/\/(127\.\d+\.\d+\.\d+|.*localhost\.?):22$/,
    );
  }
});

test("discover() throws for no datagram, and gives only what connect() takes", () => {
  const random = seededRandom(8_082);
  const parts = ["tcp", "tls", "+", "aln", "maln", ":", "/", "//", "hub", "1", "%", "\0", "é", " "];
  for (let i = 0; i < 20_000; i++) {
    const count = Math.floor(random() * 12);
    const text = Array.from({ length: count }, () => parts[Math.floor(random() * parts.length)])
      .join("");
    const url = readBeacon(encoder.encode(i % 2 ? text : `tcp+maln:/${text}`), LOCAL);
    if (url !== null) assert.match(url, /^t(cp|ls)\+m?aln:\/\/[\w.-]+:\d+(\/\S+)?$/);
  }
});

// ── what is news ────────────────────────────────────────────────────────────

test("BeaconTable gives a URL once while its beacons go on, and again after a silence", () => {
  const table = new BeaconTable(10_000);
  const heard = (url: string, now: number) => {
    table.hear(url, now);
    return table.take();
  };
  assert.deepEqual([heard("a", 0), heard("a", 2_500), heard("b", 3_000)], ["a", undefined, "b"]);
  assert.deepEqual([heard("a", 12_499), heard("b", 13_000)], [undefined, "b"]);
  assert.deepEqual([heard("a", 22_498), heard("a", 32_498)], [undefined, "a"]);
});

test("BeaconTable follows 1,024 URLs, and a new one when others have fallen silent", () => {
  const table = new BeaconTable(10_000);
  for (let i = 0; i < 2_000; i++) table.hear(`${i}`, i);
  const taken: (string | undefined)[] = [];
  for (let url; (url = table.take()) !== undefined;) taken.push(url);
  assert.deepEqual(taken, Array.from({ length: 1_024 }, (_, i) => `${i}`));
  table.hear("late", 9_999); // Nobody is gone yet.
  assert.equal(table.take(), undefined);
  table.hear("0", 9_999);
  table.hear("late", 10_001); // 1 is.
  table.hear("later", 10_001);
  assert.deepEqual([table.take(), table.take()], ["late", undefined]);
});

test("BeaconTable keeps no more than 1,024 URLs for a reader that never comes", () => {
  const table = new BeaconTable(1);
  for (let i = 0; i < 5_000; i++) table.hear(`${i}`, i);
  let count = 0;
  while (table.take() !== undefined) count++;
  assert.equal(count, 1_024);
});

// ── announce ────────────────────────────────────────────────────────────────

test("announce() tells each interface at once, and then asks again which there are", {
  timeout,
}, async () => {
  const peer = await Peer.open();
  let interfaces = [loopback(LAN)];
  mock.timers.enable({ apis: ["setInterval"] });
  let beacon: Beacon;
  try {
    beacon = await announce("tcp+aln://0.0.0.0:8081", {
      port: peer.port,
      interfaces: () => interfaces,
    });
    assert.equal(await peer.next(), "tcp+aln://192.0.2.7:8081");
    interfaces = [loopback(LAN), loopback("198.51.100.1")]; // A Wi-Fi has come.
    mock.timers.tick(2_499);
    assert.equal(peer.waiting, 0);
    mock.timers.tick(1);
    assert.deepEqual([await peer.next(), await peer.next()].sort(), [
      "tcp+aln://192.0.2.7:8081",
      "tcp+aln://198.51.100.1:8081",
    ]);
    interfaces = [];
    mock.timers.tick(2_500);
    interfaces = [loopback("198.51.100.2")];
    mock.timers.tick(2_500);
    assert.equal(await peer.next(), "tcp+aln://198.51.100.2:8081");
  } finally {
    mock.timers.reset();
  }
  await beacon.close();
  await peer.close();
});

test("announce() goes on when the interfaces cannot be read for a while", {
  timeout,
}, async () => {
  const peer = await Peer.open();
  let asked = 0;
  const interfaces = () => {
    if (++asked === 2) throw new Error("not now");
    return [loopback()];
  };
  const options = { port: peer.port, interval: 1, interfaces };
  const beacon = await announce("tcp+aln://hub:8081", options);
  for (let i = 0; i < 3; i++) assert.equal(await peer.next(), "tcp+aln://hub:8081");
  await beacon.close();
  assert(asked >= 4);
  await peer.close();
});

test("announce() throws what the interfaces throw at first, and leaves nothing behind", {
  timeout,
}, async () => {
  const controller = new CountingController();
  const reason = new Error("no permission");
  const interfaces = () => {
    throw reason;
  };
  const { signal } = controller;
  assert.equal(await rejection(announce("tcp+aln://hub:1", { interfaces, signal })), reason);
  assert.equal(controller.listening, 0);
});

test("announce() broadcasts to programs on this machine", { timeout }, async () => {
  const peer = await Peer.open(0, { address: "0.0.0.0" });
  const interfaces = () => [{ address: LOCAL, broadcast: "127.255.255.255" }];
  const beacon = await announce("tcp+aln://[::]:8081", { port: peer.port, interfaces });
  assert.equal(await peer.next(), "tcp+aln://127.0.0.1:8081");
  await beacon.close();
  await peer.close();
});

test("announce() reaches those who listen though others do not", { timeout }, async () => {
  const peer = await Peer.open();
  const nobody = { address: LOCAL, broadcast: "127.0.0.2" };
  const texts = [loopback(LAN), loopback("198.51.100.1")];
  const interfaces = () => texts.flatMap((one) => [nobody, nobody, one, nobody]);
  const options = { port: peer.port, interval: 60_000, interfaces }; // Once is enough.
  const beacon = await announce("tcp+aln://0.0.0.0:8081", options);
  assert.deepEqual([await peer.next(), await peer.next()].sort(), [
    "tcp+aln://192.0.2.7:8081",
    "tcp+aln://198.51.100.1:8081",
  ]);
  await beacon.close();
  await peer.close();
});

for (const how of ["close()", "its signal"]) {
  test(`announce() sends no more after ${how}`, { timeout }, async () => {
    const peer = await Peer.open();
    const controller = new CountingController();
    const { signal } = controller;
    let asked = 0;
    const interfaces = () => (asked++, [loopback()]);
    mock.timers.enable({ apis: ["setInterval"] });
    try {
      const beacon = await announce("tcp+aln://hub:1", { port: peer.port, interfaces, signal });
      assert.equal(await peer.next(), "tcp+aln://hub:1");
      assert.equal(controller.listening, 1);
      if (how === "close()") await beacon.close();
      else controller.abort();
      mock.timers.tick(10_000);
      assert.deepEqual([asked, controller.listening], [1, 0]);
      await beacon.close();
      await beacon[Symbol.asyncDispose]();
    } finally {
      mock.timers.reset();
    }
    await peer.send(peer.port, "marker");
    assert.equal(await peer.next(), "marker");
    await peer.close();
  });
}

test("announce() ends with the reason of a signal that has aborted", { timeout }, async () => {
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  assert.equal(await rejection(announce("tcp+aln://hub:1", { signal })), reason);
});

test("announce() and discover() throw a RangeError for a time that is none", {
  timeout,
}, async () => {
  for (const value of [0, -1, NaN, Infinity, 2 ** 31]) {
    const bounds = `is "${value}", and must be in 1-2147483647`;
    const error = await rejection(announce("tcp+aln://hub:1", { interval: value })) as Error;
    assert.deepEqual([error instanceof RangeError, error.message], [
      true,
      `Cannot announce: interval ${bounds}`,
    ]);
    assert.throws(() => discover({ silence: value }), {
      name: "RangeError",
      message: `Cannot discover: silence ${bounds}`,
    });
  }
});

test("announce() knows by itself which interfaces there are, and this machine", () => {
  const all = ownInterfaces();
  const local = all.filter(({ broadcast }) => broadcast.startsWith("127."));
  assert.deepEqual(
    local.map(({ broadcast }) => broadcast).slice(0, 2),
    ["127.255.255.255", "127.0.0.1"],
  );
  const [first] = all.filter((one) => !local.includes(one));
  for (const { address } of local) assert.equal(address, first?.address ?? LOCAL);
  for (const { address, broadcast } of all) {
    for (const it of [address, broadcast]) assert.match(it, /^\d{1,3}(\.\d{1,3}){3}$/);
  }
});

// ── discover ────────────────────────────────────────────────────────────────

test("discover() gives each URL of other peers once, and none that is not one", {
  timeout,
}, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const urls = discover({ port, hostname: LOCAL });
  const first = take(urls);
  await sendUntil(peer, port, recorded.advert_datagrams_from_ip_bcast_host[0]!.text, first);
  assert.equal(await first, "tcp+aln://127.0.0.1:28981");
  await peer.send(
    port,
    ...recorded.advert_datagrams_from_ip_bcast_host.map(({ hex: digits }) => hex(digits)),
    ...HOSTILE.slice(0, -1),
    "tcp+aln://192.0.2.7:8081",
    "tcp+aln://192.0.2.7:8081",
    "tcp+aln:/hub/192.0.2.7:8081",
    "tcp+maln://hub:1/home",
    "tcp+maln://hub:1/office",
  );
  assert.deepEqual([await take(urls), await take(urls), await take(urls)], [
    "tcp+aln://192.0.2.7:8081",
    "tcp+maln://hub:1/home",
    "tcp+maln://hub:1/office",
  ]);
  await urls.return();
  await peer.close();
});

test("announce() and discover() use port 8082, as the existing peers", { timeout }, async () => {
  const peer = await Peer.open(8_082, { reuseAddr: true });
  const beacon = await announce("tcp+aln://hub:1", { interfaces: () => [loopback()] });
  assert.equal(await peer.next(), "tcp+aln://hub:1");
  await beacon.close();
  await peer.close();

  const sender = await Peer.open();
  const urls = discover({ hostname: LOCAL });
  const found = take(urls);
  await sendUntil(sender, 8_082, "tcp+aln://hub:2", found);
  assert.equal(await found, "tcp+aln://hub:2");
  await urls.return();
  await sender.close();
});

test("discover() gives a URL again that was silent", { timeout }, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const urls = discover({ port, hostname: LOCAL, silence: 1 });
  for (let i = 0; i < 3; i++) {
    const found = take(urls);
    await sendUntil(peer, port, "tcp+aln://hub:1", found);
    assert.equal(await found, "tcp+aln://hub:1");
  }
  await urls.return();
  await peer.close();
});

test("discover() leaves out what this process announces, for as long as it does", {
  timeout,
}, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const urls = discover({ port, hostname: LOCAL });
  const ready = take(urls);
  await sendUntil(peer, port, "tcp+aln://ready:1", ready);
  await ready;
  const interfaces = () => [loopback(LAN)];
  const beacon = await announce("tcp+maln://0.0.0.0:8081/Home", { port, interfaces });
  await peer.send(port, "tcp+maln://192.0.2.7:8081/Home", "tcp+maln://192.0.2.7:8081/home");
  assert.equal(await take(urls), "tcp+maln://192.0.2.7:8081/home");
  await beacon.close();
  const other = take(urls);
  await sendUntil(peer, port, "tcp+maln://192.0.2.7:8081/Home", other);
  assert.equal(await other, "tcp+maln://192.0.2.7:8081/Home");
  await urls.return();
  await peer.close();
});

test("discover() shares its port with others of its kind, and hears the loopback's broadcasts", {
  timeout,
}, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const searches = [discover({ port }), discover({ port })];
  const found = searches.map(take);
  let count = 0;
  for (const url of found) url.then(() => count++);
  while (count < 2) {
    await peer.broadcast(port, "tcp+aln://127.0.0.1:8081");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual(await Promise.all(found), Array(2).fill("tcp+aln://127.0.0.1:8081"));
  await Promise.all(searches.map((search) => search.return()));
  await peer.close();
});

test("discover() lets go of its port and its signal at a break", { timeout }, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const controller = new CountingController();
  const search = async () => {
    for await (const url of discover({ port, hostname: LOCAL, signal: controller.signal })) {
      assert.equal(controller.listening, 1);
      return url;
    }
  };
  const found = search();
  await sendUntil(peer, port, "tcp+aln://hub:1", found);
  assert.equal(await found, "tcp+aln://hub:1");
  assert.equal(controller.listening, 0);
  await (await Peer.open(port)).close(); // Which does not share.
  await peer.close();
});

test("discover() ends without an error when its signal aborts, waiting or not", {
  timeout,
}, async () => {
  const port = await freeUdpPort();
  const peer = await Peer.open();
  const controller = new CountingController();
  const options = { port, hostname: LOCAL, signal: controller.signal };
  const [waiting, reading] = [discover(options), discover({ ...options, port: 0 })];
  const found = take(waiting);
  await sendUntil(peer, port, "tcp+aln://hub:1", found);
  const ends = [waiting.next(), reading.next()];
  controller.abort(new Error("enough"));
  const end = { done: true, value: undefined };
  assert.deepEqual(await Promise.all([...ends, waiting.next()]), [end, end, end]);
  assert.equal(controller.listening, 0);
  assert.deepEqual(await discover(options).next(), end); // It had aborted before.
  await (await Peer.open(port)).close();
  await peer.close();
});

test("discover() throws EADDRINUSE if another program does not share the port", {
  timeout,
}, async () => {
  const peer = await Peer.open();
  const controller = new CountingController();
  const { signal } = controller;
  const search = discover({ port: peer.port, hostname: LOCAL, signal });
  assert.equal(await failureCode(search.next()), "EADDRINUSE");
  assert.equal(controller.listening, 0);
  await peer.close();
});

test("announce() and discover() throw a TypeError in a browser", { timeout }, async () => {
  if (runtime === "bun") return; // Its global cannot be taken away; it runs the same code.
  const script = runScript("./browser_like_beacon.ts");
  const message =
    "TypeError: Cannot open sockets here: node:dgram needs Deno, Bun, or Node 20.16 or newer";
  assert.deepEqual((await script.rest()).split("\n"), [message, message]);
  await script.end();
});
