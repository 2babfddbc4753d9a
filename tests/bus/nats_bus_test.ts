/** What is particular to NATS. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { natsBus } from "../../src/bus/mod.ts";
import { haveClients, haveEngines, startNats, startNatsCluster } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectNats, Ears } from "./engines.ts";

const there = haveEngines("nats-server") === true
  ? await haveClients()
  : haveEngines("nats-server");

/** Lets everybody in, with these permissions to subscribe. */
const permitting = (subscribe: string) => `
  no_auth_user: any
  authorization { users: [
    { user: any, password: any, permissions: { publish: ">", subscribe: ${subscribe} } }
  ] }`;

test(
  ...needing(there, "natsBus() tells at once that a topic is not heard any more"),
  async () => {
    const engine = await startNats();
    const connection = await connectNats("connect", engine.url);
    try {
      const near = natsBus(connection);
      const [ears, farEars] = [new Ears(), new Ears()];
      await near.open(["near"], ears);
      for (let times = 1; times < 3; times++) {
        const far = natsBus(connection);
        await far.open(["far"], farEars);
        near.publish("far", Uint8Array.of(times));
        await farEars.heard(times);
        assert.equal(ears.events.length, times - 1);
        await far.close();
        near.publish("far", Uint8Array.of(0)); // The next message.
        await near.flush!();
        assert.equal(ears.events.length, times);
      }
      assert.deepEqual(ears.events, ["unheard far", "unheard far"]);
      await near.close();
    } finally {
      await connection.close();
      await engine[Symbol.asyncDispose]();
    }
  },
);

test(
  ...needing(there, "natsBus() tells nothing of its own topics, though it does not hear itself"),
  async () => {
    const engine = await startNats();
    const connection = await connectNats("connect", engine.url, { noEcho: true });
    try {
      const bus = natsBus(connection);
      const ears = new Ears();
      await bus.open(["own"], ears);
      bus.publish("own", Uint8Array.of(1));
      bus.publish("none", Uint8Array.of(2));
      await ears.until(() => ears.events.length > 0);
      assert.deepEqual([ears.events, ears.messages], [["unheard none"], []]);
      await bus.close();
    } finally {
      await connection.close();
      await engine[Symbol.asyncDispose]();
    }
  },
);

test(...needing(there, "natsBus() fails to open what it may not subscribe to"), async () => {
  const engine = await startNats({ config: permitting('["ok", "_INBOX.>"]') });
  const connection = await connectNats("connect", engine.url);
  try {
    const ears = new Ears();
    await assert.rejects(natsBus(connection).open(["ok", "secret"], ears), /secret/);
    const bus = natsBus(connection);
    await bus.open(["ok"], ears);
    bus.publish("ok", Uint8Array.of(1));
    assert.equal((await ears.heard(1)).length, 1);
    await bus.close();
    assert.deepEqual(ears.events, []);
  } finally {
    await connection.close();
    await engine[Symbol.asyncDispose]();
  }
});

test(...needing(there, "natsBus() does without an inbox, or with one of its own"), async () => {
  const engine = await startNats({ config: permitting('["ok", "_MINE.>"]') });
  const connection = await connectNats("connect", engine.url);
  try {
    const [without, own] = [new Ears(), new Ears()];
    const first = natsBus(connection);
    await first.open(["ok"], without);
    const second = natsBus(connection, { inboxPrefix: "_MINE" });
    await second.open(["ok"], own);
    first.publish("none", Uint8Array.of(1));
    second.publish("none", Uint8Array.of(1));
    second.publish("ok", Uint8Array.of(1));
    await Promise.all([without.heard(1), own.heard(1)]);
    assert.deepEqual([without.events, own.events], [[], ["unheard none"]]);
    await Promise.all([first.close(), second.close()]);
  } finally {
    await connection.close();
    await engine[Symbol.asyncDispose]();
  }
});

test(...needing(there, "natsBus() in a cluster goes on with another server"), async () => {
  const cluster = await startNatsCluster(3);
  const [first, second, third] = cluster.nodes;
  const near = await connectNats("connect", [first!.url, second!.url]);
  const far = await connectNats("connect", third!.url);
  try {
    const [nearEars, farEars] = [new Ears(), new Ears()];
    const nearBus = natsBus(near);
    const farBus = natsBus(far);
    await nearBus.open(["all", "near"], nearEars);
    await farBus.open(["all", "far"], farEars);
    // A server does not know at once who has subscribed at another.
    const say = async (topic: string, value: number) => {
      while (farEars.messages.at(-1)?.[0] !== value) {
        nearBus.publish(topic, Uint8Array.of(value));
        await Promise.all([near.flush(), far.flush()]);
      }
    };
    await say("all", 1);

    const { port } = new URL(`nats://${near.getServer()}`);
    await cluster.nodes.find((node) => `${node.port}` === port)!.kill();
    await nearEars.until(() => nearEars.events.includes("back"));
    await say("far", 2);
    const events = nearEars.events.filter((event) => event !== "unheard far");
    assert.deepEqual(events, ["away", "back"]);
    assert.deepEqual(farEars.events, []);
    await Promise.all([nearBus.close(), farBus.close()]);
  } finally {
    await Promise.all([near.close(), far.close()]);
    await cluster[Symbol.asyncDispose]();
  }
});
