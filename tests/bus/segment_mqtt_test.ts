/** Last wills on MQTT: routers that vanish are withdrawn by the broker. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Router } from "../../mod.ts";
import { mqttBus } from "../../src/bus/mod.ts";
import { decodeSegmentHead } from "../../src/wire/segment_message.ts";
import { haveClients, haveEngines, startMosquitto } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectMqtt } from "./engines.ts";
import { type Member, startMember } from "./member.ts";
import { Routers, type Scope, scoped } from "./segments.ts";

/** From a will to when the router is withdrawn, the goal is 1 s; a busy machine is forgiven, in ms. */
const WITHIN = 5_000;

const npm = await haveClients();
const there = npm === true ? haveEngines("mosquitto") : npm;

/** Two routers that watch, and a plain client that hears what is told to all. */
class Watch {
  readonly routers: Routers;
  /** Senders of what was told to all, and when, in ms. */
  readonly heard: { life: number; address: string; at: number }[] = [];
  readonly #scope: Scope;
  readonly #url: string;

  private constructor(scope: Scope, url: string) {
    this.#scope = scope;
    this.#url = url;
    this.routers = scope.use(new Routers());
  }

  static async start(scope: Scope): Promise<Watch> {
    const { url } = scope.use(await startMosquitto());
    const connect = async () => {
      const client = await connectMqtt(url, { protocolVersion: 5 });
      scope.defer(() => client.endAsync());
      return client;
    };
    const plain = await connect();
    const buses = [mqttBus(await connect()), mqttBus(await connect())];
    const watch = new Watch(scope, url);
    plain.on("message", (_topic, message) => {
      const { from: life, address } = decodeSegmentHead(message)!;
      watch.heard.push({ life, address, at: performance.now() });
    });
    await plain.subscribeAsync("aln/mesh/all");
    await watch.routers.know(...buses.map((bus, i) => watch.routers.join(`watch${i}`, bus)));
    return watch;
  }

  /** Starts a router in a process of its own. */
  member(address: string): Member {
    return this.#scope.use(startMember({ engine: "mqtt", url: this.#url, address }));
  }

  /** Resolves once both have found it. */
  found(): Promise<void> {
    return this.#all((router) => router.serviceAddresses("hang").length === 1);
  }

  /** Resolves once both have lost it, and all that it offered. */
  lost(): Promise<void> {
    return this.#all((router) => router.routes().length === 1 && router.services().length === 0);
  }

  #all(isSo: (router: Router) => boolean): Promise<void> {
    return this.routers.until(() => this.routers.all.every(isSo));
  }
}

test(
  ...needing(there, "On MQTT, a router that was killed is withdrawn everywhere by its last will"),
  scoped(async (scope, t) => {
    const watch = await Watch.start(scope);
    const member = watch.member("killed");
    await watch.found();
    const [a] = watch.routers.all as [Router];
    const failed = assert.rejects(a.request("hang"), { code: "ERR_NO_ROUTE" });
    await a.request("echo", "x"); // It has been asked.
    const before = watch.heard.length;
    const killed = performance.now();
    void member.kill();
    await watch.lost();
    const lost = performance.now();
    await failed;
    const will = watch.heard.slice(before).find(({ address }) => address === "killed")!;
    const after = (at: number) => `${(lost - at).toFixed(1)} ms`;
    t.diagnostic(`withdrawn ${after(will.at)} after the will, ${after(killed)} after the kill`);
    assert(lost - will.at < WITHIN, after(will.at));
  }),
);

test(
  ...needing(there, "On MQTT, a router that leaves in order is gone without its last will"),
  scoped(async (scope) => {
    const watch = await Watch.start(scope);
    const member = watch.member("leaves");
    await watch.found();
    const [a] = watch.routers.all as [Router];
    assert.equal((await a.request("leave")).text(), "leaving");
    await watch.lost();
    const goodbyes = watch.heard.length;
    assert.equal(await member.ended, 0);
    const next = watch.member("next");
    await watch.found();
    const late = watch.heard.slice(goodbyes).filter(({ address }) => address === "leaves");
    assert.deepEqual(late, []);
    await next.kill();
  }),
);

test(
  ...needing(
    there,
    "On MQTT, a router that starts again is believed at once, and its former life's last will changes nothing",
  ),
  scoped(async (scope, t) => {
    const watch = await Watch.start(scope);
    const first = watch.member("again");
    await watch.found();
    const { life } = watch.heard.find(({ address }) => address === "again")!;
    first.stop(); // The broker will not notice before it is killed.
    const second = watch.member("again");
    const [a, b] = watch.routers.all as [Router, Router];
    const isSecond = (entry: { life: number; address: string }) =>
      entry.address === "again" && entry.life !== life;
    await answered(a);
    await answered(b);
    const took = performance.now() - watch.heard.find(isSecond)!.at;
    t.diagnostic(`answered ${took.toFixed(1)} ms after its first word`);
    assert(took < WITHIN, `${took} ms`);
    const before = watch.heard.length;
    let losses = 0;
    for (const router of [a, b]) {
      router.addEventListener("route", ({ address, cost }) => {
        if (address === "again" && cost === 0) losses++;
      });
    }
    await first.kill();
    const third = watch.member("third"); // When that is known, the will has long been heard.
    await watch.routers.until(() =>
      [a, b].every((router) => router.serviceAddresses("hang").length === 2)
    );
    const wills = watch.heard.slice(before).filter((entry) => entry.life === life);
    assert.equal(wills.length, 1);
    assert.equal(losses, 0);
    await answered(a);
    await answered(b);
    await Promise.all([second.kill(), third.kill()]);
    await watch.lost();
  }),
);

/** Resolves once a call to the router that has started again is answered. */
async function answered(router: Router): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return void await router.request("echo", "", { dst: "again", timeout: 500 });
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}
