/**
 * Simulated connections: two channels, and the bytes between them, which take time, wait in small
 * windows, and meet with whatever is wrong with their path.
 *
 * @module
 */

import { type AlnError, type Channel, ChannelError, Packet } from "../../../mod.ts";
import { SendQueue } from "../../../src/channel/send_queue.ts";
import type { Bytes } from "../../../src/wire/bytes.ts";
import type { Clock } from "../../../src/router/clock.ts";
import type { ProcessClock } from "../process_clock.ts";

/** What a direction of a path does with what is on it: carry it, keep it for later, lose it. */
export type Weather = "fair" | "stalled" | "lossy";

/** One direction of a path. */
export interface Lane {
  /** What it does now. */
  weather: Weather;
}

/** What a connection needs to know of its path. */
export interface Carrier {
  /** The time of the world. */
  readonly clock: Clock;
  /** How long bytes are under way now, in ms. */
  delay(): number;
  /** How long a sender waits before it sends again what was lost, in ms. */
  patience(): number;
  /** Bytes that pass in a ms. */
  readonly rate: number;
  /** Bytes that may be under way, not yet read by the far end. */
  readonly window: number;
  /** Bytes that may wait to be sent. */
  readonly highWater: number;
  /**
   * Whether it carries streams, as TCP does: what is lost comes after all once that is possible, and
   * who is gone is told. Else packets may be lost, as by radio, and nobody is told.
   */
  readonly isStream: boolean;
  /** Is told of each packet that has arrived. */
  arrived(packet: Packet): void;
  /** Is told of each packet that is lost on its way. */
  lost(): void;
  /** Is told of each end that is closed. */
  closed(end: SimulatedChannel): void;
}

/** Where a channel ends: a process, on its machine. It may be held long after both are gone. */
export interface Place {
  /** The process's time. */
  readonly clock: ProcessClock;
  /** Whether its machine answers for processes that have ended. */
  readonly powered: boolean;
}

/** What is under way: a packet, the end of all packets, or word that nobody is there. */
type Flight = Bytes | "end" | "reset";

/** How long an orderly end may take before it is cut short, in ms. */
const CLOSE_TIMEOUT = 1_000;

/** Packets that may come before a router has the channel. */
const MAX_EARLY = 1_024;

/** One end of a connection. */
export class SimulatedChannel implements Channel {
  onClose: ((reason?: unknown) => void) | null = null;
  onDrop: ((error: AlnError, packet: Packet | null) => void) | null = null;
  readonly place: Place;
  readonly #carrier: Carrier;
  readonly #queue: SendQueue<Bytes>;
  readonly #out: Lane;
  readonly #in: Lane;
  readonly #drained: Set<{ resolve: () => void; reject: (reason: unknown) => void }> = new Set();
  #far!: SimulatedChannel;
  #onPacket: ((packet: Packet) => void) | null = null;
  #early: Packet[] = [];
  #state: "open" | "closing" | "closed" = "open";
  #flying: number = 0;
  #free: number = 0;
  #arrival: number = 0;
  /** What waits on the way until the path is fair again. */
  #held: Flight[] = [];
  /** Bytes that the far end has read, and of which it could not tell yet. */
  #unacknowledged: number = 0;
  #cancelClose: () => void = () => {};

  private constructor(carrier: Carrier, place: Place, out: Lane, into: Lane) {
    this.#carrier = carrier;
    this.place = place;
    this.#out = out;
    this.#in = into;
    this.#queue = new SendQueue(carrier.highWater);
  }

  /**
   * Makes both ends of a connection.
   *
   * @param lanes From the first place to the second, and back.
   */
  static connect(
    carrier: Carrier,
    [near, far]: [Place, Place],
    [there, back]: [Lane, Lane],
  ): [SimulatedChannel, SimulatedChannel] {
    const left = new SimulatedChannel(carrier, near, there, back);
    const right = new SimulatedChannel(carrier, far, back, there);
    left.#far = right;
    right.#far = left;
    return [left, right];
  }

  /** The other end. */
  get far(): SimulatedChannel {
    return this.#far;
  }

  /** Whether packets pass in both directions between two routers that have them. */
  get works(): boolean {
    const isUp = (end: SimulatedChannel) => end.#state === "open" && end.place.clock.running;
    const fair = this.#in.weather === "fair" && this.#out.weather === "fair";
    return fair && isUp(this) && isUp(this.#far);
  }

  /** Whether a router has it. */
  get isAttached(): boolean {
    return this.#onPacket !== null;
  }

  /** Given each packet that arrives. */
  get onPacket(): ((packet: Packet) => void) | null {
    return this.#onPacket;
  }

  /** Sets who is given each packet; those that came before come first. */
  set onPacket(handler: ((packet: Packet) => void) | null) {
    this.#onPacket = handler;
    if (handler === null || this.#early.length === 0) return;
    this.#soon(() => {
      while (this.#early.length > 0 && this.#onPacket) this.#onPacket(this.#early.shift()!);
    });
  }

  send(packet: Packet): boolean {
    if (this.#state !== "open" || this.place.clock.dead) return false;
    const bytes = packet.toBinary();
    const admission = this.#queue.push(bytes, bytes.length, packet.net !== 0);
    if (admission === "overrun") this.close(broken("it cannot hold what routers tell"));
    if (admission !== "queued") return false;
    this.#pump();
    return true;
  }

  drained({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#state === "closed") return Promise.reject(broken("it is closed"));
    if (this.#queue.bytes === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.reject(signal!.reason);
      const done = () => {
        this.#drained.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter = {
        resolve: () => (done(), resolve()),
        reject: (reason: unknown) => (done(), reject(reason)),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#drained.add(waiter);
    });
  }

  close(reason?: unknown): void {
    if (this.#state === "closed" || this.place.clock.dead) return;
    if (reason !== undefined) {
      this.#fly("reset");
      return this.#finish(reason);
    }
    if (this.#state === "closing") return;
    this.#state = "closing";
    const { clock } = this.place;
    this.#cancelClose = clock.schedule(clock.now() + CLOSE_TIMEOUT, () => {
      this.#fly("reset");
      this.#finish(broken("its end takes too long"));
    });
    if (this.#queue.bytes === 0) this.#end();
  }

  /** The connection fails, as this end's process will hear once it runs. */
  fail(): void {
    this.#soon(() => this.#finish(broken("it was reset")));
  }

  /** The process has ended: nobody is told here, but the far end may be. */
  abandon(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    if (this.place.powered && this.#carrier.isStream) this.#fly("reset");
    this.onClose = this.onDrop = this.#onPacket = null; // The far end may outlive it for long.
    this.#early = [];
    this.#queue.clear();
    this.#carrier.closed(this);
  }

  /** The lane towards the far end, or back, is fair again. */
  mend(): void {
    const { clock } = this.#carrier;
    const again = clock.now() + this.#carrier.patience();
    if (this.#held.length > 0) clock.schedule(again, () => this.#release());
    if (this.#unacknowledged > 0) clock.schedule(again, () => this.#acknowledge());
  }

  // ── out ───────────────────────────────────────────────────────────────────

  /** Sends what the window lets through. */
  #pump(): void {
    while (this.#flying < this.#carrier.window) {
      const entry = this.#queue.shift();
      if (entry === undefined) return;
      this.#flying += entry.size;
      this.#fly(entry.unit);
    }
  }

  #fly(flight: Flight): void {
    const { clock, rate } = this.#carrier;
    const now = clock.now();
    const size = typeof flight === "string" ? 0 : flight.length;
    this.#free = Math.max(now, this.#free) + size / rate;
    this.#arrival = Math.max(this.#arrival, this.#free + this.#carrier.delay());
    clock.schedule(this.#arrival, () => this.#land(flight));
  }

  /** Something has come to the end of its way. */
  #land(flight: Flight): void {
    const { isStream } = this.#carrier;
    const { weather } = this.#out;
    const fair = weather === "fair" && this.#held.length === 0;
    if (fair) return this.#arrive(flight);
    if (flight === "reset") return; // It is not sent again.
    if (isStream || weather !== "lossy") return void this.#held.push(flight);
    if (typeof flight === "string") return;
    this.#carrier.lost();
    this.#sent(flight.length);
  }

  #release(): void {
    while (this.#out.weather === "fair" && this.#held.length > 0) {
      this.#arrive(this.#held.shift()!);
    }
  }

  #arrive(flight: Flight): void {
    const far = this.#far;
    const { clock, powered } = far.place;
    if (clock.running) return this.#hand(flight);
    if (!clock.dead) return void clock.schedule(clock.now(), () => this.#hand(flight));
    if (flight === "reset") return;
    if (this.#carrier.isStream) {
      if (powered) far.#fly("reset");
    } else if (flight !== "end") this.#sent(flight.length);
  }

  /** The far end's process is given what has arrived. */
  #hand(flight: Flight): void {
    const far = this.#far;
    if (far.place.clock.dead) return this.#arrive(flight); // It has died in this very moment.
    if (typeof flight === "string") {
      far.#finish(flight === "end" ? undefined : broken("it was reset"));
      return;
    }
    if (far.#state !== "closed") far.#take(flight);
    else if (this.#carrier.isStream) return far.#fly("reset"); // Nobody is there any more.
    if (this.#carrier.isStream && this.#in.weather !== "fair") far.#unacknowledged += flight.length;
    else this.#sent(flight.length);
  }

  /** The far end gets word at last of what was read here. */
  #acknowledge(): void {
    if (this.#out.weather !== "fair") return;
    const size = this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#far.#sent(size);
  }

  #sent(size: number): void {
    if (this.#state === "closed") return;
    this.#flying -= size;
    this.#queue.release(size);
    this.#pump();
    if (this.#queue.bytes > 0) return;
    for (const waiter of [...this.#drained]) waiter.resolve();
    if (this.#state === "closing") this.#end();
  }

  // ── in ────────────────────────────────────────────────────────────────────

  #take(bytes: Bytes): void {
    if (this.#state !== "open") return;
    const packet = Packet.fromBinary(bytes);
    this.#carrier.arrived(packet);
    if (this.#onPacket !== null && this.#early.length === 0) this.#onPacket(packet);
    else if (this.#early.length < MAX_EARLY) this.#early.push(packet);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  /** All has been sent: says so, and is closed. */
  #end(): void {
    if (this.#state !== "closing") return;
    this.#fly("end");
    this.#finish();
  }

  #finish(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#forget();
    const { onClose } = this;
    this.onClose = null;
    onClose?.(reason);
  }

  #forget(): void {
    this.#cancelClose();
    this.#queue.clear();
    for (const waiter of [...this.#drained]) waiter.reject(broken("it is closed"));
    this.#carrier.closed(this);
  }

  /** Runs something when the process next runs. */
  #soon(run: () => void): void {
    const { clock } = this.place;
    clock.schedule(clock.now(), run);
  }
}

function broken(why: string): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep connection: ${why}`);
}
