/** `dial()` over real sockets: servers that go and come back, and those that refuse. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import {
  dial,
  type DialerEvent,
  type DialOptions,
  listen,
  type UrlListener,
} from "../../src/runtime/net.ts";
import { clientCertificate, testCertificate } from "../support/certificate.ts";
import { rejection } from "../support/routers.ts";
import { runScript } from "../support/script.ts";

const timeout = 20_000;
const { cert, key, ca } = testCertificate;

/** Short pauses: the tests wait for events, and have not all day. */
const QUICK: DialOptions = { minDelay: 5, maxDelay: 20, connect: { ca: [ca] } };

/** A server that offers `ping`. */
class Server implements AsyncDisposable {
  readonly router: Router;
  readonly listener: UrlListener;

  private constructor(router: Router, listener: UrlListener) {
    this.router = router;
    this.listener = listener;
  }

  static async start(url: string, address: string): Promise<Server> {
    const router = new Router(address);
    router.registerService("ping", (_packet, reply) => void reply(`pong from ${address}`));
    return new Server(router, await listen(url, router, { cert, key }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.close();
    await this.router.close();
  }
}

for (const url of ["tcp+aln://127.0.0.1:0", "tls+aln://localhost:0", "ws://127.0.0.1:0/aln"]) {
  test(`dial("${url}") finds a server again that comes back on its port`, {
    timeout,
  }, async () => {
    const client = new Router("client");
    client.registerService("echo", (packet, reply) => void reply(packet.data));
    const first = await Server.start(url, "first");
    const bound = first.listener.url;
    const dialer = dial(client, bound, QUICK);
    const states: string[] = [];
    dialer.addEventListener("status", ({ state }) => states.push(state));
    await dialer.connected();
    await client.waitForService("ping");
    assert.equal((await client.request("ping")).text(), "pong from first");
    await first.router.waitForService("echo");
    assert.equal((await first.router.request("echo", "1")).text(), "1");
    assert.deepEqual(states, ["connecting", "connected"]);

    const refused = new Promise<void>((resolve) => {
      let waits = 0;
      dialer.addEventListener(
        "status",
        ({ state }) => state === "waiting" && ++waits === 3 && resolve(),
      );
    });
    await first[Symbol.asyncDispose]();
    await refused; // Once for the connection, and twice for attempts.
    assert.deepEqual(client.serviceAddresses("ping"), []);

    const second = await Server.start(bound, "second");
    await client.waitForService("ping");
    assert.equal((await client.request("ping")).text(), "pong from second");
    await second.router.waitForService("echo");
    assert.equal((await second.router.request("echo", "2")).text(), "2");
    assert.equal(states.at(-1), "connected");
    await dialer.close();
    assert.equal(await dialer.closed, undefined);
    await second[Symbol.asyncDispose]();
    await client.close();
  });
}

test("dial() has its router told what `link` says of each channel", { timeout }, async () => {
  const server = await Server.start("tcp+aln://127.0.0.1:0", "server");
  const client = new Router("client");
  const dialer = dial(client, server.listener.url, { ...QUICK, link: { cost: 3 } });
  for (let i = 0; i < 2; i++) {
    const channel = await dialer.connected();
    await client.waitForService("ping");
    assert.deepEqual(client.routes(), [{ address: "server", cost: 3, via: "server" }]);
    channel.close();
    await new Promise((resolve) => dialer.addEventListener("status", resolve, { once: true }));
  }
  await client.close();
  await server[Symbol.asyncDispose]();
});

test("dial() asks for its URL and its options before every attempt", { timeout }, async () => {
  const seen: (string | null)[] = [];
  const server = new Router("server");
  const listener = await listen("ws://127.0.0.1:0", server, {
    verify(request) {
      const token = new URL(request.url).searchParams.get("token");
      seen.push(token);
      return token === "3";
    },
  });
  const client = new Router("client");
  let tokens = 0;
  let options = 0;
  const dialer = dial(client, (signal) => {
    assert.equal(signal.aborted, false);
    tokens++;
    if (tokens === 2) throw new TypeError("fetch failed"); // Temporary, though of that class.
    return Promise.resolve(`${listener.url}?token=${tokens}`);
  }, {
    ...QUICK,
    connect: () => {
      options++;
      return { format: "binary" };
    },
  });
  await dialer.connected();
  assert.deepEqual([seen, tokens, options], [["1", "3"], 3, 2]);
  await client.close();
  await dialer.closed;
  await listener.close();
  await server.close();
});

test("dial() ends at a URL that cannot be used, however it is told", { timeout }, async () => {
  const client = new Router("client");
  for (const url of ["nowhere", "http://localhost/", "tcp+aln://localhost", "ws://localhost/#x"]) {
    for (const given of [url, () => url, () => Promise.resolve(url)]) {
      const dialer = dial(client, given, { isFatal: () => false });
      const events: DialerEvent[] = [];
      dialer.addEventListener("status", (event) => events.push(event));
      const error = await rejection(dialer.connected());
      assert(error instanceof TypeError && /^Cannot use /.test(error.message));
      assert.equal(await dialer.closed, error);
      assert.deepEqual(events.map(({ state }) => state), ["connecting", "closed"]);
    }
  }
  await client.close();
});

test("dial() ends when either side refuses the other's certificate, unless told otherwise", {
  timeout,
}, async () => {
  const client = new Router("client");
  const server = new Router("server");
  const ours = await listen("tls+aln://localhost:0", server, { cert, key });
  const theirs = await listen("tls+aln://localhost:0", server, {
    ...{ cert, key, ca: [clientCertificate.ca] },
  });
  const cases: [url: string, options: DialOptions][] = [
    [ours.url, {}],
    [ours.url, { connect: { ca: [ca], serverName: "other.example" } }],
    [theirs.url, { connect: { ca: [ca] } }],
  ];
  for (const [url, options] of cases) {
    const error = await dial(client, url, options).closed;
    assert(error instanceof Error);
  }
  const stubborn = dial(client, ours.url, {
    ...{ minDelay: 1, maxAttempts: 3, isFatal: () => false },
  });
  let attempts = 0;
  stubborn.addEventListener("status", ({ attempt }) => attempts = attempt);
  assert(await stubborn.closed instanceof Error);
  assert.equal(attempts, 3);
  await Promise.all([ours.close(), theirs.close(), client.close(), server.close()]);
});

test("dial() goes on after a listener of its events has thrown, and leaves nothing that runs", {
  timeout,
}, async () => {
  const script = runScript("./throwing_dialer.ts");
  assert.deepEqual((await script.rest()).split("\n"), [
    "reported: at connecting",
    "reported: at connected",
    "pong",
    "reported: at closed",
    "closed: undefined",
  ]);
  await script.end();
});
