/** What every adapter promises, on every engine. */

import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { type Bus, topicOf } from "../../src/bus/mod.ts";
import { needing } from "../support/toolchain.ts";
import { type Client, Ears, KINDS, withEngine } from "./engines.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

/** Values of bytes, whatever array they are in. */
const values = (messages: Uint8Array[]) => messages.map((message) => [...message]);

/** Opens a bus on a client. */
async function listen(client: Client, ...topics: string[]): Promise<{ bus: Bus; ears: Ears }> {
  const bus = client.bus();
  const ears = new Ears();
  await bus.open(topics, ears);
  return { bus, ears };
}

/** Resolves once there is a connection to a port: the system accepts it, whatever its owner does. */
function reach(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1", () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
}

for (const { name, there, tellsUnheard, largest, start } of KINDS) {
  /** A promise, kept with an engine of its own. */
  const keeps = (promise: string, run: Parameters<typeof withEngine>[1], isSmall?: boolean) =>
    test(
      ...needing(there, `${name} ${promise}`),
      () => withEngine(() => start(isSmall), run),
    );

  keeps("carries bytes in order, to all who subscribed and to nobody else", async (connect) => {
    const [a, b, c, d] = await Promise.all([
      listen(await connect(), "all", "a"),
      listen(await connect(), "all", "b"),
      listen(await connect(), "c"),
      listen(await connect(), "d"),
    ]);
    const sent = Array.from({ length: 500 }, (_, i) => bytes(0xc0, 0xdb, 0xff, 0, i >> 8, i));
    for (const message of sent) d.bus.publish("all", message.slice());
    d.bus.publish("b", bytes(1));
    d.bus.publish("a", bytes());
    d.bus.publish("c", bytes(2));
    assert.deepEqual(values(await a.ears.heard(501)), values([...sent, bytes()]));
    assert.deepEqual(values(await b.ears.heard(501)), values([...sent, bytes(1)]));
    assert.deepEqual(values(await c.ears.heard(1)), [[2]]);
    assert.deepEqual(d.ears.messages, []);
    for (const { bus, ears } of [a, b, c, d]) {
      assert.deepEqual(ears.events, []);
      await bus.close();
    }
  });

  keeps("takes topics of any words", async (connect) => {
    const client = await connect();
    const bus = client.bus();
    const awkward = ["a.b", "*", ">", "#", "+", "$SYS", "a/b", ":", " ", "%", "ä\r\n", "🙂"];
    const words = [...awkward, "x".repeat(200), "plain"];
    const topics = words.map((word) => topicOf(["aln", "to", word], bus.separator));
    const ears = new Ears();
    await bus.open(topics, ears);
    const other = await listen(await connect(), "other");
    topics.forEach((topic, i) => other.bus.publish(topic, bytes(i)));
    assert.deepEqual(values(await ears.heard(topics.length)), topics.map((_, i) => [i]));
    await Promise.all([bus.close(), other.bus.close()]);
  });

  keeps("carries messages as large as maxMessage, which the engine says", async (connect) => {
    const near = await listen(await connect(), "near");
    const far = await listen(await connect(), "far");
    assert.equal(near.bus.maxMessage, largest);
    const message = Uint8Array.from({ length: largest }, (_, i) => i * 7);
    near.bus.publish("far", message.slice());
    near.bus.publish("far", bytes(1));
    const [received, next] = await far.ears.heard(2);
    assert.deepEqual([received!.length, [...next!]], [largest, [1]]);
    assert(message.every((byte, i) => byte === received![i]));
    await Promise.all([near.bus.close(), far.bus.close()]);
  }, true);

  keeps("has handed over all once flush() resolves", async (connect, engine) => {
    const far = await listen(await connect(), "far");
    const client = await connect();
    const near = await listen(client, "near");
    engine?.pause();
    for (let i = 0; i < 2_000; i++) near.bus.publish("far", new Uint8Array(100));
    let isFlushed = false;
    const flushed = near.bus.flush?.().then(() => isFlushed = true);
    if (engine !== null) await reach(engine.port); // All that can be done without it is.
    assert.equal(isFlushed, false);
    engine?.resume();
    await flushed;
    await client.end();
    assert.equal((await far.ears.heard(2_000)).length, 2_000);
    await Promise.all([far.bus.close(), near.bus.close()]);
  });

  keeps("shares a client with others, each with its own topics", async (connect) => {
    const client = await connect();
    const [a, b] = [await listen(client, "a"), await listen(client, "b")];
    const other = await listen(await connect(), "other");
    for (const topic of ["a", "b", "a", "b"]) other.bus.publish(topic, bytes(topic.charCodeAt(0)));
    assert.deepEqual(values(await a.ears.heard(2)), [[97], [97]]);
    assert.deepEqual(values(await b.ears.heard(2)), [[98], [98]]);
    await b.bus.close();
    other.bus.publish("b", bytes(0));
    other.bus.publish("a", bytes(1));
    assert.deepEqual(values(await a.ears.heard(3)), [[97], [97], [1]]);
    assert.equal(b.ears.messages.length, 2);
    await Promise.all([a.bus.close(), other.bus.close()]);
  });

  keeps("hears nothing after close(), and leaves the client as it was", async (connect) => {
    const other = await listen(await connect(), "other");
    const client = await connect();
    const before = client.listeners();
    const first = await listen(client, "topic");
    other.bus.publish("topic", bytes(1));
    await first.ears.heard(1);
    await first.bus.close();
    assert.equal(client.listeners(), before);
    other.bus.publish("topic", bytes(2));
    await other.bus.flush?.();

    const second = await listen(client, "topic");
    other.bus.publish("topic", bytes(3));
    assert.deepEqual(values(await second.ears.heard(1)), [[3]]);
    assert.deepEqual(values(first.ears.messages), [[1]]);
    second.bus.publish("other", bytes(4));
    assert.deepEqual(values(await other.ears.heard(1)), [[4]]);
    await Promise.all([second.bus.close(), other.bus.close(), first.bus.close()]);
    assert.equal(client.listeners(), before);
  });

  keeps("tells once that it is closed when the client is, and throws nothing", async (connect) => {
    const client = await connect();
    const { bus, ears } = await listen(client, "topic");
    await client.end();
    bus.publish("other", bytes(1));
    await ears.until(() => ears.events.includes("closed"));
    bus.publish("other", bytes(2));
    await bus.flush?.();
    await bus.close();
    assert.deepEqual(ears.events.filter((event) => event !== "away"), ["closed"]);
    if (name !== "broadcastBus()") await assert.rejects(client.bus().open(["topic"], ears));
  });

  if (tellsUnheard) {
    keeps("tells of topics that nobody hears, but not of its own", async (connect) => {
      const near = await listen(await connect(), "near", "all");
      const far = await listen(await connect(), "far.x");
      for (const topic of ["all", "far.x", "nobody.x", "none"]) near.bus.publish(topic, bytes(1));
      await near.ears.until(() => near.ears.events.length >= 2);
      await near.bus.flush?.();
      assert.deepEqual(near.ears.events, ["unheard nobody.x", "unheard none"]);
      assert.deepEqual(values(await near.ears.heard(1)), [[1]]);
      assert.deepEqual(values(await far.ears.heard(1)), [[1]]);
      await Promise.all([near.bus.close(), far.bus.close()]);
    });
  }

  if (name === "broadcastBus()") continue; // There is nothing that could go away.

  keeps("is away while the engine is, and then back, twice", async (connect, engine) => {
    const both = [
      await listen(await connect(), "near", "all"),
      await listen(await connect(), "far", "all"),
    ] as const;
    const [near, far] = both;
    const all = (what: string, times: number) =>
      Promise.all(
        both.map(({ ears }) =>
          ears.until(() => ears.events.filter((event) => event === what).length === times)
        ),
      );
    for (let round = 1; round <= 2; round++) {
      await engine!.kill();
      await all("away", round);
      near.bus.publish("far", bytes(0)); // It may be lost.
      await engine!.start();
      await all("back", round);
      near.bus.publish("far", bytes(round, 1));
      far.bus.publish("all", bytes(round, 2));
      const isMine = (message: Uint8Array) => message[0] === round;
      await Promise.all(both.map(({ ears }) => ears.until(() => ears.messages.some(isMine))));
    }
    for (const { bus, ears } of both) {
      // Who is back first may publish before the other is.
      const events = ears.events.filter((event) => event !== "unheard far");
      assert.deepEqual(events, ["away", "back", "away", "back"]);
      await bus.close();
    }
  });

  keeps("can be closed while the engine is away: nothing stays", async (connect, engine) => {
    const client = await connect();
    const before = client.listeners();
    const { bus, ears } = await listen(client, "topic");
    const still = await listen(client, "still");
    await engine!.kill();
    await ears.until(() => ears.events.includes("away"));
    await bus.close();
    await engine!.start();
    const other = await listen(await connect(), "other");
    await still.ears.until(() => still.ears.events.includes("back"));
    other.bus.publish("topic", bytes(1));
    other.bus.publish("still", bytes(2));
    assert.deepEqual(values(await still.ears.heard(1)), [[2]]);
    await Promise.all([other.bus.close(), still.bus.close()]);
    assert.deepEqual([ears.events, ears.messages], [["away"], []]);
    assert.equal(client.listeners(), before);
  });
}
