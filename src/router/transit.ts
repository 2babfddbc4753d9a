/**
 * {@linkcode Transit}: packets that are for others, and only pass. Their frames are carried on as
 * they are: the names are compared, not read, the next hop and the hop limit are written anew, and
 * all between is copied with its escapes.
 *
 * The mesh looks at one packet of each flow, whole; the next with the same control word and names
 * go the same way, until it hears of anything but packets. Whatever is not plain is left to it:
 * names that are not ASCII, checksums, numbered packets, hop limits that end here, neighbours with
 * a limit or a gate, old peers.
 *
 * @module
 */

import type { FrameCarrier, FrameOutlet } from "../channel/channel.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { LinkId } from "../mesh/effects.ts";
import { uint16At } from "../wire/bytes.ts";
import { decodeControlWord, encodeControlWord, FLAG } from "../wire/control_flags.ts";
import type { Packet } from "../wire/packet.ts";

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** A trailer with a hop limit alone: `"XT" | length: 3 | type: 1 | length: 1 | hops: u8`. */
const TRAILER = [0x58, 0x54, 3, 1, 1];
const TRAILER_SIZE = TRAILER.length + 1;

/** Flows that are remembered of one link; if there are more, all are learnt again. */
const MAX_FLOWS = 1_024;

/** Shorter runs of bytes are copied one by one. */
const SHORT = 40;

/** Packets that go the same way. */
interface Flow {
  /** What they begin with: control word, `srv`, `src`, `dst`, `nxt`. */
  readonly head: Uint8Array;
  /** What they begin with when they go on. */
  readonly newHead: Uint8Array;
  /** Bytes of the numbers behind it, without the size of the data. */
  readonly numbers: number;
  readonly hasData: boolean;
  readonly maxHops: number;
  readonly outlet: FrameOutlet;
}

/** What {@linkcode Transit} wants of the router. */
export interface TransitHooks {
  /** Whether frames may be carried now: the router is not closing, nor in the midst of something. */
  isIdle(): boolean;
  /** Where frames for a link are written; `undefined` if each packet has to be looked at there. */
  outlet(link: LinkId): FrameOutlet | undefined;
  /** So many frames have been carried. */
  carried(count: number): void;
}

/** Carries the frames that come over one link. */
export class Transit implements FrameCarrier {
  readonly #mesh: Mesh;
  readonly #link: LinkId;
  readonly #hooks: TransitHooks;
  #flows: Map<number, Flow> | null = null; // Most links carry none.
  #last: Flow | null = null;
  /** The mesh's, for which the flows hold. */
  #epoch: number = -1;

  /** Constructs a new instance. */
  constructor(mesh: Mesh, link: LinkId, hooks: TransitHooks) {
    this.#mesh = mesh;
    this.#link = link;
    this.#hooks = hooks;
  }

  /** See {@linkcode FrameCarrier.carry}. */
  carry(chunk: Uint8Array, start: number, end: number, escapes: number): boolean {
    const flow = this.#find(chunk, start, end);
    if (flow === null || escapes < 0) return false;
    const rest = start + flow.head.length;
    const trailer = end - TRAILER_SIZE;
    const size = escapes === 0 ? plainSize(chunk, rest, flow) : escapedSize(chunk, rest, flow);
    if (trailer - rest - escapes !== size || !hasHopLimit(chunk, trailer)) return false;
    const hops = Math.min(chunk[end - 1]! - 1, flow.maxHops);
    if (hops < 1 || !this.#hooks.isIdle()) return false;

    const { newHead, outlet } = flow;
    const room = outlet.reserve(newHead.length + end - rest + 2); // One for an escape.
    if (room === null) return false;
    const { bytes, at: begin } = room;
    bytes.set(newHead, begin);
    let at = copy(chunk, rest, end - 1, bytes, begin + newHead.length);
    if (hops === END || hops === ESC) {
      bytes[at++] = ESC;
      bytes[at++] = hops === END ? ESC_END : ESC_ESC;
    } else {
      bytes[at++] = hops;
    }
    bytes[at++] = END;
    outlet.commit(at - begin);
    return true;
  }

  /** See {@linkcode FrameCarrier.learn}. */
  learn(chunk: Uint8Array, start: number, packet: Packet): void {
    if (packet.net !== 0 || !this.#hooks.isIdle()) return;
    const passage = this.#mesh.passage(this.#link, packet);
    const outlet = passage === null ? undefined : this.#hooks.outlet(passage.to);
    if (outlet === undefined) return;
    const flags = decodeControlWord(uint16At(chunk, start));
    if (flags !== (uint16At(chunk, start) & 0x07ff)) return; // A bit has been put right.
    const size = headSize(chunk, start);
    const head = chunk.slice(start, start + size);
    const newHead = nextHead(head, flags, packet, passage!.nxt);
    if (newHead === null) return;
    const flows = this.#flows ??= new Map();
    if (this.#epoch !== this.#mesh.epoch || flows.size >= MAX_FLOWS) flows.clear();
    this.#epoch = this.#mesh.epoch;
    this.#last = {
      ...{ head, newHead, numbers: numbersSize(flags), hasData: (flags & FLAG.data) !== 0 },
      ...{ maxHops: passage!.maxHops, outlet },
    };
    flows.set(hash(head, 0, size), this.#last);
  }

  /** See {@linkcode FrameCarrier.carried}. */
  carried(count: number): void {
    this.#hooks.carried(count);
  }

  /** The flow that a frame belongs to; `null` if that is not known, or not any more. */
  #find(chunk: Uint8Array, start: number, end: number): Flow | null {
    if (this.#epoch !== this.#mesh.epoch) return null;
    let flow = this.#last;
    if (flow === null || !begins(chunk, start, flow.head)) {
      const size = headSize(chunk, start);
      if (!(start + size <= end)) return null;
      flow = this.#flows?.get(hash(chunk, start, size)) ?? null;
      if (flow === null || !begins(chunk, start, flow.head)) return null;
      this.#last = flow;
    }
    return flow;
  }
}

// ── frames ──────────────────────────────────────────────────────────────────

/** Whether a frame begins so. It cannot seem to do beyond its end: no beginning has a delimiter. */
function begins(chunk: Uint8Array, start: number, head: Uint8Array): boolean {
  for (let i = 0; i < head.length; i++) if (chunk[start + i] !== head[i]) return false;
  return true;
}

/** How long the control word and the names are if none of that is escaped; perhaps too long. */
function headSize(chunk: Uint8Array, start: number): number {
  const flags = chunk[start]! << 8 | chunk[start + 1]!;
  let at = start + 2;
  for (let flag = FLAG.srv as number; flag >= FLAG.nxt; flag >>= 1) {
    if (flags & flag) at += 1 + chunk[at]!;
  }
  return at - start;
}

function hash(bytes: Uint8Array, start: number, size: number): number {
  let hash = size;
  for (let i = start; i < start + size; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
  return hash;
}

/**
 * What frames of a flow begin with when they go on.
 *
 * @param head What they begin with.
 * @param packet What one of them was read as.
 * @param nxt Who carries it on.
 * @returns `null` if that is not plain ASCII, or not what was read: it has been mended.
 */
function nextHead(
  head: Uint8Array,
  flags: number,
  packet: Packet,
  nxt: string,
): Uint8Array | null {
  const word = encodeControlWord(flags | FLAG.nxt);
  const bytes = [word >> 8, word & 0xff];
  let at = 2;
  for (const key of ["srv", "src", "dst"] as const) {
    const name = packet[key];
    if ((flags & FLAG[key]) === 0 ? name !== "" : head[at++] !== name.length) return null;
    if ((flags & FLAG[key]) !== 0) bytes.push(name.length);
    for (let i = 0; i < name.length; i++) {
      const byte = name.charCodeAt(i);
      if (byte !== head[at++]) return null;
      bytes.push(byte);
    }
  }
  bytes.push(nxt.length, ...Array.from(nxt, (char) => char.charCodeAt(0)));
  return [...bytes.slice(2), ...head.subarray(2)].every((byte) => byte < 0x80) &&
      ![...bytes, ...head].some((byte) => byte === END || byte === ESC)
    ? Uint8Array.from(bytes)
    : null;
}

/** Bytes of the numbers between the names and the size of the data. */
function numbersSize(flags: number): number {
  return (flags & FLAG.seq ? 2 : 0) + (flags & FLAG.ack ? 4 : 0) +
    (flags & FLAG.ctx ? 2 : 0) + (flags & FLAG.typ ? 1 : 0);
}

/** Bytes between names and trailer, without escapes, if nothing there is escaped. */
function plainSize(chunk: Uint8Array, rest: number, { numbers, hasData }: Flow): number {
  return hasData ? numbers + 2 + uint16At(chunk, rest + numbers) : numbers;
}

/** The same if something is. */
function escapedSize(chunk: Uint8Array, rest: number, { numbers, hasData }: Flow): number {
  if (!hasData) return numbers;
  let size = 0;
  for (let i = 0, at = rest; i < numbers + 2; i++) {
    let byte = chunk[at++]!;
    if (byte === ESC) byte = chunk[at++] === ESC_END ? END : ESC;
    size = (size << 8 | byte) & 0xffff; // The last two are the size of the data.
  }
  return numbers + 2 + size;
}

/** Whether a frame ends with a trailer that has a hop limit and nothing else, none of it escaped. */
function hasHopLimit(chunk: Uint8Array, at: number): boolean {
  for (let i = 0; i < TRAILER.length; i++) if (chunk[at + i] !== TRAILER[i]) return false;
  return true;
}

/** Copies bytes; returns where the copy ends. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): number {
  if (end - start > SHORT) {
    to.set(from.subarray(start, end), at);
    return at + end - start;
  }
  for (let i = start; i < end; i++) to[at++] = from[i]!;
  return at;
}
