/**
 * Routers for tests: chains of them in memory, behind a clock that only a test moves.
 *
 * @module
 */

import {
  type BaseChannel,
  type Channel,
  createChannelPair,
  type Packet,
  Router,
  type RouterEventMap,
  type RouterOptions,
} from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";

/** The two ends of a link. */
export type Link = [BaseChannel<Packet>, BaseChannel<Packet>];

/** Routers are at rest when nothing is due for so long, in ms: no news, and no hope, waits longer. */
const REST = 600;

/** What a test may wait for takes less than this, in ms. */
const EVER = 3_600_000;

/** More than sums of times are off by, in ms. */
const ROUNDING = 2 ** -10;

/** A clock that stops wherever something is due, and lets what that causes happen before it goes on. */
export class SteppingClock extends ManualClock {
  readonly #due: Set<{ at: number }> = new Set();

  override schedule(at: number, run: () => void): () => void {
    const entry = { at };
    this.#due.add(entry);
    const cancel = super.schedule(at, () => {
      this.#due.delete(entry);
      run();
    });
    return () => {
      this.#due.delete(entry);
      cancel();
    };
  }

  /** When something is next due; `Infinity` if nothing is. */
  override get next(): number {
    return Math.min(...[...this.#due].map(({ at }) => at));
  }

  /** Lets so many ms pass. */
  async pass(duration: number): Promise<void> {
    const end = this.now() + duration;
    await turn();
    while (this.next <= end) await this.#step();
    this.advance(Math.max(0, end - this.now()));
    await turn();
  }

  /** Lets time pass until all have been told what there is to tell. */
  async rest(): Promise<void> {
    await turn();
    while (this.next - this.now() <= REST) await this.#step();
  }

  /** Lets time pass until a promise is settled, and not longer. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const end = this.now() + EVER;
    let settled = false;
    const settle = () => void (settled = true);
    promise.then(settle, settle);
    await turn();
    while (!settled && this.next <= end) await this.#step();
    return promise;
  }

  async #step(): Promise<void> {
    this.advance(Math.max(0, this.next - this.now()) + ROUNDING);
    await turn();
  }
}

/** A line of routers, each linked to the next. */
export interface Chain<Addresses extends readonly string[]> {
  /** From one end of the line to the other. */
  routers: { -readonly [K in keyof Addresses]: Router };
  /** The time of all of them. */
  clock: SteppingClock;
  /** The channel of each router to the next, and the next one's to it. */
  links: Addresses extends readonly [string, ...infer Rest] ? { [K in keyof Rest]: Link } : never;
}

/** Links routers of these addresses in a line, and waits until all know each other. */
export async function chain<const Addresses extends readonly string[]>(
  addresses: Addresses,
  options: RouterOptions = {},
): Promise<Chain<Addresses>> {
  const clock = new SteppingClock();
  const random = seededRandom(1);
  const routers = addresses.map((address) => new Router(address, { clock, random, ...options }));
  const links = routers.slice(1).map((router, i) => join(routers[i]!, router));
  await clock.rest();
  return { routers, clock, links } as unknown as Chain<Addresses>;
}

/** Links two routers. */
export function join(a: Router, b: Router): Link {
  const [here, there] = createChannelPair();
  a.addChannel(here);
  b.addChannel(there);
  return [here, there];
}

/** Lets everything happen that is due; channels in memory need no more to deliver what they hold. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** What a promise was rejected with; fails if it was not. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => Promise.reject(new Error(`it resolved with ${String(value)}`)),
    (reason) => reason,
  );
}

/** The rejection's code, the way programs see it. */
export async function failureCode(promise: Promise<unknown>): Promise<unknown> {
  const reason = await rejection(promise) as { code?: unknown; name?: unknown };
  return typeof reason.code === "string" ? reason.code : reason.name;
}

/** Everything that a router tells, in order, in words that are easy to compare. */
export function record(router: Router): string[] {
  const told: string[] = [];
  router.addEventListener("service", ({ service, address, capacity }) => {
    told.push(`service ${service} at ${address}: ${capacity}`);
  });
  router.addEventListener("route", ({ address, cost, via }) => {
    told.push(`route ${address}: ${cost}${via && ` via ${via}`}`);
  });
  router.addEventListener("channel", ({ open, reason }) => {
    const why = reason === undefined ? "" : `: ${(reason as Error).message}`;
    told.push(`channel ${open ? "open" : "closed"}${why}`);
  });
  router.addEventListener("drop", ({ error, packet }) => {
    told.push(`drop ${error.code}: ${packet === null ? "no packet" : packet.text()}`);
  });
  router.addEventListener("conflict", ({ address }) => {
    told.push(`conflict ${address}`);
  });
  return told;
}

/** The next event of a kind. */
export function next<K extends keyof RouterEventMap>(
  router: Router,
  type: K,
): Promise<RouterEventMap[K]> {
  return new Promise((resolve) => {
    router.addEventListener(type, (event) => resolve(event), { once: true });
  });
}

/** The least that is a channel: what somebody else might write. */
export class ForeignChannel implements Channel {
  onPacket: ((packet: Packet) => void) | null = null;
  onClose: ((reason?: unknown) => void) | null = null;
  /** Every packet that the router sent. */
  readonly sent: Packet[] = [];
  /** Every call of `close`, by its reason. */
  readonly closes: unknown[] = [];
  /** What `send` does beside noting the packet. */
  answer: (packet: Packet) => boolean | void = () => {};
  /** Whether `close` says that it has closed. */
  tells: boolean = true;

  send(packet: Packet): boolean | void {
    this.sent.push(packet.copy());
    return this.answer(packet);
  }

  close(reason?: unknown): void {
    this.closes.push(reason);
    if (!this.tells) return;
    const { onClose } = this;
    this.onClose = null;
    onClose?.(reason);
  }
}

/** Links two routers by channels that deliver before `send` returns. */
export function joinDirectly(a: Router, b: Router): [ForeignChannel, ForeignChannel] {
  const [here, there] = [new ForeignChannel(), new ForeignChannel()];
  here.answer = (packet) => there.onPacket?.(packet.copy());
  there.answer = (packet) => here.onPacket?.(packet.copy());
  a.addChannel(here);
  b.addChannel(there);
  return [here, there];
}

/** A signal that knows who listens to it. */
export class CountingController extends AbortController {
  readonly #listeners: Set<unknown> = new Set();

  /** Constructs a new instance. */
  constructor() {
    super();
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.#listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.#listeners.delete(args[1]);
      remove(...args);
    };
  }

  /** Listeners that have not been removed. */
  get listening(): number {
    return this.#listeners.size;
  }
}
