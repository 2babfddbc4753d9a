/** Segments on NATS: what they cost, and what becomes of routers and servers that are killed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Router } from "../../mod.ts";
import { type Bus, natsBus } from "../../src/bus/mod.ts";
import type { Clock } from "../../src/router/clock.ts";
import { haveClients, haveEngines, startNats } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectNats } from "./engines.ts";
import { startMember } from "./member.ts";
import { Routers } from "./segments.ts";

const npm = await haveClients();
const there = npm === true ? haveEngines("nats-server") : npm;

/** A time-out takes 5 s: what fails before has not waited for it, in ms. */
const AT_ONCE = 2_500;

/** How much slower time is for routers: none says that it is still there before all have come. */
const SLOWNESS = 4;

const slow: Clock = {
  now: () => performance.now() / SLOWNESS,
  schedule(at, run) {
    const timer = setTimeout(run, Math.max(0, Math.ceil(at * SLOWNESS - performance.now())));
    return () => clearTimeout(timer);
  },
};

/** After so long without a publication there is nothing more to tell, in ms. */
const QUIET = 200 * SLOWNESS;

/** Counts what is published. */
class Counter {
  count: number = 0;
  #quiet: () => void = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Counts what is published on a bus. */
  on(bus: Bus): Bus {
    const publish = bus.publish.bind(bus);
    bus.publish = (topic, message) => {
      this.count++;
      this.#wait();
      publish(topic, message);
    };
    return bus;
  }

  /** Resolves once nothing has been published for a while. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#quiet = resolve;
      this.#wait();
    });
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#quiet(), QUIET);
  }
}

test(
  ...needing(
    there,
    "On NATS, 32 routers join with 600 publications at most, one service takes 3, and for 64 it is four times as much",
    50_000,
  ),
  async (t) => {
    await using engine = await startNats();
    const connections = await Promise.all(
      Array.from({ length: 4 }, () => connectNats("connect", engine.url)),
    );
    try {
      await using routers = new Routers();
      const counter = new Counter();
      const joinUntil = async (size: number) => {
        while (routers.all.length < size) {
          const i = routers.all.length;
          const bus = counter.on(natsBus(connections[i % connections.length]!));
          const router = routers.join(`n${i}`, bus, { router: { clock: slow } });
          await routers.know(...routers.all);
          assert.equal(router.routes().length, i);
        }
        await counter.quiet();
        return counter.count;
      };
      const small = await joinUntil(32);
      assert(small <= 600, `${small} publications`);

      routers.all[3]!.registerService("ping", () => "pong");
      await routers.until(() => routers.all.every((one) => one.serviceAddresses("ping").length));
      await counter.quiet();
      const service = counter.count - small;
      assert(service <= 3, `${service} publications`);

      const large = await joinUntil(64) - service;
      t.diagnostic(`32 routers: ${small}, a service: ${service}, 64 routers: ${large}`);
      assert(large <= 4 * small, `${small} → ${large} publications`);
    } finally {
      await Promise.all(connections.map((connection) => connection.close()));
    }
  },
);

test(
  ...needing(there, "On NATS, nothing is left at the server of a router that has closed"),
  async () => {
    await using engine = await startNats();
    const connection = await connectNats("connect", engine.url);
    try {
      const subscriptions = async () => {
        await connection.flush();
        type Connz = { connections: { subscriptions_list?: string[] }[] };
        const { connections } = await engine.ask<Connz>("/connz?subs=1");
        return connections.flatMap(({ subscriptions_list = [] }) => subscriptions_list).sort();
      };
      const before = await subscriptions();
      await using routers = new Routers();
      const [a, b] = [
        routers.join("a", natsBus(connection)),
        routers.join("b", natsBus(connection)),
      ];
      await routers.know(a, b);
      const during = await subscriptions();
      for (const topic of ["aln.mesh.all", "aln.mesh.to.a", "aln.mesh.to.b"]) {
        assert(during.includes(topic), `${topic} in ${during}`);
      }
      await routers.close(a);
      await routers.until(() => b.routes().length === 0);
      assert(!(await subscriptions()).includes("aln.mesh.to.a"));
      await routers.close(b);
      assert.deepEqual(await subscriptions(), before);
    } finally {
      await connection.close();
    }
  },
);

test(
  ...needing(there, "On NATS, a call to a router that was killed fails at once, not after 30 s"),
  async (t) => {
    await using engine = await startNats();
    const connection = await connectNats("connect", engine.url);
    await using member = startMember({ engine: "nats", url: engine.url, address: "killed" });
    try {
      await using routers = new Routers();
      const [a, other] = [
        routers.join("a", natsBus(connection)),
        routers.join("other", natsBus(connection)),
      ];
      await routers.until(() => [a, other].every((one) => one.serviceAddresses("echo").length));
      assert.equal((await a.request("echo", "x")).text(), "x");
      const hanging = assert.rejects(a.request("hang", "", { dst: "killed" }), {
        code: "ERR_NO_ROUTE",
      });
      await member.kill();
      const start = performance.now();
      await assert.rejects(a.request("echo", "y", { dst: "killed" }), { code: "ERR_NO_ROUTE" });
      const took = performance.now() - start;
      await hanging;
      t.diagnostic(`the call failed after ${took.toFixed(1)} ms`);
      assert(took < AT_ONCE, `${took} ms`);
      assert.equal(a.serviceAddresses("echo").length, 0);
    } finally {
      await connection.close();
    }
  },
);

test(
  ...needing(there, "On NATS, a process whose router has closed ends by itself"),
  async () => {
    await using engine = await startNats();
    const connection = await connectNats("connect", engine.url);
    await using member = startMember({ engine: "nats", url: engine.url, address: "leaves" });
    try {
      await using routers = new Routers();
      const a = routers.join("a", natsBus(connection));
      await leave(a, routers);
      assert.equal(await member.ended, 0);
    } finally {
      await connection.close();
    }
  },
);

/** Has it leave, and waits until it has. */
async function leave(router: Router, routers: Routers): Promise<void> {
  await router.waitForService("leave");
  assert.equal((await router.request("leave")).text(), "leaving");
  await routers.until(() => router.routes().length === 0);
}
