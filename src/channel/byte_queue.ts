/**
 * What waits to be sent as bytes: frames stand one behind another in segments, each of which goes
 * out in one write.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";
import type { FrameRoom } from "./channel.ts";
import { type Admission, admit, type Entry, type OutgoingQueue } from "./send_queue.ts";

/** Segments grow from so many bytes, so that idle links stay small … */
const MIN_SEGMENT = 1 << 10;

/** … to so many. A frame that is larger has one of its own. */
const MAX_SEGMENT = 1 << 16;

const MAX_SPARES = 2;

/** Stands for the frame that has been written to {@linkcode ByteQueue.room}. */
export const IN_PLACE: Bytes = new Uint8Array(0);

/** Frames that go out together. */
interface Segment {
  bytes: Bytes;
  start: number;
  end: number;
  /** Frames between them. */
  frames: number;
}

/** A bounded queue of frames. Pure state. */
export class ByteQueue implements OutgoingQueue<Bytes> {
  /** Where {@linkcode reserve} has made room. */
  readonly room: FrameRoom = { bytes: IN_PLACE, at: 0 };
  /** Size of what has been written there. */
  written: number = 0;
  /** Whether the transport is done with a segment once it is released. */
  reuses: boolean = false;

  readonly #highWater: number;
  readonly #control: Segment[] = [];
  readonly #data: Segment[] = [];
  /** Sizes of the frames of data, if any may have to make room. */
  readonly #sizes: SizeRing | null;
  #bytes: number = 0;
  #dataBytes: number = 0;
  /** Taken, and not released. */
  #taken: Segment[] | null = null;
  /** Released, and to be used again: one is filled while another is on its way. */
  #spares: Bytes[] | null = null;
  /** For the next segment. */
  #capacity: number = MIN_SEGMENT;

  /**
   * Constructs a new instance.
   *
   * @param evicts Whether {@linkcode evict} will be called.
   */
  constructor(highWater: number, evicts: boolean) {
    this.#highWater = highWater;
    this.#sizes = evicts ? new SizeRing() : null;
  }

  /** Bytes that were admitted and not yet released. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing waits to be taken. */
  get empty(): boolean {
    return isEmpty(this.#control) && isEmpty(this.#data);
  }

  /** Whether there is room for so many bytes of data. */
  fits(size: number): boolean {
    return this.#bytes === 0 || this.#bytes + size <= this.#highWater;
  }

  /**
   * Makes {@linkcode room} for a frame of at most so many bytes, which may be written until anything
   * else is done with the queue.
   */
  reserve(size: number, control: boolean): FrameRoom {
    const lane = control ? this.#control : this.#data;
    let tail = lane.at(-1);
    if (tail === undefined || tail.end + size > tail.bytes.length) tail = this.#extend(lane, size);
    this.room.bytes = tail.bytes;
    this.room.at = tail.end;
    return this.room;
  }

  /**
   * Admits a frame, if there is room: a copy of it, or what has been {@linkcode written} in place.
   * A single one always fits into an empty queue.
   */
  push(frame: Bytes, size: number, control: boolean): Admission {
    const admission = admit(this.#bytes, size, this.#highWater, control);
    if (admission !== "queued") return admission;
    if (frame !== IN_PLACE) {
      const { bytes, at } = this.reserve(size, control);
      bytes.set(frame, at);
    }
    const tail = (control ? this.#control : this.#data).at(-1)!;
    tail.end += size;
    tail.frames++;
    this.#bytes += size;
    if (control) return admission;
    this.#dataBytes += size;
    this.#sizes?.push(size);
    return admission;
  }

  /**
   * Takes the oldest data out until there is room for as many bytes of data more; nothing, if even
   * all of it would not do.
   *
   * @returns The frames, borrowed.
   */
  evict(size: number): Bytes[] {
    const rest = this.#bytes - this.#dataBytes;
    if (rest > 0 && rest + size > this.#highWater) return [];
    const evicted: Bytes[] = [];
    while (this.#dataBytes > 0 && this.#bytes + size > this.#highWater) {
      const oldest = this.#data[0]!;
      const frame = this.#sizes!.shift();
      evicted.push(oldest.bytes.subarray(oldest.start, oldest.start + frame));
      oldest.start += frame;
      oldest.frames--;
      this.#bytes -= frame;
      this.#dataBytes -= frame;
      // The last one stays: a frame may have been written to it.
      if (oldest.frames === 0 && this.#data.length > 1) this.#data.shift();
    }
    return evicted;
  }

  /** Takes a whole segment, control first. Its bytes count until they are released. */
  shift(): Entry<Bytes> | undefined {
    const control = !isEmpty(this.#control);
    if (!control && isEmpty(this.#data)) return undefined;
    const segment = (control ? this.#control : this.#data).shift()!;
    const { bytes, start, end, frames } = segment;
    const size = end - start;
    if (!control) {
      this.#dataBytes -= size;
      this.#sizes?.drop(frames);
    }
    (this.#taken ??= []).push(segment);
    this.#capacity = Math.max(MIN_SEGMENT, Math.min(bytes.length, MAX_SEGMENT));
    return {
      unit: size === bytes.length ? bytes : bytes.subarray(start, end),
      size,
      count: frames,
    };
  }

  /** Says that so many bytes have left: those of the segment that was taken first. */
  release(size: number): void {
    this.#bytes -= size;
    const segment = size > 0 ? this.#taken?.shift() : undefined;
    if (segment === undefined) return;
    if (segment.end - segment.start !== size) this.#taken = null; // It is not clear which has left.
    else if (
      this.reuses && segment.bytes.length <= MAX_SEGMENT &&
      (this.#spares?.length ?? 0) < MAX_SPARES
    ) {
      (this.#spares ??= []).push(segment.bytes);
    }
  }

  /**
   * Forgets all that waits.
   *
   * @returns How many frames of data that was.
   */
  clear(): number {
    let count = 0;
    for (const { start, end, frames } of this.#data) {
      this.#bytes -= end - start;
      count += frames;
    }
    for (const { start, end } of this.#control) this.#bytes -= end - start;
    this.#dataBytes = 0;
    this.#data.length = this.#control.length = 0;
    this.#sizes?.drop(count);
    this.shrink();
    return count;
  }

  /** Gives up what it keeps for the next burst. */
  shrink(): void {
    this.#capacity = MIN_SEGMENT;
    this.room.bytes = IN_PLACE;
    if (this.#taken?.length === 0) this.#taken = null;
    this.#spares = null;
    for (const lane of [this.#control, this.#data]) if (isEmpty(lane)) lane.length = 0;
  }

  /** Makes room at the end of a lane: the last segment grows, or another begins. */
  #extend(lane: Segment[], size: number): Segment {
    const tail = lane.at(-1);
    const used = tail === undefined ? 0 : tail.end - tail.start;
    if (tail !== undefined && (used === 0 || used + size <= MAX_SEGMENT)) {
      const grown = this.#allocate(used + size);
      grown.set(tail.bytes.subarray(tail.start, tail.end));
      tail.bytes = grown;
      tail.start = 0;
      tail.end = used;
      return tail;
    }
    const segment: Segment = { bytes: this.#allocate(size), start: 0, end: 0, frames: 0 };
    lane.push(segment);
    return segment;
  }

  #allocate(size: number): Bytes {
    let capacity = this.#capacity;
    for (let spare; (spare = this.#spares?.pop()) !== undefined;) {
      if (spare.length >= size && spare.length >= capacity) return spare;
    }
    while (capacity < size && capacity < MAX_SEGMENT) capacity *= 2;
    this.#capacity = capacity;
    return new Uint8Array(Math.max(capacity, size));
  }
}

/** Whether no frame is in it, though there may be a segment for one. */
function isEmpty(lane: readonly Segment[]): boolean {
  return lane.length === 0 || lane[0]!.frames === 0;
}

/** Sizes of frames, first in, first out, in four bytes each. */
class SizeRing {
  #sizes: Uint32Array = new Uint32Array(64);
  #head: number = 0;
  #length: number = 0;

  push(size: number): void {
    const { length } = this.#sizes;
    if (this.#length === length) {
      const grown = new Uint32Array(2 * length);
      grown.set(this.#sizes.subarray(this.#head));
      grown.set(this.#sizes.subarray(0, this.#head), length - this.#head);
      this.#sizes = grown;
      this.#head = 0;
    }
    this.#sizes[(this.#head + this.#length++) % this.#sizes.length] = size;
  }

  shift(): number {
    const size = this.#sizes[this.#head]!;
    this.drop(1);
    return size;
  }

  drop(count: number): void {
    this.#head = (this.#head + count) % this.#sizes.length;
    this.#length -= count;
  }
}
