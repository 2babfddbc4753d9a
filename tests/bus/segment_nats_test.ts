/** Segments on NATS: what they cost, and what is left of them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bus, natsBus } from "../../src/bus/mod.ts";
import type { Clock } from "../../src/router/clock.ts";
import { haveClients, haveEngines, startNats } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectNats } from "./engines.ts";
import { Routers, scoped } from "./segments.ts";

const npm = await haveClients();
const there = npm === true ? haveEngines("nats-server") : npm;

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
  scoped(async (scope, t) => {
    const engine = scope.use(await startNats());
    const connections = await Promise.all(
      Array.from({ length: 4 }, () => connectNats("connect", engine.url)),
    );
    scope.defer(() => Promise.all(connections.map((connection) => connection.close())));
    const routers = scope.use(new Routers());
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
  }),
);

test(
  ...needing(there, "On NATS, nothing is left at the server of a router that has closed"),
  scoped(async (scope) => {
    const engine = scope.use(await startNats());
    const connection = await connectNats("connect", engine.url);
    scope.defer(() => connection.close());
    const subscriptions = async () => {
      await connection.flush();
      type Connz = { connections: { subscriptions_list?: string[] }[] };
      const { connections } = await engine.ask<Connz>("/connz?subs=1");
      return connections.flatMap(({ subscriptions_list = [] }) => subscriptions_list).sort();
    };
    const before = await subscriptions();
    const routers = scope.use(new Routers());
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
  }),
);
