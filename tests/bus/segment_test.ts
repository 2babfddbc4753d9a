/** What routers promise on a segment of every engine. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Router } from "../../mod.ts";
import { needing } from "../support/toolchain.ts";
import { KINDS } from "./engines.ts";
import { assertSame, bytes, offered, reached, withRouters } from "./segments.ts";

/** What is called, and what is asked of everybody. */
function serve(router: Router): void {
  router.registerService("echo", (packet) => packet.data);
  router.registerService("count", async function* () {
    for (let i = 0; i < 100; i++) yield String(i);
  });
  router.registerService("join", async (_packet, _reply, { body }) => {
    const pieces: string[] = [];
    for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
    return pieces.join();
  });
}

async function* numbers(): AsyncGenerator<string> {
  for (let i = 0; i < 100; i++) yield String(i);
}

const NUMBERS = Array.from({ length: 100 }, (_, i) => String(i));

/** Calls in every way from one to another. */
async function call(from: Router, { address: dst }: Router): Promise<void> {
  assert.equal((await from.request("echo", "hello", { dst })).text(), "hello");
  assert.equal((await from.request("join", numbers(), { dst })).text(), NUMBERS.join());
  const texts: string[] = [];
  for await (const packet of from.stream("count", "", { dst })) texts.push(packet.text());
  assert.deepEqual(texts, NUMBERS);
  const large = bytes(1_000_000);
  assertSame((await from.request("echo", large, { dst, timeout: 20_000 })).data, large);
}

for (const { name, there, start } of KINDS) {
  test(
    ...needing(there, `On ${name}, routers find and call each other, whoever comes and goes`),
    () =>
      withRouters(start, async (connect, routers) => {
        const clients = await Promise.all([connect(), connect(), connect()]);
        const before = clients.map((client) => client.listeners());
        const [a, b] = [
          routers.join("a", clients[0]!.bus()),
          routers.join("b", clients[1]!.bus()),
        ];
        serve(b);
        await a.waitForService("echo");
        await call(a, b);
        serve(a);
        await b.waitForService("join");
        await routers.until(() => b.serviceAddresses("echo").includes("a"));
        await call(b, a);

        const late = routers.join("late", clients[2]!.bus());
        serve(late);
        await routers.know(a, b, late);
        await routers.until(() => routers.all.every((router) => offered(router).length === 9));
        const replies = await a.gather("echo", "all?", { count: 3 });
        assert.deepEqual(replies.map(({ src }) => src).sort(), ["a", "b", "late"]);
        await Promise.all([call(late, a), call(b, late), call(a, late)]);

        await routers.close(late);
        await routers.know(a, b);
        await routers.until(() => routers.all.every((router) => offered(router).length === 6));
        assert.equal((await a.request("echo", "still", { dst: "b" })).text(), "still");
        assert.deepEqual(routers.drops, []);

        await routers[Symbol.asyncDispose]();
        assert.deepEqual(clients.map((client) => client.listeners()), before);
      }),
  );

  for (const singleTopic of [false, true]) {
    const where = singleTopic ? `a single topic of ${name}` : name;
    test(
      ...needing(there, `On ${where}, a packet for one router is not taken by others`),
      () =>
        withRouters(start, async (connect, routers) => {
          const join = async (address: string) => {
            return routers.join(address, (await connect()).bus(), { singleTopic });
          };
          const [a, b, c] = [await join("a"), await join("b"), await join("c")];
          let calls = 0;
          for (const router of [b, c]) {
            router.registerService("echo", (packet) => (calls++, packet.data));
          }
          await routers.know(a, b, c);
          await routers.until(() => a.serviceAddresses("echo").length === 2);
          const taken = () => c.stats().channels[0]!.packetsIn;
          await a.request("echo", "", { dst: "c" }); // All that was told before has come.
          const before = taken();
          for (let i = 0; i < 50; i++) await a.request("echo", String(i), { dst: "b" });
          await a.request("echo", "", { dst: "c" });
          assert.equal(calls, 52);
          assert(taken() - before < 10, `it has taken ${taken() - before} packets`);
          assert.deepEqual(routers.drops, []);
        }),
    );
  }

  test(
    ...needing(there, `On ${name}, addresses may be of any characters`),
    () =>
      withRouters(start, async (connect, routers) => {
        const client = await connect();
        const names = ["a.b", "*", "> x", "ä/+#", " ", "$SYS", "a:b", "🙂%20"];
        for (const [i, address] of names.entries()) {
          const bus = name === "broadcastBus()" || name.startsWith("natsBus")
            ? client.bus() // Many can share a client.
            : (await connect()).bus();
          const router = routers.join(address, bus, { network: "a*b > c/#" });
          router.registerService("who", () => `${i} ${address}`);
        }
        await routers.know(...routers.all);
        await routers.until(() => routers.all.every((one) => offered(one).length === names.length));
        for (const router of routers.all) {
          for (const [i, dst] of names.entries()) {
            assert.equal((await router.request("who", "", { dst })).text(), `${i} ${dst}`);
          }
        }
        assert.deepEqual(routers.drops, []);
      }),
  );

  test(
    ...needing(there, `On ${name}, two networks do not hear each other`),
    () =>
      withRouters(start, async (connect, routers) => {
        const join = async (address: string, network: string) => {
          const router = routers.join(address, (await connect()).bus(), { network });
          router.registerService("echo", (packet) => packet.data);
          return router;
        };
        const [a, b] = [await join("a", "east"), await join("b", "east")];
        const [x, y] = [await join("x", "west"), await join("y", "west")];
        await Promise.all([routers.know(a, b), routers.know(x, y)]);
        await Promise.all([call1(a, "b"), call1(x, "y")]);
        assert.deepEqual([a, b, x, y].map(reached), ["b", "a", "y", "x"]);
        await assert.rejects(a.request("echo", "", { dst: "x" }), { code: "ERR_NO_ROUTE" });
      }),
  );
}

async function call1(router: Router, dst: string): Promise<void> {
  assert.equal((await router.request("echo", dst, { dst })).text(), dst);
}
