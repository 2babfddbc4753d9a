/**
 * Whole routers on the segments of real engines.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Router, type RouterOptions } from "../../mod.ts";
import { type Bus, BusChannel, type BusChannelOptions } from "../../src/bus/mod.ts";
import type { Engine } from "../support/engines.ts";
import { Watchers } from "../support/watchers.ts";
import { type Client, type Running, withEngine } from "./engines.ts";

/** Options of {@linkcode Routers.join}. */
export interface JoinOptions extends BusChannelOptions {
  /** The router's. */
  router?: RouterOptions;
}

/** Routers of one test, which are closed at its end. */
export class Routers implements AsyncDisposable {
  /** All that were made. */
  readonly all: Router[] = [];
  /** What went wrong, but for what cannot be routed. */
  readonly drops: string[] = [];
  readonly #watchers: Watchers = new Watchers();

  /** Makes a router and has it join. */
  join(address: string, bus: Bus, { router: own, ...options }: JoinOptions = {}): Router {
    const router = new Router(address, own);
    for (const type of ["service", "route"] as const) {
      router.addEventListener(type, () => this.#look());
    }
    router.addEventListener("drop", ({ reason, error }) => {
      if (reason !== "no-route") this.drops.push(`${address}: ${error.message}`);
    });
    router.addChannel(new BusChannel(bus, options));
    this.all.push(router);
    return router;
  }

  /** Resolves once something is so; it is looked at whenever a router tells something. */
  until(isSo: () => boolean): Promise<void> {
    return this.#watchers.until(isSo);
  }

  /** Resolves once all of these know all others of them, and nobody else. */
  async know(...routers: Router[]): Promise<void> {
    const wanted = new Map(routers.map((router) => {
      return [router, routers.filter((other) => other !== router).map(addressOf).sort().join()];
    }));
    await this.until(() => routers.every((router) => reached(router) === wanted.get(router)));
  }

  /** Closes one, of which nothing is expected any more. */
  async close(router: Router): Promise<void> {
    this.all.splice(this.all.indexOf(router), 1);
    await router.close();
  }

  /** Closes them all. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.splice(0).map((router) => router.close()));
  }

  #look(): void {
    this.#watchers.look();
  }
}

/** What a test has started, which is ended at its end, the last first. */
export class Scope implements AsyncDisposable {
  readonly #ends: (() => unknown)[] = [];

  /** Has something disposed of at the end. */
  use<T extends AsyncDisposable>(one: T): T {
    this.#ends.push(() => one[Symbol.asyncDispose]());
    return one;
  }

  /** Does something at the end. */
  defer(end: () => unknown): void {
    this.#ends.push(end);
  }

  /** Ends all. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let end; (end = this.#ends.pop()) !== undefined;) await end();
  }
}

/** A test that has a scope. (Node 22 does not know `await using`.) */
export function scoped<T>(
  run: (scope: Scope, t: T) => Promise<void>,
): (t: T) => Promise<void> {
  return async (t) => {
    const scope = new Scope();
    try {
      await run(scope, t);
    } finally {
      await scope[Symbol.asyncDispose]();
    }
  };
}

/** Runs with an engine and routers, and ends them, whatever comes. */
export function withRouters(
  start: () => Promise<Running>,
  run: (
    connect: () => Promise<Client>,
    routers: Routers,
    engine: Engine | null,
  ) => Promise<void>,
): Promise<void> {
  return withEngine(start, (connect, engine) => {
    return scoped((scope) => run(connect, scope.use(new Routers()), engine))(null);
  });
}

const addressOf = ({ address }: Router) => address;

/** To whom a router has routes. */
export function reached(router: Router): string {
  return router.routes().map(({ address }) => address).sort().join();
}

/** Who offers what, by what a router knows. */
export function offered(router: Router): string[] {
  return router.services().map(({ service, address }) => `${service} at ${address}`).sort();
}

/** Bytes of which none looks like its neighbours. */
export function bytes(size: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 8) * 17 + (i >> 16));
}

/** Fails unless two are the same; quicker than to be told where they are not. */
export function assertSame(a: Uint8Array, b: Uint8Array): void {
  assert(a.length === b.length && a.every((byte, i) => byte === b[i]), "bytes have changed");
}
