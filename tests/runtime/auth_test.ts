/** Who may come in, over real sockets: keys, certificates, and what `verify` says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect as connectTlsSocket } from "node:tls";
import { type Channel, type ChannelError, type ChannelEvent, Router } from "../../mod.ts";
import {
  connect,
  dial,
  type DialOptions,
  listen,
  type ListenOptions,
} from "../../src/runtime/net.ts";
import { certificateNames, peerCertificate } from "../../src/runtime/peer_certificate.ts";
import {
  clientCertificate,
  manyNamesCertificate,
  testCertificate,
} from "../support/certificate.ts";
import { connectRaw, RawSocket } from "../support/raw_socket.ts";
import { next, record, rejection } from "../support/routers.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";
import { handshake, readHead } from "../support/websocket_client.ts";

const timeout = 20_000;
const { cert, key, ca } = testCertificate;
const KEY = crypto.getRandomValues(new Uint8Array(32));
const URLS = ["tcp+aln://127.0.0.1:0", "tls+aln://localhost:0", "ws://127.0.0.1:0/aln"];
/** Pauses that no test sees the end of: whoever waits does not try again. */
const ONCE: DialOptions = { minDelay: 3_600_000, maxDelay: 3_600_000, random: () => 1 };

/** A channel event in words. */
function words({ open, reason, identity }: ChannelEvent): unknown {
  if (open) return identity;
  const { code, message } = reason as ChannelError;
  return `${code}: ${message.replace("Cannot accept channel: the neighbour ", "")}`;
}

/** A server, and a client that dials it; both routers' first word of it. */
async function meet(
  url: string,
  names: [server: string, client: string],
  listening: ListenOptions,
  dialing: DialOptions,
) {
  const server = new Router(names[0]);
  const client = new Router(names[1]);
  server.registerService("greet", (packet, reply) => void reply(`hello ${packet.text()}`));
  const listener = await listen(url, server, { cert, key, ...listening });
  const told = [server, client].map((router) => next(router, "channel"));
  const dialer = dial(client, listener.url, { ...ONCE, ...dialing });
  const outcome = (await Promise.all(told)).map(words);
  const end = async () => {
    await Promise.all([client.close(), server.close(), listener.close()]);
  };
  return { server, client, dialer, outcome, end };
}

for (const url of URLS) {
  const connect = { ca: [ca] };

  test(`listen("${url}") and dial() let those in who know the key`, { timeout }, async () => {
    const link = { key: KEY };
    const { client, outcome, end } = await meet(url, ["hub", "edge"], { link }, { connect, link });
    const certificate = url.startsWith("tls") ? ["localhost"] : undefined;
    assert.deepEqual(
      outcome.map((it) => {
        const { address, certificate } = it as NonNullable<ChannelEvent["identity"]>;
        return [address, certificate?.names];
      }),
      [["edge", undefined], ["hub", certificate]],
    );
    await client.waitForService("greet");
    assert.equal((await client.request("greet", "world")).text(), "hello world");
    await end();
  });

  test(`listen("${url}") refuses another key, both know why, and dial() ends`, {
    timeout,
  }, async () => {
    const { dialer, outcome, end } = await meet(
      url,
      ["hub", "edge"],
      { link: { key: KEY } },
      { connect, link: { key: "another" } },
    );
    assert.deepEqual(outcome, [
      "ERR_CHANNEL_AUTH: does not know the key",
      "ERR_CHANNEL_AUTH: does not accept the key of this router",
    ]);
    assert.equal((await dialer.closed as ChannelError).code, "ERR_CHANNEL_AUTH");
    await end();
  });

  test(`listen("${url}") refuses a router without a key, and both know why`, {
    timeout,
  }, async () => {
    const server = new Router("hub", { networkKey: KEY });
    const listener = await listen(url, server, { cert, key });
    const client = new Router("edge");
    const told = record(client);
    const refused = next(server, "channel");
    const dialer = dial(client, listener.url, { ...ONCE, connect });
    assert.equal((await dialer.closed as ChannelError).code, "ERR_CHANNEL_AUTH");
    assert.deepEqual(told, [
      "channel open",
      "channel closed: Cannot accept channel: the neighbour wants a key, and there is none here",
    ]);
    assert.equal(words(await refused), "ERR_CHANNEL_AUTH: has no key");
    await Promise.all([client.close(), server.close(), listener.close()]);
  });
}

// ── certificates ────────────────────────────────────────────────────────────

const OWN = { cert: clientCertificate.cert, key: clientCertificate.key };

test("A channel over TLS tells the peer's certificate, on both sides", { timeout }, async () => {
  const accepted = Promise.withResolvers<Awaited<ReturnType<typeof sockets.connectTls>>>();
  const { connectTls, listenTls } = sockets;
  const listener = await listenTls(LOOPBACK, accepted.resolve, {
    cert,
    key,
    ca: [clientCertificate.ca],
  });
  const { port } = listener.address;
  const near = await connectTls({ hostname: "localhost", port }, { ca: [ca], ...OWN });
  const far = await accepted.promise;
  assert.deepEqual([near.side, near.peer?.names], ["opened", ["localhost"]]);
  assert.deepEqual([far.side, far.peer?.names], ["accepted", ["client"]]);
  for (const { peer } of [near, far]) {
    assert.match(peer!.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  }
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
});

test("A channel has no certificate where none was asked for, nor without TLS", {
  timeout,
}, async () => {
  for (const url of URLS) {
    const accepted = Promise.withResolvers<{ peer?: unknown; side?: string }>();
    const listener = await listen(url, (channel, options) => {
      assert.deepEqual(options, {});
      accepted.resolve(channel);
    }, { cert, key });
    const near = await connect(listener.url, { ca: [ca] });
    const { peer, side } = await accepted.promise;
    assert.deepEqual([peer, side, near.side], [null, "accepted", "opened"]);
    assert.equal(near.peer === null, !url.startsWith("tls"));
    near.close(new Error("enough"));
    await listener.close();
  }
});

test("A channel over wss: tells a client's certificate, but in Bun", { timeout }, async () => {
  const accepted = Promise.withResolvers<Channel>();
  const listener = await listen("wss://localhost:0", accepted.resolve, {
    cert,
    key,
    ca: [clientCertificate.ca],
  });
  const { port } = listener.address;
  const socket = connectTlsSocket({
    host: "localhost",
    port,
    servername: "localhost",
    ca: [ca],
    ...OWN,
  });
  await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
  const client = new RawSocket(socket);
  await client.write(handshake());
  assert.equal((await readHead(client)).status, 101);
  const { side, peer } = await accepted.promise;
  assert.deepEqual([side, peer?.names], ["accepted", runtime === "bun" ? undefined : ["client"]]);
  await client.close();
  await listener.close();
});

test("A certificate's names are what it says, one by one, in every runtime", {
  timeout,
}, async () => {
  const names = ["kitchen", "second", "evil, DNS:admin", "röuter", "plain"];
  const der = (pem: string) =>
    Uint8Array.from(atob(pem.replaceAll(/-.*-|\s/g, "")), (c) => c.charCodeAt(0));
  const whole = der(manyNamesCertificate.cert);
  assert.deepEqual(certificateNames(whole), names);
  assert.deepEqual(certificateNames(der(cert)), ["localhost"]);
  for (let size = 0; size < whole.length; size++) { // And nothing that it does not.
    const read = certificateNames(whole.subarray(0, size));
    assert.ok(read.every((name) => names.includes(name)), `${size}`);
  }
  const listener = Promise.withResolvers<string[]>();
  const server = await listen("tls+aln://localhost:0", (channel) => {
    listener.resolve([...channel.peer!.names]);
    channel.close();
  }, { cert, key, ca: [manyNamesCertificate.ca] });
  const own = { cert: manyNamesCertificate.cert, key: manyNamesCertificate.key };
  const near = await connect(server.url, { ca: [ca], ...own });
  assert.deepEqual(await listener.promise, names);
  await Promise.all([near.closed, server.close()]);
});

test("A certificate that nobody has verified says nothing", () => {
  const certificate = { raw: new Uint8Array(0), fingerprint256: "AA" };
  const socket = { authorized: true, getPeerCertificate: () => certificate };
  assert.deepEqual(peerCertificate(socket), { names: [], fingerprint: "AA" });
  assert.equal(peerCertificate({ ...socket, authorized: false }), null);
  assert.equal(peerCertificate({ ...socket, getPeerCertificate: () => ({}) }), null);
  assert.equal(peerCertificate({}), null);
});

test("LinkOptions.identity lets in whose address its certificate names, on both sides", {
  timeout,
}, async () => {
  const link = { identity: true };
  const { client, outcome, end } = await meet(
    "tls+aln://localhost:0",
    ["localhost", "client"],
    { link, ca: [clientCertificate.ca] },
    { link, connect: { ca: [ca], ...OWN } },
  );
  assert.deepEqual(
    outcome.map((it) => (it as NonNullable<ChannelEvent["identity"]>).certificate?.names),
    [["client"], ["localhost"]],
  );
  await client.waitForService("greet");
  assert.equal((await client.request("greet", "world")).text(), "hello world");
  await end();
});

test("LinkOptions.identity refuses a client of another address, and dial() ends", {
  timeout,
}, async () => {
  const { dialer, outcome, end } = await meet(
    "tls+aln://localhost:0",
    ["hub", "somebody"],
    { link: { identity: true }, ca: [clientCertificate.ca] },
    { link: { key: null }, connect: { ca: [ca], ...OWN } },
  );
  assert.deepEqual(outcome[0], 'ERR_CHANNEL_AUTH: calls itself "somebody", and may not');
  assert.match(String(await dialer.closed), /does not accept the address of this router$/);
  await end();
});

test(
  "LinkOptions.identity of dial() refuses a server of another address",
  { timeout },
  async () => {
    const { dialer, outcome, end } = await meet(
      "tls+aln://localhost:0",
      ["hub", "edge"],
      {},
      { link: { identity: true }, connect: { ca: [ca] } },
    );
    assert.deepEqual(outcome[1], 'ERR_CHANNEL_AUTH: calls itself "hub", and may not');
    assert.equal((await dialer.closed as ChannelError).code, "ERR_CHANNEL_AUTH");
    await end();
  },
);

test("LinkOptions.identity of dial() says that a WebSocket does not tell its certificate", {
  timeout,
}, async () => {
  const server = new Router("hub");
  const listener = await listen("ws://127.0.0.1:0", server);
  const client = new Router("edge");
  const dialer = dial(client, listener.url, { ...ONCE, link: { identity: true } });
  const { code, message } = await dialer.closed as ChannelError;
  assert.deepEqual([code, message], [
    "ERR_CHANNEL_AUTH",
    "Cannot accept channel: no certificate of the neighbour's is known here, and so not who it is",
  ]);
  await Promise.all([client.close(), server.close(), listener.close()]);
});

test("listen() refuses LinkOptions.identity where no certificate would be known", async () => {
  const cases: [url: string, options: ListenOptions][] = [
    ["tcp+aln://127.0.0.1:0", {}],
    ["ws://127.0.0.1:0", { ca: [ca] }],
    ["tls+aln://127.0.0.1:0", { cert, key }],
    ["wss://127.0.0.1:0", { cert, key }],
  ];
  if (runtime === "bun") cases.push(["wss://127.0.0.1:0", { cert, key, ca: [ca] }]);
  for (const [url, options] of cases) {
    const error = await rejection(listen(url, () => {}, { ...options, link: { identity: true } }));
    assert(error instanceof TypeError);
    assert.match(error.message, /: link\.identity needs a tls: URL and the option ca, or /);
  }
  for (const link of [{ key: "" }, { auth: "maybe" }] as object[]) {
    const error = await rejection(listen("tcp+aln://127.0.0.1:0", () => {}, { link }));
    assert(error instanceof TypeError);
  }
});

// ── verify ──────────────────────────────────────────────────────────────────

test("verify() of listen() may say what one client's link is attached with", {
  timeout,
}, async () => {
  const server = new Router("hub");
  const keys: Record<string, string> = { kitchen: "one", hall: "two" };
  const listener = await listen("ws://127.0.0.1:0", server, {
    link: { key: "nobody's", auth: "require" },
    verify({ url, headers }) {
      assert.equal(headers.get("upgrade"), "websocket");
      const key = keys[new URL(url).searchParams.get("who") ?? ""];
      return Promise.resolve(key === undefined ? false : { link: { key } });
    },
  });
  for (const [who, theirs, open] of [["kitchen", "one", true], ["hall", "one", false]] as const) {
    const client = new Router(who);
    const outcome = next(client, "channel");
    client.addChannel(await connect(`${listener.url}?who=${who}`), { key: theirs });
    assert.equal((await outcome).open, open);
    await client.close();
  }
  assert.ok(await rejection(connect(`${listener.url}?who=cellar`)) instanceof Error);
  await Promise.all([server.close(), listener.close()]);
});

test("listen() gives a function what each channel is to be attached with", {
  timeout,
}, async () => {
  const given: unknown[] = [];
  const server = new Router("hub");
  const listener = await listen("ws://127.0.0.1:0", (channel, options) => {
    given.push(options);
    server.addChannel(channel, options);
  }, { link: { auth: "prefer", key: "a" }, verify: () => ({ link: { key: "b" } }) });
  const client = new Router("edge");
  const outcome = next(client, "channel");
  client.addChannel(await connect(listener.url), { key: "b" });
  assert.equal((await outcome).identity?.address, "hub");
  assert.deepEqual(given, [{ auth: "prefer", key: "b" }]);
  await Promise.all([client.close(), server.close(), listener.close()]);
});

test("verify() that never answers is refused with 503 after ten seconds", {
  timeout: 60_000,
}, async () => {
  const { listenWebSocket } = sockets;
  const accepted: unknown[] = [];
  const listener = await listenWebSocket(LOOPBACK, (channel) => accepted.push(channel), {
    verify: () => new Promise<boolean>(() => {}),
  });
  const started = performance.now();
  const client = await connectRaw(listener.address.port);
  await client.write(handshake());
  assert.equal((await readHead(client)).status, 503);
  const seconds = (performance.now() - started) / 1_000;
  assert.ok(seconds > 9 && seconds < 30, `it took ${seconds} s`);
  assert.deepEqual(accepted, []);
  await Promise.all([listener.close(), client.close()]);
});
