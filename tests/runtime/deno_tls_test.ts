import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type TcpChannel } from "../../mod.ts";
import { connectTls, listenTls } from "../../src/runtime/deno.ts";
import { testCertificate } from "../support/certificate.ts";
import { CountingController, rejection } from "../support/routers.ts";

const { ca, cert, key } = testCertificate;

async function listening() {
  const channels: TcpChannel[] = [];
  const listener = await listenTls(
    { hostname: "127.0.0.1", port: 0 },
    (channel) => void channels.push(channel),
    { cert, key },
  );
  return { listener, channels, address: { hostname: "localhost", port: listener.address.port } };
}

test("connectTls() trusts the authorities that it is given", { timeout: 10_000 }, async () => {
  const { listener, channels, address } = await listening();
  const near = await connectTls(address, { ca: [ca] });
  near.send(new Packet({ srv: "ping" }));
  const received = await new Promise<Packet>((resolve) => channels[0]!.onPacket = resolve);
  assert.equal(received.srv, "ping");
  near.close();
  await Promise.all([near.closed, channels[0]!.closed, listener.close()]);
});

test("connectTls() throws when the certificate is not trusted", { timeout: 10_000 }, async () => {
  const { listener, channels, address } = await listening();
  const controller = new CountingController();
  const { signal } = controller;
  await assert.rejects(connectTls(address, { signal }), Deno.errors.InvalidData);
  assert.equal(controller.listening, 0);
  // The listener is none the worse for it.
  const near = await connectTls(address, { ca: [ca], signal });
  near.close();
  await Promise.all([...channels.map((channel) => channel.closed), near.closed]);
  assert.equal(controller.listening, 0);
  await listener.close();
});

test("connectTls() throws ConnectionRefused when nobody listens", { timeout: 10_000 }, async () => {
  const { listener, address } = await listening();
  await listener.close();
  await assert.rejects(connectTls(address), Deno.errors.ConnectionRefused);
});

test("connectTls() ends with the reason of its signal, before and while it connects", {
  timeout: 10_000,
}, async () => {
  const { listener, channels, address } = await listening();
  const reason = new Error("never mind");
  assert.equal(
    await rejection(connectTls(address, { ca: [ca], signal: AbortSignal.abort(reason) })),
    reason,
  );
  const controller = new CountingController();
  const { signal } = controller;
  const connecting = rejection(connectTls(address, { ca: [ca], signal }));
  controller.abort(reason);
  assert.equal(await connecting, reason);
  await Promise.all(channels.map((channel) => channel.closed));
  assert.equal(controller.listening, 0);
  await listener.close();
});

test("connectTls() ends with the reason of its signal though the server never shakes hands", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const controller = new CountingController();
  const { signal } = controller;
  const connecting = rejection(
    connectTls({ hostname: "localhost", port: server.addr.port }, { ca: [ca], signal }),
  );
  const conn = await server.accept();
  await conn.read(new Uint8Array(1 << 12)); // The client's hello: it waits for ours.
  const reason = new Error("never mind");
  controller.abort(reason);
  assert.equal(await connecting, reason);
  assert.equal(controller.listening, 0);
  conn.close();
  server.close();
});

test("listenTls() outlives a client that does not speak TLS", { timeout: 10_000 }, async () => {
  const { listener, channels, address } = await listening();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: address.port });
  await conn.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  const near = await connectTls(address, { ca: [ca] });
  assert.notEqual(await channels[0]!.closed, undefined);
  conn.close();
  near.close();
  await Promise.all([near.closed, channels[1]!.closed, listener.close()]);
});
