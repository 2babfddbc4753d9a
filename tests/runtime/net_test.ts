import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, Router } from "../../mod.ts";
import { connect, listen, type ListenOptions } from "../../src/runtime/net.ts";
import { testCertificate } from "../support/certificate.ts";
import { name as runtime } from "../support/runtime.ts";

const { cert, key, ca } = testCertificate;

const urls: [url: string, options?: ListenOptions][] = [
  ["tcp+aln://127.0.0.1:0"],
  ["tcp+aln://[::1]:0"],
  ["tls+aln://127.0.0.1:0", { cert, key }],
  ["ws://127.0.0.1:0/"],
  ["ws://127.0.0.1:0/mesh"],
];

for (const [url, options] of urls) {
  test(`listen("${url}") under ${runtime} gives a router what connect() opens`, {
    timeout: 10_000,
  }, async () => {
    const server = new Router("server");
    server.registerService("ping", (_packet, reply) => void reply("pong"));
    const listener = await listen(url, server, options);
    const client = new Router("client");
    client.addChannel(await connect(listener.url, { ca: [ca] }));
    await client.waitForService("ping");
    assert.equal((await client.request("ping")).text(), "pong");
    await client.close();
    await server.close();
    await listener.close();
  });
}

test("listen() gives channels to a function, too, and disposing of it stops it", {
  timeout: 10_000,
}, async () => {
  const accepted = Promise.withResolvers<Channel>();
  const listener = await listen("tcp+aln://127.0.0.1:0", accepted.resolve);
  const channel = await connect(new URL(listener.url));
  (await accepted.promise).close();
  await channel.closed;
  await listener[Symbol.asyncDispose]();
  await assert.rejects(connect(listener.url));
});

test("connect() and listen() say what is wrong with a URL", async () => {
  const wrong: [url: string, what: RegExp][] = [
    ["no url", /it is no URL/],
    ["http://localhost:1", /begins with none of tcp\+aln: tls\+aln: ws: wss:/],
    ["tcp+aln://localhost", /names no port/],
    ["tcp+aln://:8001", /names no host|no URL/],
  ];
  for (const [url, message] of wrong) {
    await assert.rejects(connect(url), { name: "TypeError", message });
    await assert.rejects(listen(url, () => {}), { name: "TypeError", message });
  }
});

test("listen() asks for the certificate that a secure URL needs", async () => {
  for (const url of ["tls+aln://127.0.0.1:0", "wss://127.0.0.1:0/"]) {
    const message = /it needs the options cert and key/;
    await assert.rejects(listen(url, () => {}), { name: "TypeError", message });
  }
});

test("connect() takes an abort before and while it connects", { timeout: 10_000 }, async () => {
  const listener = await listen("tcp+aln://127.0.0.1:0", () => {});
  const reason = new Error("never mind");
  for (const url of [listener.url, listener.url.replace("tcp+aln", "ws")]) {
    await assert.rejects(connect(url, { signal: AbortSignal.abort(reason) }), reason);
    const controller = new AbortController();
    const connecting = connect(url, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(connecting, reason);
  }
  await listener.close();
});
