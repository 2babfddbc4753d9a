/** The WebSocket server in the runtime that runs this, told to clients right and wrong. */

import assert from "node:assert/strict";
import { connect as connectTlsSocket } from "node:tls";
import { test } from "node:test";
import { type BaseChannel, type ChannelError, connectWebSocket, Packet } from "../../mod.ts";
import type { ServerWebSocketChannel } from "../../src/channel/server_websocket_channel.ts";
import { encodeClose, WebSocketDecoder } from "../../src/framing/websocket_frames.ts";
import type { WebSocketListenOptions } from "../../src/runtime/websocket_server.ts";
import { clientCertificate, testCertificate } from "../support/certificate.ts";
import { connectRaw, RawServer, RawSocket } from "../support/raw_socket.ts";
import { CountingController, failureCode, rejection } from "../support/routers.ts";
import { LOOPBACK, sockets } from "../support/runtime.ts";
import { jam } from "../support/socket_suite.ts";
import {
  ACCEPT,
  acceptHandshake,
  connectRawWebSocket,
  handshake,
  KEY,
  readHead,
} from "../support/websocket_client.ts";
import {
  clientFrame,
  closePayload,
  describeServerFrames,
  OPCODE,
  readServerFrames,
} from "../support/websocket_frames.ts";

const { listenWebSocket } = sockets;
const timeout = 20_000;
const PING = new Packet({ srv: "ping", data: "hi" });
const { ca, ...identity } = testCertificate;

/** A listener, and the channels that it accepts. */
async function listening(options: WebSocketListenOptions = {}) {
  const accepted: ServerWebSocketChannel[] = [];
  let wake = () => {};
  const listener = await listenWebSocket(LOOPBACK, (channel) => {
    accepted.push(channel);
    wake();
  }, options);
  const next = async () => {
    while (accepted.length === 0) await new Promise<void>((resolve) => wake = resolve);
    return accepted.shift()!;
  };
  const { port } = listener.address;
  return { listener, accepted, next, port, url: `ws://127.0.0.1:${port}/` };
}

/** The next packet that arrives. */
function packet(channel: ServerWebSocketChannel): Promise<Packet> {
  return new Promise((resolve) => channel.onPacket = resolve);
}

// ── the handshake ───────────────────────────────────────────────────────────

test("listenWebSocket() accepts a handshake as RFC 6455 wants it", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRaw(port);
  await client.write(handshake());
  const { status, headers } = await readHead(client);
  assert.deepEqual([status, headers["sec-websocket-accept"]], [101, ACCEPT]);
  assert.deepEqual([headers.upgrade, headers.connection], ["websocket", "Upgrade"]);
  assert.equal(headers["sec-websocket-extensions"], undefined);
  const channel = await next();
  await client.write(clientFrame(OPCODE.text, PING.toJson()));
  assert.deepEqual(await packet(channel), PING);
  channel.close();
  await client.read(4);
  await client.end();
  assert.equal(await channel.closed, undefined);
  await Promise.all([listener.close(), client.close()]);
});

const ACCEPTED: [what: string, request: string, options?: WebSocketListenOptions][] = [
  ["headers in other letters", handshake({ Upgrade: "WebSocket", Connection: "upgrade" })],
  ["a list of connection options", handshake({ Connection: "keep-alive, Upgrade" })],
  ["a path, if none is asked for", handshake({}, "GET /any/where?x=1 HTTP/1.1")],
  ["the path that is asked for", handshake({}, "GET /aln?token=1 HTTP/1.1"), { path: "/aln" }],
  ["a whole URL", handshake({}, "GET http://localhost/aln HTTP/1.1"), { path: "/aln" }],
  ["a client without an origin", handshake(), { origins: ["https://example.org"] }],
  ["a page that may", handshake({ Origin: "https://example.org" }), {
    origins: ["https://example.com", "https://example.org"],
  }],
  ["any page by default", handshake({ Origin: "https://example.net" })],
  ["who is verified", handshake(), { verify: () => true }],
  ["who is verified later", handshake(), { verify: () => Promise.resolve(true) }],
  [
    "extensions and protocols, and promises none",
    handshake({
      "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
      "Sec-WebSocket-Protocol": "a, b",
    }),
  ],
];
for (const [what, request, options] of ACCEPTED) {
  test(`listenWebSocket() accepts ${what}`, { timeout }, async () => {
    const { listener, next, port } = await listening(options);
    const client = await connectRaw(port);
    await client.write(request);
    const { status, headers } = await readHead(client);
    assert.deepEqual([status, headers["sec-websocket-extensions"]], [101, undefined]);
    assert.equal(headers["sec-websocket-protocol"], undefined);
    (await next()).close();
    await Promise.all([listener.close(), client.close()]);
  });
}

const secret = new Error("the password of the database is 1234");
const REFUSED: [
  what: string,
  status: number,
  request: string,
  options?: WebSocketListenOptions,
][] = [
  ["another method", 405, handshake({}, "POST / HTTP/1.1")],
  ["no upgrade", 426, handshake({ Upgrade: null })],
  ["no connection option", 426, handshake({ Connection: "keep-alive" })],
  ["an upgrade to something else", 400, handshake({ Upgrade: "h2c" })],
  ["no version", 426, handshake({ "Sec-WebSocket-Version": null })],
  ["version 8", 426, handshake({ "Sec-WebSocket-Version": "8" })],
  ["version 14", 426, handshake({ "Sec-WebSocket-Version": "14" })],
  ["no key", 400, handshake({ "Sec-WebSocket-Key": null })],
  ["a short key", 400, handshake({ "Sec-WebSocket-Key": KEY.slice(4) })],
  ["a long key", 400, handshake({ "Sec-WebSocket-Key": `AAAA${KEY}` })],
  ["a key that is no base64", 400, handshake({ "Sec-WebSocket-Key": "?".repeat(24) })],
  ["a key of 18 bytes", 400, handshake({ "Sec-WebSocket-Key": "A".repeat(24) })],
  ["another path", 404, handshake(), { path: "/aln" }],
  ["a longer path", 404, handshake({}, "GET /aln/ HTTP/1.1"), { path: "/aln" }],
  ["a path that looks like a host", 404, handshake({}, "GET //x/aln HTTP/1.1"), { path: "/aln" }],
  ["another page", 403, handshake({ Origin: "https://example.net" }), {
    origins: ["https://example.org"],
  }],
  ["a page that looks alike", 403, handshake({ Origin: "https://example.org.net" }), {
    origins: ["https://example.org"],
  }],
  ["a page without a name", 403, handshake({ Origin: "null" }), { origins: [] }],
  ["who is not verified", 403, handshake(), { verify: () => false }],
  ["who is not verified later", 403, handshake(), { verify: () => Promise.resolve(false) }],
  ["a client if verify() throws", 403, handshake(), {
    verify() {
      throw secret;
    },
  }],
  ["a client if verify() throws nothing in particular", 403, handshake(), {
    verify() {
      throw undefined;
    },
  }],
  ["a client if verify() rejects", 403, handshake(), { verify: () => Promise.reject(secret) }],
  ["a host that is none", 400, handshake({ Host: "a b" })],
  ["a URL that is none", 400, handshake({}, "GET http://[::x]/ HTTP/1.1")],
];
for (const [what, status, request, options] of REFUSED) {
  test(`listenWebSocket() refuses ${what} with ${status}, and goes on`, { timeout }, async () => {
    const { listener, accepted, port } = await listening(options);
    const client = await connectRaw(port);
    await client.write(request);
    await client.end();
    const text = new TextDecoder().decode(await client.readAll()); // The server closes, too.
    assert.equal(/^HTTP\/1\.1 (\d+) /.exec(text)?.[1], String(status), text);
    assert.equal(/^sec-websocket-version: 13\r$/im.test(text), what.includes("version"));
    assert.ok(!text.includes("1234"), text);
    await client.close();
    const again = await connectRaw(port);
    await again.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert.equal((await readHead(again)).status, 426);
    assert.deepEqual(accepted, []);
    await Promise.all([listener.close(), again.close()]);
  });
}

test("listenWebSocket() lets go of a client that was refused and stays", { timeout }, async () => {
  const { listener, port } = await listening({ verify: () => false });
  const client = await connectRaw(port);
  await client.write(handshake());
  assert.equal((await readHead(client)).status, 403);
  await client.readAll().catch(() => {}); // The server's end, though the client sends none.
  let error: unknown;
  for (let i = 0; error === undefined && i < 10_000; i++) { // Nobody is there any more.
    await client.write("x").catch((it) => error = it);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(error instanceof Error);
  await Promise.all([listener.close(), client.close()]);
});

test("listenWebSocket() gives verify() the request", { timeout }, async () => {
  const requests: Request[] = [];
  const verify = (request: Request) => requests.push(request) > 0;
  const { listener, port } = await listening({ verify });
  const start = "GET /a%20b?token=1&x=%C3%A9 HTTP/1.1";
  const client = await connectRawWebSocket(
    port,
    handshake({ Host: "example.org:81", Cookie: "a=1; b=2" }, start),
  );
  const [{ url, method, headers }] = requests as [Request];
  assert.deepEqual([url, method, headers.get("cookie"), headers.get("sec-websocket-key")], [
    "http://example.org:81/a%20b?token=1&x=%C3%A9",
    "GET",
    "a=1; b=2",
    KEY,
  ]);
  await Promise.all([listener.close(), client.close()]);
});

const HOSTILE: [what: string, headers: Record<string, string>][] = [
  ["the names of an object's own parts", {
    "__proto__": "x",
    "constructor": "x",
    "toString": "x",
    "hasOwnProperty": "x",
  }],
  ["bytes beyond ASCII", { "X-Name": "h\u00e9llo \u00ff" }],
  ["an empty value", { "X-Empty": "" }],
  ["many headers", Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`X-${i}`, "y"]))],
  ["a long header", { "X-Long": "x".repeat(8_000) }],
  ["markup", { "User-Agent": "<script>alert(1)</script>", "Origin": "javascript:alert(1)" }],
];
for (const [what, headers] of HOSTILE) {
  test(`listenWebSocket() survives a request with ${what}`, { timeout }, async () => {
    let seen: Request | undefined;
    const { listener, next, port } = await listening({
      verify(request) {
        seen = request;
        return true;
      },
    });
    const client = await connectRaw(port);
    await client.write(Uint8Array.from(handshake(headers), (char) => char.charCodeAt(0)));
    assert.equal((await readHead(client)).status, 101);
    for (const [name, value] of Object.entries(headers)) {
      assert.equal(seen!.headers.get(name), value, name);
    }
    (await next()).close();
    await Promise.all([listener.close(), client.close()]);
  });
}

test("listenWebSocket() outlives what is no HTTP", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const strangers = [
    "\x16\x03\x01\x02\x00\x01\x00",
    "\r\n".repeat(100),
    "GET\r\n\r\n",
    "\0".repeat(99),
  ];
  for (const stranger of strangers) {
    const socket = await connectRaw(port);
    await socket.write(Uint8Array.from(stranger, (char) => char.charCodeAt(0)));
    await socket.end();
    await socket.readAll().catch(() => {});
    await socket.close();
  }
  const client = await connectRawWebSocket(port);
  (await next()).close();
  await Promise.all([listener.close(), client.close()]);
});

test("listenWebSocket() forgets a client that is gone before it is verified", {
  timeout,
}, async () => {
  const asked = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<boolean>();
  const { listener, accepted, port } = await listening({
    verify() {
      asked.resolve();
      return verdict.promise;
    },
  });
  const client = await connectRaw(port);
  await client.write(handshake());
  await asked.promise;
  await client.close();
  const other = await connectRaw(port);
  await other.write(handshake());
  verdict.resolve(true);
  await readHead(other);
  for (const channel of accepted) channel.close(new Error("enough"));
  assert.ok(accepted.length >= 1);
  await Promise.all([listener.close(), other.close()]);
});

test("Listener.close() refuses with 503 who is still being verified", { timeout }, async () => {
  const asked = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<boolean>();
  const { listener, accepted, port } = await listening({
    verify() {
      asked.resolve();
      return verdict.promise;
    },
  });
  const client = await connectRaw(port);
  await client.write(handshake());
  await asked.promise;
  await listener.close();
  verdict.resolve(true);
  assert.equal((await readHead(client)).status, 503);
  assert.deepEqual(accepted, []);
  await client.close();
});

test("listenWebSocket() loses nothing that a client sends before it is answered", {
  timeout,
}, async () => {
  const asked = Promise.withResolvers<void>();
  const verdict = Promise.withResolvers<boolean>();
  const { listener, next, port } = await listening({
    verify() {
      asked.resolve();
      return verdict.promise;
    },
  });
  const client = await connectRaw(port);
  const message = (srv: string) => clientFrame(OPCODE.text, new Packet({ srv }).toJson());
  await client.write(Uint8Array.from([...new TextEncoder().encode(handshake()), ...message("a")]));
  await asked.promise;
  await client.write(message("b"));
  verdict.resolve(true);
  const channel = await next();
  await client.write(message("c"));
  const services: string[] = [];
  await new Promise<void>((resolve) => {
    channel.onPacket = ({ srv }) => {
      services.push(srv);
      if (srv === "c") resolve();
    };
  });
  assert.deepEqual(services, ["a", "b", "c"]);
  channel.close();
  await Promise.all([listener.close(), client.close()]);
});

test("listenWebSocket() understands a handshake and messages cut at every byte", {
  timeout: 60_000,
}, async () => {
  const { listener, next, port } = await listening();
  const stream = Uint8Array.from([
    ...new TextEncoder().encode(handshake()),
    ...clientFrame(OPCODE.text, PING.toJson(), { fin: false }),
    ...clientFrame(OPCODE.ping, "p"),
    ...clientFrame(OPCODE.continuation),
    ...clientFrame(OPCODE.binary, PING.toBinary()),
  ]);
  for (let cut = 1; cut < stream.length; cut++) {
    const client = await connectRaw(port);
    await client.write(stream.subarray(0, cut));
    await client.write(stream.subarray(cut));
    const channel = await next();
    const packets: Packet[] = [];
    await new Promise<void>((resolve) => {
      channel.onPacket = (packet) => {
        if (packets.push(packet) === 2) resolve();
      };
    });
    assert.deepEqual(packets, [PING, PING], `cut at ${cut}`);
    assert.equal((await readHead(client)).status, 101);
    channel.close();
    const sent = describeServerFrames(await client.readAll());
    assert.deepEqual(sent, ["pong 112", "close 1000"], `cut at ${cut}`);
    await client.close();
  }
  await listener.close();
});

test("listenWebSocket() throws EADDRINUSE for an address that is in use", {
  timeout,
}, async () => {
  const { listener } = await listening();
  assert.equal(await failureCode(listenWebSocket(listener.address, () => {})), "EADDRINUSE");
  await listener.close();
});

test("A WebSocket listener's close() resolves at once, and leaves its channels alive", {
  timeout,
}, async () => {
  const { listener, next, port, url } = await listening();
  const idle = await connectRaw(port); // Has asked for nothing yet.
  const [near, far] = await Promise.all([connectWebSocket(url), next()]);
  await listener.close();
  await listener.close();
  await listener[Symbol.asyncDispose]();
  assert.equal(await failureCode(connectWebSocket(url)), "ERR_CHANNEL_CLOSED");
  const received = packet(far);
  near.send(PING);
  assert.deepEqual(await received, PING);
  const answered = new Promise<Packet>((resolve) => near.onPacket = resolve);
  far.send(PING);
  assert.deepEqual(await answered, PING);
  far.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
  await idle.close();
});

// ── ordinary requests ───────────────────────────────────────────────────────

test("listenWebSocket() tells an ordinary request that this is for WebSockets", {
  timeout,
}, async () => {
  const { listener, port } = await listening();
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(response.status, 426);
  assert.equal(await response.text(), "This is for WebSockets\n");
  await listener.close();
});

test("listenWebSocket() answers ordinary requests with what respond() says", {
  timeout,
}, async () => {
  const seen: string[] = [];
  const { listener, port } = await listening({
    respond(request) {
      seen.push(`${request.method} ${new URL(request.url).pathname}`);
      const headers = new Headers([
        ["content-type", "application/octet-stream"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ]);
      return Promise.resolve(new Response(Uint8Array.of(0, 255, 10), { status: 203, headers }));
    },
  });
  const base = `http://127.0.0.1:${port}`;
  const response = await fetch(`${base}/page?x=1`);
  assert.deepEqual([response.status, new Uint8Array(await response.arrayBuffer())], [
    203,
    Uint8Array.of(0, 255, 10),
  ]);
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
  const head = await fetch(`${base}/page`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [203, ""]);
  const post = await fetch(`${base}/form`, { method: "POST", body: "x".repeat(100_000) });
  assert.equal((await post.arrayBuffer()).byteLength, 3);
  assert.deepEqual(seen, ["GET /page", "HEAD /page", "POST /form"]);
  await listener.close();
});

test("listenWebSocket() answers 500 when respond() fails, and goes on", { timeout }, async () => {
  let calls = 0;
  const { listener, port } = await listening({
    respond() {
      if (++calls === 1) throw secret;
      if (calls === 2) return Promise.reject(secret);
      return new Response("hello");
    },
  });
  for (const [status, text] of [[500, ""], [500, ""], [200, "hello"]] as const) {
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.deepEqual([response.status, await response.text()], [status, text]);
  }
  await listener.close();
});

// ── over TLS ────────────────────────────────────────────────────────────────

function connectSecure(port: number, options: object = {}): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTlsSocket({
      host: "127.0.0.1",
      port,
      servername: "localhost",
      ca: [ca],
      ...options,
    });
    socket.allowHalfOpen = true;
    socket.on("error", reject);
    socket.on("secureConnect", () => resolve(new RawSocket(socket)));
  });
}

test("listenWebSocket() with a certificate accepts WebSockets and requests over TLS", {
  timeout,
}, async () => {
  let url = "";
  const { listener, next, port } = await listening({
    ...identity,
    verify(request) {
      url = request.url;
      return true;
    },
    respond: () => new Response("hello"),
  });
  const client = await connectSecure(port);
  await client.write(handshake());
  assert.equal((await readHead(client)).status, 101);
  assert.equal(url, "https://localhost/");
  const channel = await next();
  const received = packet(channel);
  await client.write(clientFrame(OPCODE.binary, PING.toBinary()));
  assert.deepEqual(await received, PING);
  channel.close();
  assert.deepEqual(describeServerFrames(await client.read(4)), ["close 1000"]);
  await client.close();

  const page = await connectSecure(port);
  await page.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const text = new TextDecoder().decode(await page.readAll());
  assert.match(text, /^HTTP\/1\.1 200 [^]*hello$/);
  await page.close();
  await listener.close();
});

test("listenWebSocket() with authorities accepts only clients that they have signed", {
  timeout,
}, async () => {
  const { listener, accepted, next, port } = await listening({
    ...identity,
    ca: [clientCertificate.ca],
  });
  const stranger = await connectSecure(port).catch(() => null);
  if (stranger !== null) { // In TLS 1.3 it may be told later.
    await stranger.write(handshake()).catch(() => {});
    await stranger.readAll().then((bytes) => assert.deepEqual(bytes, new Uint8Array(0)), () => {});
  }
  assert.deepEqual(accepted, []);
  const { cert, key } = clientCertificate;
  const client = await connectSecure(port, { cert, key });
  await client.write(handshake());
  assert.equal((await readHead(client)).status, 101);
  (await next()).close();
  await Promise.all([listener.close(), client.close(), stranger?.close()]);
});

test("listenWebSocket() throws a TypeError for a certificate without its key, or the reverse", {
  timeout,
}, async () => {
  const { cert, key } = identity;
  for (const options of [{ cert }, { key }, { ca: [ca] }]) {
    assert.ok(await rejection(listenWebSocket(LOOPBACK, () => {}, options)) instanceof TypeError);
  }
});

// ── the end ─────────────────────────────────────────────────────────────────

interface CloseEventLike {
  code: number;
  reason: string;
  wasClean: boolean;
}

/** This runtime's own client, open, and what it sees of its end. */
async function standardClient(url: string) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const ended = new Promise<CloseEventLike>((resolve) => {
    socket.addEventListener("close", (event) => resolve(event as unknown as CloseEventLike));
  });
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  return { socket, ended };
}

test("The standard client sees code 1000 when the server's channel closes", {
  timeout,
}, async () => {
  const { listener, next, url } = await listening();
  const [{ ended }, channel] = await Promise.all([standardClient(url), next()]);
  channel.send(PING);
  channel.close();
  const { code, wasClean } = await ended;
  assert.deepEqual([code, wasClean, await channel.closed], [1000, true, undefined]);
  await listener.close();
});

const CODES: [given: number | undefined, seen: number, reason: string][] = [
  [undefined, 1000, ""],
  [1000, 1000, "bye"],
  [3000, 3000, ""],
  [4999, 4999, "token expired"],
];
for (const [given, seen, why] of CODES) {
  test(`A standard client that closes with ${given ?? "no code"} is answered alike`, {
    timeout,
  }, async () => {
    const { listener, next, url } = await listening();
    const [{ socket, ended }, channel] = await Promise.all([standardClient(url), next()]);
    if (given === undefined) socket.close();
    else socket.close(given, why);
    const { code, wasClean } = await ended;
    assert.equal(wasClean, true);
    assert.ok(code === seen || given === undefined && code === 1005, `code ${code}`);
    const reason = await channel.closed as ChannelError | undefined;
    const expected = `Cannot keep WebSocket open: code ${seen}${why && `, ${why}`}`;
    assert.equal(reason?.message, seen === 1000 ? undefined : expected);
    await listener.close();
  });
}

test("The standard client sees code 1009 when it sends too much", { timeout }, async () => {
  const { listener, next, url } = await listening();
  const [{ socket, ended }, channel] = await Promise.all([standardClient(url), next()]);
  socket.send(new Uint8Array(131_073));
  const { code, reason } = await ended;
  assert.deepEqual([code, reason], [1009, "a message of more than 131072 bytes"]);
  assert.match((await channel.closed as ChannelError).message, /code 1009/);
  await listener.close();
});

test("The standard client sees a failure when the server's channel is cut", {
  timeout,
}, async () => {
  const { listener, next, url } = await listening();
  const [near, far] = await Promise.all([connectWebSocket(url), next()]);
  far.close(new Error("enough"));
  const { code } = await near.closed as ChannelError;
  assert.equal(code, "ERR_CHANNEL_CLOSED");
  await listener.close();
});

test("A client that breaks the rules is told so, and can read it", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  await client.write(clientFrame(OPCODE.text, "a", { mask: null }));
  await client.write(new Uint8Array(100_000)); // It does not listen yet.
  assert.deepEqual(describeServerFrames(await client.readAll()), [
    "close 1002 it sent a frame without a mask",
  ]);
  await client.end();
  assert.match((await channel.closed as ChannelError).message, /code 1002/);
  await Promise.all([listener.close(), client.close()]);
});

test("A client that ends without a Close is told as code 1006, after what it has sent", {
  timeout,
}, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  const received = packet(channel);
  await client.write(clientFrame(OPCODE.text, PING.toJson()));
  await client.end();
  assert.deepEqual(await received, PING);
  const { code, message } = await channel.closed as ChannelError;
  assert.deepEqual([code, message], [
    "ERR_CHANNEL_CLOSED",
    "Cannot keep WebSocket open: code 1006, it ended without a Close",
  ]);
  await Promise.all([listener.close(), client.close()]);
});

test("A client that resets ends its channel with a reason", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  client.reset();
  assert.ok(await channel.closed instanceof Error);
  await listener.close();
});

test("A client that says Close and does not end is cut after a second", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  await client.write(clientFrame(OPCODE.close, closePayload(1000)));
  assert.deepEqual(describeServerFrames(await client.readAll()), ["close 1000"]);
  await channel.closed;
  assert.equal(channel.isOpen, false);
  await Promise.all([listener.close(), client.close()]);
});

// ── a peer that does not read ───────────────────────────────────────────────

const HIGH_WATER = 300_000;

/** Jams a channel, then lets its peer read; returns how many packets were taken. */
async function jamAndSend(channel: BaseChannel<unknown>, read: () => void): Promise<number> {
  let sent = await jam(channel);
  const packet = new Packet({ srv: "s", data: new Uint8Array(60_000) });
  assert.equal(channel.send(packet), false);
  assert.ok(channel.bufferedBytes > 0 && channel.bufferedBytes <= HIGH_WATER);
  read();
  for (const end = sent + 100; sent < end;) {
    if (channel.send(packet)) sent++;
    else await channel.drained();
    assert.ok(channel.bufferedBytes <= HIGH_WATER, `${channel.bufferedBytes} bytes are queued`);
  }
  channel.close();
  return sent;
}

for (const format of ["json", "binary"] as const) {
  test(`A server's channel in ${format} refuses packets while its client does not read`, {
    timeout,
  }, async () => {
    const { listener, next, port } = await listening({ highWater: HIGH_WATER, format });
    const client = await connectRawWebSocket(port);
    client.socket.pause();
    const channel = await next();
    let reading: Promise<Uint8Array>;
    const sent = await jamAndSend(channel, () => {
      client.socket.resume();
      reading = client.readAll();
    });
    const frames = readServerFrames(await reading!);
    assert.equal(frames.length, sent + 1); // And a Close.
    await client.end();
    assert.equal(await channel.closed, undefined);
    await Promise.all([listener.close(), client.close()]);
  });

  test(`connectWebSocket() in ${format} refuses packets while its server does not read`, {
    timeout,
  }, async () => {
    const server = await RawServer.listen();
    const url = `ws://127.0.0.1:${server.address.port}/`;
    const connecting = connectWebSocket(url, { highWater: HIGH_WATER, format });
    const peer = await server.accept();
    await peer.write(await acceptHandshake(peer));
    peer.socket.pause();
    const channel = await connecting;
    let messages = 0;
    const decoder = new WebSocketDecoder({ limit: 131_072 });
    const closing = Promise.withResolvers<void>();
    const sent = await jamAndSend(channel, () => {
      peer.socket.on("data", (chunk) =>
        decoder.push(chunk, ({ kind }) => {
          if (kind === "close") closing.resolve();
          else messages++;
        }));
      peer.socket.resume();
    });
    await closing.promise;
    assert.equal(messages, sent);
    await peer.write(encodeClose(1000));
    await peer.end();
    assert.equal(await channel.closed, undefined);
    await server.close();
  });
}

// ── pings ───────────────────────────────────────────────────────────────────

test("Pings are answered with their own data", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  for (const data of ["", "p", "x".repeat(125)]) {
    await client.write(clientFrame(OPCODE.ping, data));
    const frame = await client.read(2 + data.length);
    assert.deepEqual(describeServerFrames(frame), [`pong ${new TextEncoder().encode(data)}`]);
  }
  channel.close();
  await Promise.all([listener.close(), client.close()]);
});

test("A flood of pings that nobody reads the answers of is survived in little memory", {
  timeout,
}, async () => {
  const { listener, next, port } = await listening();
  const client = await connectRawWebSocket(port);
  const channel = await next();
  const ping = clientFrame(OPCODE.ping, "x".repeat(125));
  const flood = new Uint8Array(ping.length * 8_000); // 1 MB
  for (let i = 0; i < 8_000; i++) flood.set(ping, i * ping.length);
  for (let i = 0; i < 20; i++) await client.write(flood);
  const received = packet(channel);
  await client.write(clientFrame(OPCODE.text, PING.toJson()));
  assert.deepEqual(await received, PING);
  assert.deepEqual([channel.isOpen, channel.bufferedBytes], [true, 0]);
  channel.close();
  const frames = describeServerFrames(await client.readAll());
  assert.equal(frames.at(-1), "close 1000");
  assert.ok(frames.length < 160_000, `${frames.length} frames`);
  await client.end();
  assert.equal(await channel.closed, undefined);
  await Promise.all([listener.close(), client.close()]);
});

// ── the client ──────────────────────────────────────────────────────────────

test("connectWebSocket() throws when nobody listens, or no WebSocket is there", {
  timeout,
}, async () => {
  const { listener, url } = await listening({ verify: () => false });
  const controller = new CountingController();
  const { signal } = controller;
  assert.equal(await failureCode(connectWebSocket(url, { signal })), "ERR_CHANNEL_CLOSED");
  await listener.close();
  assert.equal(await failureCode(connectWebSocket(url, { signal })), "ERR_CHANNEL_CLOSED");
  assert.equal(controller.listening, 0);
});

test("connectWebSocket() throws a SyntaxError for what is no URL", { timeout }, async () => {
  const error = await rejection(connectWebSocket("no url")) as DOMException;
  assert.equal(error.name, "SyntaxError");
});

test("connectWebSocket() ends with the reason of its signal, before and while it connects", {
  timeout,
}, async () => {
  const server = await RawServer.listen(); // Accepts, and says nothing.
  const url = `ws://127.0.0.1:${server.address.port}/`;
  const reason = new Error("never mind");
  assert.equal(
    await rejection(connectWebSocket(url, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  const controller = new CountingController();
  const connecting = rejection(connectWebSocket(url, { signal: controller.signal }));
  const peer = await server.accept();
  await peer.readTo("\r\n\r\n");
  controller.abort(reason);
  assert.equal(await connecting, reason);
  assert.equal(controller.listening, 0);
  await peer.readAll().catch(() => {}); // Its end: nothing is left open.
  await server.close();
});

test("connectWebSocket()'s channel closes with a reason when the connection breaks", {
  timeout,
}, async () => {
  const server = await RawServer.listen();
  const connecting = connectWebSocket(`ws://127.0.0.1:${server.address.port}/`);
  const peer = await server.accept();
  await peer.write(await acceptHandshake(peer));
  const channel = await connecting;
  await peer.close();
  assert.equal((await channel.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
  await server.close();
});
