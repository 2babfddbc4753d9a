/** Routers in processes of their own, on a segment: they leave, or are killed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bus, mqttBus, natsBus, redisBus } from "../../src/bus/mod.ts";
import {
  type EngineName,
  haveClients,
  haveEngines,
  startMosquitto,
  startNats,
  startRedis,
} from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectMqtt, connectNats, connectRedis } from "./engines.ts";
import { type MemberOptions, startMember } from "./member.ts";
import { Routers, scoped } from "./segments.ts";

/** What takes less has not waited for a time-out or for silence, in ms; the goal is half a second. */
const AT_ONCE = 2_500;

interface Place {
  engine: MemberOptions["engine"];
  program: EngineName;
  /** Whether the engine says that nobody hears. */
  tellsUnheard: boolean;
  start(): Promise<AsyncDisposable & { url: string }>;
  /** Connects; to the bus, and to what ends the client. */
  connect(url: string): Promise<[Bus, () => unknown]>;
}

const places: Place[] = [
  {
    engine: "nats",
    program: "nats-server",
    tellsUnheard: true,
    start: () => startNats(),
    async connect(url) {
      const connection = await connectNats("connect", url);
      return [natsBus(connection), () => connection.close()];
    },
  },
  {
    engine: "mqtt",
    program: "mosquitto",
    tellsUnheard: false,
    start: () => startMosquitto(),
    async connect(url) {
      const client = await connectMqtt(url, { protocolVersion: 5 });
      return [mqttBus(client), () => client.endAsync()];
    },
  },
  {
    engine: "redis",
    program: "redis-server",
    tellsUnheard: true,
    start: () => startRedis(),
    async connect(url) {
      const publisher = await connectRedis(url);
      const subscriber = await connectRedis(url);
      const end = () => [publisher, subscriber].forEach((connection) => connection.disconnect());
      return [redisBus(publisher, subscriber), end];
    },
  },
];

test(
  "On a BroadcastChannel, a process whose routers have closed ends by itself",
  {
    timeout: 30_000,
  },
  scoped(async (scope) => {
    const member = scope.use(startMember({ engine: "broadcast", url: "rooms", address: "leaves" }));
    assert.equal(await member.ended, 0);
  }),
);

const npm = await haveClients();

for (const { engine, program, tellsUnheard, start, connect } of places) {
  const there = npm === true ? haveEngines(program) : npm;

  test(
    ...needing(
      there,
      `On ${program}, a process whose router has closed is gone, and ends by itself`,
    ),
    scoped(async (scope) => {
      const server = scope.use(await start());
      const [bus, end] = await connect(server.url);
      scope.defer(end);
      const member = scope.use(startMember({ engine, url: server.url, address: "leaves" }));
      const routers = scope.use(new Routers());
      const a = routers.join("a", bus);
      await a.waitForService("leave");
      assert.equal((await a.request("leave")).text(), "leaving");
      await routers.until(() => a.routes().length === 0 && a.services().length === 0);
      assert.equal(await member.ended, 0);
    }),
  );

  if (!tellsUnheard) continue;
  test(
    ...needing(
      there,
      `On ${program}, calls to a router that was killed fail at once, not after 30 s`,
    ),
    scoped(async (scope, t) => {
      const server = scope.use(await start());
      const [bus, end] = await connect(server.url);
      scope.defer(end);
      const member = scope.use(startMember({ engine, url: server.url, address: "killed" }));
      const routers = scope.use(new Routers());
      const a = routers.join("a", bus);
      await a.waitForService("echo");
      assert.equal((await a.request("echo", "x")).text(), "x");
      const noRoute = { code: "ERR_NO_ROUTE" };
      const hanging = assert.rejects(a.request("hang", "", { timeout: Infinity }), noRoute);
      await a.request("echo", "x"); // It has been asked.
      await member.kill();
      const killed = performance.now();
      await assert.rejects(a.request("echo", "y", { timeout: Infinity }), noRoute);
      const took = performance.now() - killed;
      await hanging;
      t.diagnostic(`the call failed after ${took.toFixed(1)} ms`);
      assert(took < AT_ONCE, `${took} ms`);
      await routers.until(() => a.services().length === 0);
    }),
  );
}
