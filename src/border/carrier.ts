/**
 * {@linkcode Carrier}: carries calls on from one area into another.
 *
 * @module
 */

import { CallError, ChannelError, UnreachableError } from "../errors.ts";
import { type CarriedCall, CarriedError } from "../router/incoming_call.ts";
import { hasNotRun, MAX_REFUSALS } from "../router/request.ts";
import { textOf } from "../router/text_of.ts";
import type { Packet } from "../wire/packet.ts";
import type { Instance } from "./area.ts";
import { FULL } from "./paths.ts";

/** Instances that are looked at for one call, if there are more. */
const SAMPLES = 8;

/** How long an old peer's call may go without a reply, in ms: it cannot say that it has enough. */
const OLD_PEER_IDLE = 30_000;

/** What a carrier needs of its border. */
export interface CarrierHost {
  /** Uniform over [0, 1). */
  readonly random: () => number;
  /** Calls at once. */
  readonly maxCalls: number;
  /** A call of a service has begun or ended. */
  loadChanged(service: string): void;
}

/** Carries calls on. */
export class Carrier {
  readonly #host: CarrierHost;
  readonly #calls: Set<AbortController> = new Set();
  readonly #idleWaiters: Set<() => void> = new Set();
  /** Calls that have been refused, and packets without a call that could not be sent on. */
  refused: number = 0;
  lost: number = 0;

  /** Constructs a new instance. */
  constructor(host: CarrierHost) {
    this.#host = host;
  }

  /** Calls that are being carried. */
  get calls(): number {
    return this.#calls.size;
  }

  /** Resolves when no call is being carried. */
  idle(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.add(resolve));
  }

  /** Ends every call. */
  endAll(): void {
    const reason = new CarriedError("ERR_CALL_LOST", "Cannot carry call on: the border has closed");
    for (const ends of [...this.#calls]) ends.abort(reason);
  }

  /** Sends a packet that expects no reply on to one instance. */
  send(sources: readonly Instance[], packet: Packet): void {
    const instance = this.#pick(sources);
    if (instance === null) return void this.lost++;
    const { service: srv, host: dst, from: { router } } = instance;
    const { data, typ, seq, ack } = packet;
    if (router.send({ srv, dst, data, typ, seq, ack }) !== null) this.lost++;
  }

  /** Carries a call on to one instance, or to another if that says that it does not serve it. */
  async *answers(
    sources: () => readonly Instance[],
    packet: Packet,
    call: CarriedCall,
  ): AsyncGenerator<Packet, void> {
    if (this.#calls.size >= this.#host.maxCalls) {
      this.refused++;
      const message = "Cannot carry call on: the border carries too many at once";
      throw new CarriedError("ERR_CALL_REFUSED", message);
    }
    const ends = new AbortController();
    const giveUp = () => ends.abort(call.signal.reason);
    call.signal.addEventListener("abort", giveUp, { once: true });
    this.#calls.add(ends);
    try {
      const tried = new Set<Instance>();
      let failure: unknown = null;
      for (;;) {
        const instance = this.#pick(sources(), tried);
        if (instance === null) throw failure ?? nobody(packet.srv);
        let replied = false;
        this.#count(instance, 1);
        try {
          for await (const reply of ask(instance, packet, call, ends.signal)) {
            replied = true;
            yield reply;
          }
          return;
        } catch (cause) {
          failure = failureOf(cause, packet.srv);
          const over = replied || call.uploading || ends.signal.aborted;
          if (over || !hasNotRun(cause) || tried.size >= MAX_REFUSALS) throw failure;
        } finally {
          this.#count(instance, -1);
        }
        tried.add(instance);
      }
    } finally {
      call.signal.removeEventListener("abort", giveUp);
      this.#calls.delete(ends);
      if (this.#calls.size === 0) {
        for (const resolve of this.#idleWaiters) resolve();
        this.#idleWaiters.clear();
      }
    }
  }

  #count(instance: Instance, change: number): void {
    instance.calls += change;
    this.#host.loadChanged(instance.service);
  }

  /** The instance with the least to do, of a few if there are many; those that are full are the last. */
  #pick(sources: readonly Instance[], tried?: ReadonlySet<Instance>): Instance | null {
    const { length } = sources;
    const start = Math.floor(this.#host.random() * length);
    let best: Instance | null = null;
    let looked = 0;
    for (let i = 0; i < length && looked < SAMPLES; i++) {
      const one = sources[(start + i) % length]!;
      if (tried?.has(one)) continue;
      if (one.load < FULL) looked++;
      if (best === null || busyness(one) < busyness(best)) best = one;
    }
    return best;
  }
}

/** How much an instance has to do: what it says, and what we have there. */
export function busyness({ load, calls }: Instance): number {
  return load >= FULL ? Infinity : load + calls;
}

/** Calls one instance as our caller has called us. */
async function* ask(
  instance: Instance,
  packet: Packet,
  call: CarriedCall,
  signal: AbortSignal,
): AsyncGenerator<Packet, void> {
  const { service, host: dst, from: { router } } = instance;
  const { reliable } = call;
  const data = call.uploading ? call.body : packet.data;
  const options = { dst, typ: packet.typ, reliable, signal };
  if (call.streaming) {
    const idle = call.marked ? Infinity : OLD_PEER_IDLE;
    yield* router.stream(service, data, { ...options, idle });
  } else {
    // How long is the caller's to say, who is heard when it has waited for long enough.
    yield await router.request(service, data, { ...options, timeout: Infinity });
  }
}

function nobody(service: string): CarriedError {
  const why = `nobody behind the border offers "${service}" any more`;
  return new CarriedError("ERR_NO_SERVICE", `Cannot carry call on: ${why}`);
}

/** What our caller is told. A lost route is not its own: it may call again, the border is there. */
function failureOf(cause: unknown, service: string): CarriedError {
  if (cause instanceof CarriedError) return cause;
  const message = textOf(cause);
  if (cause instanceof CallError) return new CarriedError(cause.code, cause.message);
  if (cause instanceof UnreachableError && cause.code === "ERR_NO_SERVICE") {
    return new CarriedError(cause.code, cause.message);
  }
  const what = `Cannot carry call of "${service}" on: ${message}`;
  const unsent = cause instanceof ChannelError && cause.code === "ERR_CHANNEL_FULL";
  return new CarriedError(unsent ? "ERR_CALL_REFUSED" : "ERR_CALL_LOST", what);
}
