/**
 * What waits to be sent: two lanes, bounded in bytes. Control traffic goes first, so that routes
 * move even while data is jammed.
 *
 * @module
 */

/** Something to send, and how many bytes it counts for. */
export interface Entry<Unit> {
  /** What it is. */
  unit: Unit;
  /** In bytes. */
  size: number;
  /** How many packets are in it; 1 if left out. */
  count?: number;
}

/** What became of a unit: in the queue, refused, or refused though it was control traffic. */
export type Admission = "queued" | "full" | "overrun";

/** What a channel needs of its queue. */
export interface OutgoingQueue<Unit> {
  /** Bytes that were admitted and not yet released. */
  readonly bytes: number;
  /** Whether nothing waits to be taken. */
  readonly empty: boolean;
  /** Admits a unit, if there is room. A single one always fits into an empty queue. */
  push(unit: Unit, size: number, control: boolean): Admission;
  /** Takes the oldest data out until so many bytes of data more have room, or nothing if that is vain. */
  evict(size: number): Unit[];
  /** Takes what is to be sent next, control first. Its bytes count until they are released. */
  shift(): Entry<Unit> | undefined;
  /** Says that so many bytes have left. */
  release(size: number): void;
  /** Forgets all that waits, and says how many units of data that was. */
  clear(): number;
  /** Gives up what it keeps for the next burst: nothing has been sent for a while. */
  shrink(): void;
}

/** Whether so many bytes may join those that wait. */
export function admit(
  waiting: number,
  size: number,
  highWater: number,
  control: boolean,
): Admission {
  const limit = control ? 2 * highWater : highWater;
  if (waiting > 0 && waiting + size > limit) return control ? "overrun" : "full";
  return "queued";
}

/** A bounded queue of encoded packets. Pure state. */
export class SendQueue<Unit> implements OutgoingQueue<Unit> {
  readonly #highWater: number;
  readonly #control: Lane<Unit> = new Lane();
  readonly #data: Lane<Unit> = new Lane();
  #bytes: number = 0;
  /** Those of them that are data, and wait. */
  #dataBytes: number = 0;

  /** Constructs a new instance. */
  constructor(highWater: number) {
    this.#highWater = highWater;
  }

  /** Bytes that were admitted and not yet {@linkcode release | released}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing waits to be taken. */
  get empty(): boolean {
    return this.#control.length === 0 && this.#data.length === 0;
  }

  /** Admits a unit, if there is room. A single one always fits into an empty queue. */
  push(unit: Unit, size: number, control: boolean): Admission {
    const admission = admit(this.#bytes, size, this.#highWater, control);
    if (admission !== "queued") return admission;
    this.#bytes += size;
    if (!control) this.#dataBytes += size;
    (control ? this.#control : this.#data).push({ unit, size });
    return admission;
  }

  /**
   * Takes the oldest data out until there is room for as many bytes of data more; nothing, if even
   * all of it would not do.
   */
  evict(size: number): Unit[] {
    const rest = this.#bytes - this.#dataBytes;
    if (rest > 0 && rest + size > this.#highWater) return [];
    const evicted: Unit[] = [];
    while (this.#dataBytes > 0 && this.#bytes + size > this.#highWater) {
      const entry = this.#shiftData()!;
      this.#bytes -= entry.size;
      evicted.push(entry.unit);
    }
    return evicted;
  }

  /** Takes the next unit, control first. Its bytes count until they are released. */
  shift(): Entry<Unit> | undefined {
    return this.#control.shift() ?? this.#shiftData();
  }

  /** Says that so many bytes have left. */
  release(size: number): void {
    this.#bytes -= size;
  }

  /**
   * Forgets all that waits.
   *
   * @returns How many units of data that was.
   */
  clear(): number {
    const count = this.#data.length;
    for (let entry; (entry = this.shift()) !== undefined;) this.#bytes -= entry.size;
    return count;
  }

  /** Keeps nothing. */
  shrink(): void {}

  #shiftData(): Entry<Unit> | undefined {
    const entry = this.#data.shift();
    if (entry !== undefined) this.#dataBytes -= entry.size;
    return entry;
  }
}

/** A first-in-first-out list whose `shift` does not move the rest. */
class Lane<Unit> {
  #entries: Entry<Unit>[] = [];
  #head: number = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: Entry<Unit>): void {
    this.#entries.push(entry);
  }

  shift(): Entry<Unit> | undefined {
    if (this.length === 0) return undefined;
    const entry = this.#entries[this.#head++];
    if (this.#head === this.#entries.length || this.#head > 1_024) {
      this.#entries = this.#entries.slice(this.#head); // Let go of what was taken.
      this.#head = 0;
    }
    return entry;
  }
}
