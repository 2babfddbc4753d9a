import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import {
  type ChannelOptions,
  type NodeSocketLike,
  Packet,
  Router,
  StreamChannel,
  TcpChannel,
} from "../../mod.ts";
import { channelConformance } from "../../src/testing/mod.ts";

/** Deno wants to be asked before a socket is made in the file system. */
const allowed = !("Deno" in globalThis) ||
  (["read", "write"] as const).every((name) =>
    Deno.permissions.querySync({ name, path: tmpdir() }).state === "granted"
  );
assert(allowed || !process.env.ALN_SKIP_NOTHING, "Unix sockets need --allow-write");
const skip = !allowed && "Unix sockets are tested with --allow-write";

/** The two ends of a connection over a path, and what releases it. */
async function open(options: ChannelOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), "aln-"));
  const path = join(directory, "socket");
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const socket = connect({ path, allowHalfOpen: true });
  const near = new TcpChannel(socket as NodeSocketLike, options);
  const far = new TcpChannel(await accepted as NodeSocketLike);
  const cleanup = async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  };
  return { near, far, cleanup };
}

for (const { name, run } of channelConformance(open)) {
  test(`TcpChannel over a Unix socket ${name}`, { timeout: 10_000, skip }, run);
}

test("TcpChannel over a Unix socket closes when its peer is gone", {
  timeout: 10_000,
  skip,
}, async () => {
  const { near, far, cleanup } = await open();
  const received = new Promise<Packet>((resolve) => far.onPacket = resolve);
  near.send(new Packet({ srv: "ping" }));
  assert.equal((await received).srv, "ping");
  far.close(new Error("gone"));
  await near.closed;
  assert.equal(near.send(new Packet({ srv: "ping" })), false);
  await cleanup();
});

if ("Deno" in globalThis) {
  test("StreamChannel joins two routers over Deno's own Unix sockets", {
    timeout: 10_000,
    skip,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "aln-"));
    const address = { transport: "unix", path: join(directory, "socket") } as const;
    const listener = Deno.listen(address);
    const accepted = listener.accept();
    const [a, b] = [new Router("a"), new Router("b")];
    a.addChannel(new StreamChannel(await Deno.connect(address)));
    b.addChannel(new StreamChannel(await accepted));
    b.registerService("echo", (packet, reply) => void reply(packet.data));
    assert.equal(await a.waitForService("echo"), "b");
    assert.equal((await a.request("echo", "over a path")).text(), "over a path");
    await Promise.all([a.close(), b.close()]);
    listener.close();
    rmSync(directory, { recursive: true });
  });
}
