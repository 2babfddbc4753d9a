/** TLS in the runtime that runs this. What it has in common with TCP is in `socketSuite`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { Packet, type TcpChannel } from "../../mod.ts";
import { clientCertificate, testCertificate } from "../support/certificate.ts";
import {
  connectRaw,
  openSockets,
  openTunnel,
  RawServer,
  RawSocket,
  until,
} from "../support/raw_socket.ts";
import { CountingController, failureCode, rejection } from "../support/routers.ts";
import { LOOPBACK, sockets } from "../support/runtime.ts";
import { packets, socketSuite } from "../support/socket_suite.ts";

const { connectTls, listenTls } = sockets;
const timeout = 20_000;
const { ca, ...identity } = testCertificate;

/** A listener, and the channels that it accepts. */
async function listening(clients?: string[]) {
  const accepted: TcpChannel[] = [];
  let wake = () => {};
  const listener = await listenTls(LOOPBACK, (channel) => {
    accepted.push(channel);
    wake();
  }, { ...identity, ca: clients });
  const next = async () => {
    while (accepted.length === 0) await new Promise<void>((resolve) => wake = resolve);
    return accepted.shift()!;
  };
  const { port } = listener.address;
  return { listener, accepted, next, port, address: { hostname: "localhost", port } };
}

const SIDES: Record<string, Parameters<typeof socketSuite>[1]> = {
  async "connectTls()"(options) {
    const accepted = Promise.withResolvers<RawSocket>();
    const server = createServer({ ...identity, allowHalfOpen: true }, (socket) => {
      tunnel.hold("far");
      accepted.resolve(new RawSocket(socket, tunnel.release));
    });
    server.listen(0, "127.0.0.1");
    await new Promise<void>((resolve) => server.once("listening", resolve));
    const tunnel = await openTunnel((server.address() as { port: number }).port);
    const { port } = tunnel;
    const channel = await connectTls({ hostname: "localhost", port }, { ...options, ca: [ca] });
    const peer = await accepted.promise;
    const cleanup = async () => {
      await peer.close();
      await tunnel.close();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    };
    return { channel, peer, port, cleanup };
  },
  async "listenTls()"(options) {
    const accepted = Promise.withResolvers<TcpChannel>();
    const listener = await listenTls(LOOPBACK, accepted.resolve, { ...options, ...identity });
    const { port } = listener.address;
    const tunnel = await openTunnel(port);
    const socket = connect({
      host: "127.0.0.1",
      port: tunnel.port,
      servername: "localhost",
      ca: [ca],
    });
    socket.allowHalfOpen = true;
    await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
    const channel = await accepted.promise;
    tunnel.hold("near");
    const peer = new RawSocket(socket, tunnel.release);
    const cleanup = async () => {
      await listener.close();
      await peer.close();
      await tunnel.close();
    };
    return { channel, peer, port, cleanup };
  },
};

for (const [side, open] of Object.entries(SIDES)) socketSuite(side, open);

test("connectTls() trusts the authorities that it is given", { timeout }, async () => {
  const { listener, next, address } = await listening();
  const [near, far] = await Promise.all([connectTls(address, { ca: [ca] }), next()]);
  const received = packets(far, 1);
  near.send(new Packet({ srv: "ping" }));
  assert.equal((await received)[0]!.srv, "ping");
  near.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
  await listener.close();
});

/** What servers present that are not to be trusted, and what is said of it. */
const UNTRUSTED: [what: string, options: object, codes: string[]][] = [
  ["signed by nobody we know", {}, [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "SELF_SIGNED_CERT_IN_CHAIN",
  ]],
  ["of another name", { ca: [ca], serverName: "example.org" }, ["ERR_TLS_CERT_ALTNAME_INVALID"]],
];
for (const [what, options, codes] of UNTRUSTED) {
  test(`connectTls() throws for a certificate ${what}`, { timeout }, async () => {
    const { listener, next, address, port } = await listening();
    const controller = new CountingController();
    const { signal } = controller;
    const code = await failureCode(connectTls(address, { ...options, signal }));
    assert.ok(codes.includes(String(code)), String(code));
    assert.equal(controller.listening, 0);
    await until(() => (openSockets(port, "established") ?? 0) === 0);
    // The listener is none the worse for it.
    const near = await connectTls(address, { ca: [ca], signal });
    near.send(new Packet({ srv: "ping" }));
    let far = await next(); // It may have shaken hands with the first one, too.
    while (await Promise.race([far.closed.then(() => true), packets(far, 1).then(() => false)])) {
      far = await next();
    }
    near.close();
    await Promise.all([near.closed, far.closed]);
    assert.equal(controller.listening, 0);
    await listener.close();
  });
}

test("connectTls() checks the name that it is told to", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const near = await connectTls(
    { hostname: "127.0.0.1", port },
    { ca: [ca], serverName: "localhost" },
  );
  const far = await next();
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
});

test("connectTls() checks an IP address where there is no name", { timeout }, async () => {
  const { listener, next, port } = await listening();
  const near = await connectTls({ hostname: "127.0.0.1", port }, { ca: [ca] });
  const far = await next();
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
});

test("listenTls() with authorities accepts a client with their certificate", {
  timeout,
}, async () => {
  const { listener, next, address } = await listening([clientCertificate.ca]);
  const { cert, key } = clientCertificate;
  const [near, far] = await Promise.all([connectTls(address, { ca: [ca], cert, key }), next()]);
  const received = packets(near, 1);
  far.send(new Packet({ srv: "welcome" }));
  assert.equal((await received)[0]!.srv, "welcome");
  far.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
  await listener.close();
});

for (const [what, own] of [["no certificate", {}], ["one by somebody else", identity]] as const) {
  test(`listenTls() with authorities refuses a client with ${what}`, { timeout }, async () => {
    const { listener, accepted, next, address, port } = await listening([clientCertificate.ca]);
    // In TLS 1.3 the client is done before it is refused, and then it may not be told why.
    const refused = await connectTls(address, { ca: [ca], ...own }).catch((error) => error);
    if (!(refused instanceof Error)) await refused.closed;
    await until(() => (openSockets(port, "established") ?? 0) === 0);
    assert.deepEqual(accepted, []);
    const { cert, key } = clientCertificate;
    const near = await connectTls(address, { ca: [ca], cert, key });
    const far = await next();
    near.close();
    await Promise.all([near.closed, far.closed, listener.close()]);
    assert.deepEqual(accepted, []);
  });
}

test("connectTls() throws ECONNREFUSED when nobody listens", { timeout }, async () => {
  const { listener, address } = await listening();
  await listener.close();
  assert.equal(await failureCode(connectTls(address)), "ECONNREFUSED");
});

test("listenTls() throws EADDRINUSE for an address that is in use", { timeout }, async () => {
  const { listener } = await listening();
  assert.equal(await failureCode(listenTls(listener.address, () => {}, identity)), "EADDRINUSE");
  await listener.close();
});

test("connectTls() ends with the reason of its signal, before and while it connects", {
  timeout,
}, async () => {
  const { listener, address } = await listening();
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
  assert.equal(controller.listening, 0);
  await listener.close();
});

test("connectTls() ends with the reason of its signal though the server never shakes hands", {
  timeout,
}, async () => {
  const server = await RawServer.listen();
  const controller = new CountingController();
  const { signal } = controller;
  const connecting = rejection(
    connectTls({ hostname: "localhost", port: server.address.port }, { ca: [ca], signal }),
  );
  const peer = await server.accept();
  await peer.read(5); // The client's hello: it waits for ours.
  const reason = new Error("never mind");
  controller.abort(reason);
  assert.equal(await connecting, reason);
  assert.equal(controller.listening, 0);
  await peer.readAll().catch(() => {}); // Its end: the socket is gone.
  await server.close();
});

test("connectTls() and listenTls() wait ten seconds for a handshake, and no longer", {
  timeout: 60_000,
}, async () => {
  const server = await RawServer.listen();
  const { listener, accepted, port } = await listening();
  const started = performance.now();
  const controller = new CountingController();
  const { signal } = controller;
  const address = { hostname: "localhost", port: server.address.port };
  const connecting = rejection(connectTls(address, { ca: [ca], signal }));
  const silent = await connectRaw(port);
  const [error] = await Promise.all([
    connecting,
    silent.readAll().catch(() => {}),
    server.accept().then((peer) => peer.readAll().catch(() => {})),
  ]);
  assert.equal((error as Error).message, "Cannot connect: no handshake");
  const seconds = (performance.now() - started) / 1_000;
  assert.ok(seconds > 9 && seconds < 30, `it took ${seconds} s`);
  assert.deepEqual([accepted.length, controller.listening], [0, 0]);
  await silent.close();
  await Promise.all([server.close(), listener.close()]);
});

test("connectTls() throws when the server does not speak TLS", { timeout }, async () => {
  const server = await RawServer.listen();
  const address = { hostname: "localhost", port: server.address.port };
  const connecting = rejection(connectTls(address, { ca: [ca] }));
  const peer = await server.accept();
  await peer.read(5);
  await peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  assert.ok(await connecting instanceof Error);
  await peer.readAll().catch(() => {});
  await server.close();
});

test("connectTls() throws when the server ends before the handshake", { timeout }, async () => {
  const server = await RawServer.listen();
  const address = { hostname: "localhost", port: server.address.port };
  const connecting = rejection(connectTls(address, { ca: [ca] }));
  const peer = await server.accept();
  await peer.read(5);
  await peer.end();
  assert.ok(await connecting instanceof Error);
  await peer.readAll().catch(() => {});
  await server.close();
});

test("listenTls() sends away a client that does not speak TLS, and goes on", {
  timeout,
}, async () => {
  const { listener, accepted, next, address, port } = await listening();
  const stranger = await connectRaw(port);
  await stranger.write("GET / HTTP/1.0\r\n\r\n");
  await stranger.readAll().catch(() => {}); // An alert perhaps, then the end.
  assert.deepEqual(accepted, []);
  const near = await connectTls(address, { ca: [ca] });
  const far = await next();
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
  await stranger.close();
});

test("A TLS listener's close() resolves at once, and leaves its channels alive", {
  timeout,
}, async () => {
  const { listener, next, address } = await listening();
  const [near, far] = await Promise.all([connectTls(address, { ca: [ca] }), next()]);
  await listener.close();
  await listener.close();
  assert.equal(await failureCode(connectTls(address, { ca: [ca] })), "ECONNREFUSED");
  const received = packets(near, 1);
  far.send(new Packet({ srv: "still here" }));
  assert.equal((await received)[0]!.srv, "still here");
  far.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
});
