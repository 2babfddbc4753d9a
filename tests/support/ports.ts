/**
 * For tests of channels over messages: ports and broadcast channels of which the test sees all.
 *
 * @module
 */

import type { MessageLike, MessagePortLike } from "../../src/channel/mod.ts";

type Listener = (event: MessageLike) => void;

/** A port whose far end is the test. */
export class FakePort implements MessagePortLike {
  /** Everything that was posted. */
  readonly posted: unknown[] = [];
  /** What `postMessage` throws. */
  broken: Error | null = null;
  readonly #listeners: [type: string, listener: Listener][] = [];

  postMessage(message: unknown): void {
    if (this.broken) throw this.broken;
    this.posted.push(structuredClone(message));
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push([type, listener]);
  }

  removeEventListener(type: string, listener: Listener): void {
    const at = this.#listeners.findIndex(([t, l]) => t === type && l === listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  /** How many listeners there are. */
  get listening(): number {
    return this.#listeners.length;
  }

  /** Something happens to the port. */
  tell(type: string, data?: unknown): void {
    for (const [t, listener] of [...this.#listeners]) if (t === type) listener({ type, data });
  }

  /** Packets posted, by their bytes; the rest as it is. */
  get words(): unknown[] {
    return this.posted.map((message) => message instanceof Uint8Array ? message.length : message);
  }
}

/** Like a `MessagePort`, which is started and closed, where a worker's scope is neither. */
export class FakeMessagePort extends FakePort {
  /** What was called. */
  readonly calls: string[] = [];

  start(): void {
    this.calls.push("start");
  }

  close(): void {
    this.calls.push("close");
  }
}

/** `BroadcastChannel`s of one name. Messages arrive in later microtasks, in order. */
export class FakeBroadcast {
  readonly #members: Set<FakeBroadcastChannel> = new Set();
  /** Every message, as posted. */
  readonly posted: { src: string; nxt: string; data: unknown }[] = [];

  /** Another member. */
  join(): FakeBroadcastChannel {
    const member = new FakeBroadcastChannel((message) => {
      if (!this.#members.has(member)) return; // Its page is gone.
      this.posted.push(message as never);
      const copy = structuredClone(message);
      for (const other of this.#members) {
        if (other !== member) queueMicrotask(() => other.take(copy));
      }
    }, () => this.#members.delete(member));
    this.#members.add(member);
    return member;
  }

  /** Members that have not been closed. */
  get size(): number {
    return this.#members.size;
  }
}

/** One member of a {@linkcode FakeBroadcast}. */
export class FakeBroadcastChannel extends FakePort {
  readonly #post: (message: unknown) => void;
  readonly #leave: () => void;
  #held: unknown[] | null = null;

  constructor(post: (message: unknown) => void, leave: () => void) {
    super();
    this.#post = post;
    this.#leave = leave;
  }

  override postMessage(message: unknown): void {
    this.#post(message);
  }

  close(): void {
    this.#leave();
  }

  /** A message comes in. */
  take(message: unknown): void {
    if (this.#held) this.#held.push(message);
    else this.tell("message", message);
  }

  /** Its page hears nothing until it is thawed. */
  freeze(): void {
    this.#held = [];
  }

  /** Its page hears all that it missed. */
  thaw(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const message of held) this.take(message);
  }
}
