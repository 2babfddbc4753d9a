/** `connect()` and `listen()` by URL, in the runtime that runs this. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type BaseChannel, type Channel, Packet, Router } from "../../mod.ts";
import { connect, listen, type ListenOptions } from "../../src/runtime/net.ts";
import { clientCertificate, testCertificate } from "../support/certificate.ts";
import { failureCode, next, rejection } from "../support/routers.ts";
import { name as runtime, sockets } from "../support/runtime.ts";
import { runScript } from "../support/script.ts";

const timeout = 20_000;
const { cert, key, ca } = testCertificate;

/** What each scheme is listened to by; a standard client trusts no certificate of ours. */
const URLS: [url: string, bound: RegExp][] = [
  ["tcp+aln://127.0.0.1:0", /^tcp\+aln:\/\/127\.0\.0\.1:\d+$/],
  ["tcp+aln://localhost:0", /^tcp\+aln:\/\/localhost:\d+$/],
  ["tcp+aln://[::1]:0", /^tcp\+aln:\/\/\[::1\]:\d+$/],
  ["tls+aln://localhost:0", /^tls\+aln:\/\/localhost:\d+$/],
  ["tls+aln://127.0.0.1:0", /^tls\+aln:\/\/127\.0\.0\.1:\d+$/],
  ["ws://127.0.0.1:0", /^ws:\/\/127\.0\.0\.1:\d+\/$/],
  ["ws://127.0.0.1:0/a%20b/c?token=1", /^ws:\/\/127\.0\.0\.1:\d+\/a%20b\/c\?token=1$/],
  ["ws://localhost:0/aln", /^ws:\/\/localhost:\d+\/aln$/],
  ["ws://[::1]:0/", /^ws:\/\/\[::1\]:\d+\/$/],
];

for (const [url, bound] of URLS) {
  test(`listen("${url}") gives its channels to a router, and connect() takes its url`, {
    timeout,
  }, async () => {
    const server = new Router("server");
    server.registerService("greet", (packet, reply) => void reply(`hello ${packet.text()}`));
    const listener = await listen(url, server, { cert, key });
    assert.match(listener.url, bound);
    assert.equal(new URL(listener.url).port, String(listener.address.port));
    const client = new Router("client");
    client.addChannel(await connect(listener.url, { ca: [ca] }));
    await client.waitForService("greet");
    assert.equal((await client.request("greet", "world")).text(), "hello world");
    await client.close();
    await listener.close();
    await listener.close();
    assert.ok(await rejection(connect(listener.url, { ca: [ca] })) instanceof Error);
    await server.close();
  });

  test(`listen("${url}") gives its channels to a function`, { timeout }, async () => {
    const accepted = Promise.withResolvers<Channel>();
    const listener = await listen(new URL(url), accepted.resolve, { cert, key });
    const near = await connect(new URL(listener.url), { ca: [ca], format: "binary" });
    const far = await accepted.promise;
    const received = new Promise<Packet>((resolve) => far.onPacket = resolve);
    near.send(new Packet({ srv: "ping", data: "hi" }));
    assert.equal((await received).text(), "hi");
    const told = new Promise<unknown>((resolve) => far.onClose = resolve);
    near.close();
    far.close();
    assert.deepEqual([await told, await near.closed], [undefined, undefined]);
    await listener[Symbol.asyncDispose]();
  });
}

/** Waits until a router reaches an address. */
async function reached(router: Router, address: string): Promise<void> {
  while (!router.routes().some((route) => route.address === address)) await next(router, "route");
}

test("listen() passes its options on to the channels", { timeout }, async () => {
  for (const url of ["tcp+aln://127.0.0.1:0", "tls+aln://127.0.0.1:0", "ws://127.0.0.1:0"]) {
    const controller = new AbortController();
    const accepted = Promise.withResolvers<Channel>();
    const options: ListenOptions = { cert, key, highWater: 1_000, signal: controller.signal };
    const listener = await listen(url, accepted.resolve, options);
    const near = await connect(listener.url, { ca: [ca] });
    const far = await accepted.promise as BaseChannel<unknown>;
    while (far.send(new Packet({ srv: "s", data: new Uint8Array(90) })));
    assert.ok(far.bufferedBytes <= 1_000, `${url}: ${far.bufferedBytes}`);
    const reason = new Error("enough");
    controller.abort(reason);
    assert.equal(await far.closed, reason);
    await near.closed;
    await listener.close();
  }
});

test("listen() has its router told what `link` says of each channel", { timeout }, async () => {
  for (const url of ["tcp+aln://127.0.0.1:0", "ws://127.0.0.1:0"]) {
    const server = new Router("server");
    const given: Channel[] = [];
    const listener = await listen(url, server, {
      link(channel) {
        given.push(channel);
        return { policy: { sees: ["ping"] }, cost: 1 + given.length };
      },
    });
    for (const service of ["ping", "admin"]) server.registerService(service, () => {});
    const clients = [new Router("client 1"), new Router("client 2")];
    for (const client of clients) {
      client.registerService("door", () => {});
      client.addChannel(await connect(listener.url));
      await client.waitForService("ping");
      assert.deepEqual(client.services().filter(({ service }) => service === "admin"), []);
    }
    await Promise.all(["client 1", "client 2"].map((address) => reached(server, address)));
    assert.deepEqual(server.routes().map(({ cost }) => cost).sort(), [2, 3]);
    assert.equal(given.length, 2);
    await Promise.all([...clients, server].map((router) => router.close()));
    await listener.close();
  }
});

test("listen() hands `link` on to a function that is given the channels", { timeout }, async () => {
  const link = { cost: 3 };
  const given = Promise.withResolvers<unknown[]>();
  const listener = await listen("tcp+aln://127.0.0.1:0", (...all) => given.resolve(all), { link });
  const near = await connect(listener.url);
  const [channel, options] = await given.promise;
  assert.deepEqual(options, link);
  (channel as Channel).close();
  near.close();
  await near.closed;
  await listener.close();
});

test("listen() and connect() know what WebSockets need", { timeout }, async () => {
  const seen: string[] = [];
  const listener = await listen("ws://127.0.0.1:0/aln", () => {}, {
    verify(request) {
      seen.push(request.url);
      return new URL(request.url).searchParams.get("token") === "1";
    },
    respond: () => new Response("hello"),
  });
  const refused = [listener.url, listener.url.replace("/aln", "/other?token=1")];
  for (const url of refused) assert.equal(await failureCode(connect(url)), "ERR_CHANNEL_CLOSED");
  const near = await connect(`${listener.url}?token=1`);
  near.close();
  await near.closed;
  assert.deepEqual(
    seen,
    [listener.url, `${listener.url}?token=1`].map((url) => url.replace("ws:", "http:")),
  );
  assert.equal(await (await fetch(listener.url.replace("ws:", "http:"))).text(), "hello");
  await listener.close();
});

test("listen() wants clients' certificates for tls+aln: and wss: alike, if it is given ca", {
  timeout,
}, async () => {
  for (const url of ["tls+aln://localhost:0", "wss://localhost:0"]) {
    const accepted: Channel[] = [];
    const listener = await listen(url, (channel) => void accepted.push(channel), {
      cert,
      key,
      ca: [clientCertificate.ca],
    });
    const address = { hostname: "localhost", port: listener.address.port };
    const stranger = await sockets.connectTls(address, { ca: [ca] }).catch(() => null);
    await stranger?.closed; // In TLS 1.3 it may be told later.
    assert.deepEqual(accepted, []);
    const own = { cert: clientCertificate.cert, key: clientCertificate.key };
    const friend = await sockets.connectTls(address, { ca: [ca], ...own });
    if (url.startsWith("tls")) friend.send(new Packet({ srv: "ping" }));
    friend.close(url.startsWith("tls") ? undefined : new Error("it speaks no HTTP"));
    await friend.closed;
    await listener.close();
  }
});

test("listen() and connect() speak wss: with the runtime's own client", { timeout }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "aln-"));
  const file = join(folder, "ca.pem");
  writeFileSync(file, ca);
  const script = runScript("./secure_websocket.ts", {
    DENO_CERT: file,
    NODE_EXTRA_CA_CERTS: file,
  });
  try {
    assert.equal(await script.rest(), "hello wss:");
  } finally {
    await script.end();
    rmSync(folder, { recursive: true });
  }
});

test("connect() throws for a certificate that is not trusted", { timeout }, async () => {
  for (const url of ["tls+aln://localhost:0", "wss://localhost:0"]) {
    const listener = await listen(url, () => {}, { cert, key });
    assert.ok(await rejection(connect(listener.url)) instanceof Error);
    await listener.close();
  }
});

test("listen() throws EADDRINUSE for an address that is in use", { timeout }, async () => {
  const listener = await listen("tcp+aln://127.0.0.1:0", () => {});
  const { port } = listener.address;
  for (const scheme of ["tcp+aln", "tls+aln", "ws", "wss"]) {
    const listening = listen(`${scheme}://127.0.0.1:${port}`, () => {}, { cert, key });
    assert.equal(await failureCode(listening), "EADDRINUSE", scheme);
  }
  await listener.close();
});

test("connect() throws when nobody listens", { timeout }, async () => {
  const listener = await listen("tcp+aln://127.0.0.1:0", () => {});
  const { port } = listener.address;
  await listener.close();
  const CODES = [["tcp+aln", "ECONNREFUSED"], ["tls+aln", "ECONNREFUSED"], [
    "ws",
    "ERR_CHANNEL_CLOSED",
  ]];
  for (const [scheme, code] of CODES) {
    assert.equal(await failureCode(connect(`${scheme}://127.0.0.1:${port}`)), code);
  }
});

test("connect() ends with the reason of its signal", { timeout }, async () => {
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  for (const url of ["tcp+aln://127.0.0.1:1", "tls+aln://127.0.0.1:1", "ws://127.0.0.1:1"]) {
    assert.equal(await rejection(connect(url, { signal })), reason);
  }
});

const schemes = "it begins with none of tcp+aln: tls+aln: tcp+maln: tls+maln: ws: wss:";
const BAD: [url: string, message: string][] = [
  ["", 'Cannot use "": it is no URL'],
  ["localhost", 'Cannot use "localhost": it is no URL'],
  ["127.0.0.1:8181", 'Cannot use "127.0.0.1:8181": it is no URL'],
  ["localhost:8181", `Cannot use localhost:8181: ${schemes}`],
  ["tcp://localhost:1", `Cannot use tcp://localhost:1: ${schemes}`],
  ["http://localhost/", `Cannot use http://localhost/: ${schemes}`],
  ["ws+aln://localhost:1", `Cannot use ws+aln://localhost:1: ${schemes}`],
  ["tcp+aln://localhost", "Cannot use tcp+aln://localhost: it names no port"],
  ["tls+aln://localhost/x", "Cannot use tls+aln://localhost/x: it names no port"],
  ["tcp+aln:localhost:1", "Cannot use tcp+aln:localhost:1: it names no host"],
  ["tcp+aln:///x", "Cannot use tcp+aln:///x: it names no host"],
  ["tcp+maln://localhost/x", "Cannot use tcp+maln://localhost/x: it names no port"],
  ["tls+maln:///x", "Cannot use tls+maln:///x: it names no host"],
  ["ssl+maln://localhost:1/x", `Cannot use ssl+maln://localhost:1/x: ${schemes}`],
  ["ws://localhost:1/#x", "Cannot use ws://localhost:1/#x: it has a fragment"],
  ["tcp+aln://localhost:65536", 'Cannot use "tcp+aln://localhost:65536": it is no URL'],
  ["tcp+aln://[::1:1", 'Cannot use "tcp+aln://[::1:1": it is no URL'],
];
for (const [url, message] of BAD) {
  test(`connect() and listen() throw a TypeError for "${url}" that says why`, {
    timeout,
  }, async () => {
    for (const promise of [connect(url), listen(url, () => {})]) {
      const error = await rejection(promise) as Error;
      assert.deepEqual([error instanceof TypeError, error.message], [true, message]);
    }
  });
}

test("listen() throws a TypeError that names the options if a certificate is missing", {
  timeout,
}, async () => {
  for (const url of ["tls+aln://localhost:0", "wss://localhost:0/"]) {
    for (const options of [{}, { cert }, { key }]) {
      const error = await rejection(listen(url, () => {}, options)) as Error;
      assert.deepEqual([error instanceof TypeError, error.message], [
        true,
        `Cannot listen on ${url}: it needs the options cert and key`,
      ]);
    }
  }
});

test("listen() leaves it to a router that is closed to send channels away", {
  timeout,
}, async () => {
  const router = new Router("closed");
  await router.close();
  const listener = await listen("tcp+aln://127.0.0.1:0", router);
  const channel = await connect(listener.url);
  await channel.closed;
  await listener.close();
});

test("connect() and listen() say in a browser what to use instead", { timeout }, async () => {
  if (runtime === "bun") return; // Its global cannot be taken away; it runs the same code.
  const script = runScript("./browser_like.ts");
  const from = "from a browser: use a ws:// or wss:// URL";
  assert.deepEqual((await script.rest()).split("\n"), [
    `TypeError: Cannot connect to tcp+aln://127.0.0.1:1 ${from}`,
    `TypeError: Cannot connect to tls+aln://127.0.0.1:1 ${from}`,
    `TypeError: Cannot connect to tcp+maln://127.0.0.1:1/home ${from}`,
    "TypeError: Cannot listen on tcp+aln://127.0.0.1:0 in a browser: a page can only connect",
    "TypeError: Cannot listen on ws://127.0.0.1:0/ in a browser: a page can only connect",
    "ws: ERR_CHANNEL_CLOSED",
  ]);
  await script.end();
});
