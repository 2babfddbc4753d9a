/** Engines that are killed in the middle of traffic, and started again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Router } from "../../mod.ts";
import { natsBus } from "../../src/bus/mod.ts";
import { haveClients, haveEngines, startNatsCluster } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectNats, KINDS } from "./engines.ts";
import { offered, Routers, scoped, withRouters } from "./segments.ts";

/** How long one call may take, in ms, and how much later a busy machine may say so. */
const DEADLINE = 3_000;
const LATENESS = 2_000;

/** Calls that each caller has in flight. */
const WINDOW = 8;

/** How long a caller waits after a call has failed, in ms. */
const PAUSE = 10;

/** What is aimed at is 2 s from when a client has reconnected; a busy machine is forgiven, in ms. */
const RESTORED_WITHIN = 10_000;

/** How long a whole engine is away, in ms: longer than anybody waits for it. */
const OUTAGE = 5_000;

/** How a call ended. */
interface Ending {
  id: string;
  reliable: boolean;
  took: number;
  /** What it failed with; `null` if it was answered. */
  error: Error & { code?: unknown } | null;
}

/** Calls from some routers to the service `work` of others, one after the other. */
class Traffic {
  readonly endings: Ending[] = [];
  readonly #runs: Map<string, number> = new Map();
  readonly #waiting: Set<() => void> = new Set();
  readonly #callers: Promise<unknown>;
  #count: number = 0;
  #stopped: boolean = false;

  constructor(callers: Router[], workers: Router[]) {
    for (const worker of workers) {
      worker.registerService("work", (packet) => {
        const id = packet.text();
        this.#runs.set(id, 1 + (this.#runs.get(id) ?? 0));
        return id;
      });
    }
    this.#callers = Promise.all(
      callers.flatMap((caller) => Array.from({ length: WINDOW }, () => this.#call(caller))),
    );
  }

  /** Resolves once so many more calls have been answered. */
  answered(count: number): Promise<void> {
    const answers = () => this.endings.filter(({ error }) => error === null).length;
    const enough = answers() + count;
    return new Promise((resolve) => {
      const look = () => {
        if (answers() < enough) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }

  /** Makes no more calls; resolves once all have ended, and fails unless they did as they must. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#callers;
    assert.equal(this.endings.length, this.#count);
    for (const { id, reliable, took, error } of this.endings) {
      assert(took < DEADLINE + LATENESS, `${id} took ${took} ms`);
      const runs = this.#runs.get(id) ?? 0;
      const kind = reliable ? "reliable call" : "call";
      assert(runs <= 1 && (error !== null || runs === 1), `${kind} ${id} has run ${runs} times`);
      if (error === null || error.name === "TimeoutError") continue;
      assert.match(String(error.code), /^ERR_/, `${id}: ${error}`);
    }
  }

  /** In one line. */
  toString(): string {
    const failures = this.endings.filter(({ error }) => error !== null);
    const reasons = new Set(failures.map(({ error }) => String(error!.code)));
    return `${this.endings.length} calls, ${failures.length} failed (${[...reasons]})`;
  }

  async #call(caller: Router): Promise<void> {
    while (!this.#stopped) {
      const id = String(this.#count++);
      const reliable = this.#count % 2 === 0;
      const start = performance.now();
      let error: Ending["error"] = null;
      try {
        const reply = await caller.request("work", id, { reliable, timeout: DEADLINE });
        assert.equal(reply.text(), id);
      } catch (failure) {
        error = failure as Error;
      }
      this.endings.push({ id, reliable, took: performance.now() - start, error });
      for (const look of [...this.#waiting]) look();
      if (error !== null) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Resolves to when a call was answered, in ms. */
async function answered(from: Router, dst: string): Promise<number> {
  for (const start = performance.now();;) {
    try {
      await from.request("work", `${from.address} to ${dst} ${performance.now()}`, {
        dst,
        timeout: 200,
      });
      return performance.now();
    } catch (error) {
      if (performance.now() - start > RESTORED_WITHIN) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** Resolves once all routers know the same, and all there is. */
async function agree(routers: Routers, workers: Router[]): Promise<void> {
  const wanted = workers.map(({ address }) => `work at ${address}`).join();
  await routers.know(...routers.all);
  await routers.until(() => routers.all.every((one) => offered(one).join() === wanted));
  await routers.know(...routers.all);
  for (const router of routers.all) {
    assert(router.routes().every(({ cost, via, address }) => cost === 1 && via === address));
  }
}

const npm = await haveClients();

test(
  ...needing(
    npm === true ? haveEngines("nats-server") : npm,
    "On a cluster of NATS, every call in flight ends when a server is killed, and all is whole soon after",
    55_000,
  ),
  scoped(async (scope, t) => {
    const cluster = scope.use(await startNatsCluster(3));
    const routers = new Routers();
    /** When each router's client has reconnected last, in ms. */
    const reconnected: Map<string, number> = new Map();
    const waiting: Set<() => void> = new Set();
    const join = async (name: string, node: number) => {
      const connection = await connectNats("connect", cluster.nodes[node]!.url);
      scope.defer(() => connection.close());
      void (async () => {
        for await (const { type } of connection.status()) {
          if (type === "disconnect") reconnected.delete(name);
          if (type === "reconnect") reconnected.set(name, performance.now());
          for (const look of [...waiting]) look();
        }
      })();
      return routers.join(name, natsBus(connection));
    };
    /** Resolves once these have reconnected. */
    const back = (...names: string[]) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!names.every((name) => reconnected.has(name))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    const callers: Router[] = [];
    const workers: Router[] = [];
    for (let node = 0; node < 3; node++) {
      callers.push(await join(`caller-${node}`, node));
      workers.push(await join(`worker-${node}`, node));
    }
    scope.use(routers);
    let traffic = new Traffic(callers, workers);
    await agree(routers, workers);
    await traffic.answered(300);

    await cluster.nodes[0]!.kill();
    await back("caller-0", "worker-0");
    const restored = await Promise.all([
      ...workers.map(async ({ address }) => {
        return await answered(callers[0]!, address) - reconnected.get("caller-0")!;
      }),
      ...callers.map(async (caller) => {
        return await answered(caller, "worker-0") - reconnected.get("worker-0")!;
      }),
    ]);
    t.diagnostic(`restored ${Math.max(...restored).toFixed(1)} ms after the clients reconnected`);
    assert(Math.max(...restored) < RESTORED_WITHIN, `${restored} ms`);
    await traffic.answered(300);
    await traffic.stop();
    t.diagnostic(`one server killed: ${traffic}`);
    await agree(routers, workers);

    traffic = new Traffic(callers, workers);
    await cluster.nodes[0]!.start();
    await cluster.whole();
    await traffic.answered(300);
    await agree(routers, workers);

    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await new Promise((resolve) => setTimeout(resolve, OUTAGE));
    await routers.until(() => routers.all.every((router) => router.routes().length === 0));
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await cluster.whole();
    await back(...routers.all.map(({ address }) => address));
    await agree(routers, workers);
    await traffic.answered(300);
    await traffic.stop();
    t.diagnostic(`all killed for ${OUTAGE} ms: ${traffic}`);
    await agree(routers, workers);
    assert.deepEqual(routers.drops.filter((drop) => !isAway(drop)), []);
  }),
);

/** Whether something was dropped because the engine was away, or came too late for its call. */
function isAway(drop: string): boolean {
  return /the engine is away|nobody waits in context/.test(drop);
}

for (const { name, there, start } of KINDS) {
  if (name === "broadcastBus()") continue;
  test(
    ...needing(
      there,
      `On ${name}, every call ends when the engine is away, and all is whole after`,
    ),
    () =>
      withRouters(start, async (connect, routers, engine) => {
        const join = async (address: string) => routers.join(address, (await connect()).bus());
        const [a, b, c] = [await join("a"), await join("b"), await join("c")];
        const traffic = new Traffic([a], [b, c]);
        await agree(routers, [b, c]);
        await traffic.answered(100);
        await engine!.kill();
        await routers.until(() => routers.all.every((router) => router.routes().length === 0));
        await engine!.start();
        await agree(routers, [b, c]);
        await traffic.answered(100);
        await traffic.stop();
        await agree(routers, [b, c]);
        assert.deepEqual(routers.drops.filter((drop) => !isAway(drop)), []);
      }),
  );
}
