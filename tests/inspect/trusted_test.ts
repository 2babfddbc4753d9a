import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, type DropEvent, type LinkOptions, Packet, Router } from "../../mod.ts";
import { StreamChannel } from "../../src/channel/stream_channel.ts";
import { inspect, inspectable } from "../../src/inspect/mod.ts";
import { turns } from "../support/calls.ts";
import { failureCode, join, rejection, SteppingClock } from "../support/routers.ts";

/** A guest behind a link of the gateway that is not trusted, and a router beyond. All answer. */
async function guests(options: LinkOptions = { trusted: false }) {
  const clock = new SteppingClock();
  const [guest, gateway, inner] = ["guest", "gateway", "inner"]
    .map((address) => new Router(address, { clock })) as [Router, Router, Router];
  const [left, right] = createChannelPair();
  guest.addChannel(left);
  gateway.addChannel(right, options);
  join(gateway, inner);
  for (const router of [guest, gateway, inner]) inspectable(router);
  for (const router of [gateway, inner]) router.registerService("time", () => router.address);
  await clock.rest();
  const drops: DropEvent[] = [];
  gateway.addEventListener("drop", (event) => drops.push(event));
  const close = () => Promise.all([guest, gateway, inner].map((router) => router.close()));
  return { clock, guest, gateway, inner, left, right, drops, close };
}

test("A link that is not trusted brings no questions, for here nor for beyond", async () => {
  const { clock, guest, gateway, drops, close } = await guests();
  const ask = inspect(guest);
  for (const dst of ["gateway", "inner"]) {
    for (const question of ["ping", "info", "stats", "links"] as const) {
      const promise: Promise<unknown> = ask[question](dst, { timeout: 500 });
      assert.equal(await failureCode(clock.until(promise)), "TimeoutError", `${question} ${dst}`);
    }
    const { hops, reached } = await clock.until(ask.trace(dst, { timeout: 500 }));
    assert.deepEqual([hops.map(({ address }) => address), reached], [["guest", "gateway"], false]);
  }
  assert.deepEqual(new Set(drops.map(({ reason }) => reason)), new Set(["refused"]));
  assert.deepEqual(new Set(drops.map(({ error }) => error.code)), new Set(["ERR_CHANNEL_REFUSED"]));
  assert.equal(gateway.stats().channels[0]!.drops.refused, drops.length);
  await close();
});

test("A link that is not trusted brings no questions whatever their src, dst or form", async () => {
  const { guest, gateway, inner, left, drops, close } = await guests();
  const answered: string[] = [];
  for (const router of [gateway, inner]) {
    for (const name of ["aln.ping", "aln.new"]) {
      router.registerReserved(name, () => void answered.push(router.address));
    }
  }
  const sent: Packet[] = [];
  for (const src of ["guest", "gateway", "inner", "nobody", ""]) {
    for (const dst of ["gateway", "inner", "nobody", ""]) {
      for (const srv of ["aln.ping", "aln.new", "aln."]) {
        sent.push(new Packet({ src, dst, srv, ctx: 5, data: "?" }));
      }
    }
  }
  for (const packet of sent) left.send(packet);
  await turns();
  assert.deepEqual(answered, []);
  assert.deepEqual(drops.map(({ reason }) => reason), sent.map(() => "refused"));
  assert.equal(guest.address, "guest");
  await close();
});

test("A link that is not trusted brings everything else, large, reliable and streaming calls too", async () => {
  const { clock, guest, gateway, drops, close } = await guests();
  const ask = (dst: string, options = {}) => guest.request("time", undefined, { dst, ...options });
  assert.equal((await clock.until(ask("gateway"))).text(), "gateway");
  assert.equal((await clock.until(ask("inner", { reliable: true }))).text(), "inner");
  assert.equal((await clock.until(guest.request("aln.x", "", { dst: "inner" }))).text(), "1");
  gateway.registerService("alnico", (packet) => `${packet.data.length}`);
  await clock.rest();
  assert.equal((await clock.until(guest.request("alnico", "x".repeat(99_999)))).text(), "99999");
  assert.deepEqual(drops, []);
  await close();
});

test("A link that is not trusted still carries our questions the other way", async () => {
  const { clock, gateway, inner, close } = await guests();
  assert.equal((await clock.until(inspect(gateway).info("guest"))).address, "guest");
  const { hops } = await clock.until(inspect(inner).trace("guest"));
  assert.deepEqual(hops.map(({ address }) => address), ["inner", "gateway", "guest"]);
  await close();
});

test("Links are trusted unless it is said that they are not", async () => {
  for (const options of [{}, { trusted: undefined }, { trusted: true }]) {
    const { clock, guest, close } = await guests(options);
    assert.equal((await clock.until(inspect(guest).info("inner"))).address, "inner");
    await close();
  }
  const router = new Router("a");
  const [end] = createChannelPair();
  for (const trusted of ["no", null, 0]) {
    assert.throws(() => router.addChannel(end, { trusted } as object), TypeError, `${trusted}`);
  }
  await router.close();
});

test("No frame that is carried on unread is a question from a link that is not trusted", {
  timeout: 20_000,
}, async () => {
  const [guest, gateway, inner] = ["guest", "gateway", "inner"]
    .map((address) => new Router(address)) as [Router, Router, Router];
  const pipe = () => new TransformStream<Uint8Array, Uint8Array>();
  const joinBytes = (a: Router, b: Router, options = {}) => {
    const [there, back] = [pipe(), pipe()];
    a.addChannel(new StreamChannel({ readable: back.readable, writable: there.writable }));
    b.addChannel(
      new StreamChannel({ readable: there.readable, writable: back.writable }),
      options,
    );
  };
  joinBytes(guest, gateway, { trusted: false });
  joinBytes(gateway, inner);
  inspectable(inner);
  inner.registerService("time", () => "now");
  await guest.waitForService("time");
  const refused: DropEvent[] = [];
  gateway.addEventListener("drop", (event) => refused.push(event));
  for (let i = 0; i < 3; i++) { // The second of a kind might be carried on as the first was.
    const dropped = new Promise((resolve) => gateway.addEventListener("drop", resolve));
    const controller = new AbortController();
    const { signal } = controller;
    const asked = rejection(inspect(guest).ping("inner", { signal }));
    await dropped;
    controller.abort(new Error("seen"));
    assert.equal((await asked as Error).message, "seen");
    assert.equal((await guest.request("time")).text(), "now");
  }
  assert.deepEqual(refused.map(({ reason }) => reason), ["refused", "refused", "refused"]);
  await Promise.all([guest, gateway, inner].map((router) => router.close()));
});
