/**
 * Link frames: the data of a packet with `net = 4`, between routers that have negotiated it.
 *
 * One frame carries as many routes and services as fit, each name without what it shares with the
 * name before it, and what neighbours ask each other about their tables. Millions of records go
 * through here, so the bytes are read and written in place: beside the names, no record takes an
 * object of its own.
 *
 * Source: src/wire/README.md, "Link frame".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { type Bytes, decodeUtf8, uint16At, uint32At, utf8Size } from "./bytes.ts";
import { MAX_DATA_SIZE, MAX_NAME_SIZE } from "./limits.ts";

/** Largest link frame unless neighbours have agreed on another size, in bytes of data. */
export const MAX_LINK_FRAME = 4_096;

/** What a table holds, for a neighbour to compare with what it believes. */
export interface LinkDigest {
  /** How many routes, u32. */
  routes: number;
  /** Hash of the routes: two u32, the high one first. */
  routesHash: readonly [number, number];
  /** How many services, u32. */
  services: number;
  /** Hash of the services: two u32, the high one first. */
  servicesHash: readonly [number, number];
}

/** Is told what a link frame says, in its order. */
export interface LinkFrameVisitor {
  /** A route at this cost; cost 0 retracts it, with 0 as its `seq` and `origin`. */
  route(address: string, cost: number, seq: number, origin: number): void;
  /** A service at this load; load 0 removes it. */
  service(host: string, name: string, load: number, instance: number, version: number): void;
  /** The neighbour wants a route to the address that is as new as `seq`, from `hops` away. */
  seqRequest(address: string, origin: number, seq: number, hops: number): void;
  /** The neighbour wants to hear the token again. */
  ping(token: number): void;
  /** The neighbour has heard the token. */
  pong(token: number): void;
  /** What the neighbour has told us so far. */
  digest(digest: LinkDigest): void;
  /** The neighbour wants to be told all again: bit 0 routes, bit 1 services. */
  resync(what: number): void;
  /** The neighbour leaves, for this reason. */
  bye(reason: number): void;
}

const OP_ROUTES = 0x01;
const OP_SERVICES = 0x02;
const OP_SEQ_REQUEST = 0x03;
const OP_PING = 0x04;
const OP_PONG = 0x05;
const OP_DIGEST = 0x06;
const OP_RESYNC = 0x07;
const OP_BYE = 0x0b;

const OP_HEADER_SIZE = 3;

/** Flags of a route: it is retracted; it has the origin of the record before. */
const RETRACTED = 1;
const SAME_ORIGIN = 2;

/**
 * Reads a link frame and tells the visitor of each record as soon as it is read.
 *
 * @param data Borrowed.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD` if it is broken; what came
 *   before has been told by then.
 */
export function decodeLinkFrame(data: Uint8Array, visitor: LinkFrameVisitor): void {
  for (let at = 0; at < data.length;) {
    if (at + OP_HEADER_SIZE > data.length) throw truncated("op", at);
    const op = data[at]!;
    const start = at + OP_HEADER_SIZE;
    const end = start + uint16At(data, at + 1);
    if (end > data.length) throw truncated("op", at);
    if (op === OP_ROUTES) readRoutes(data, start, end, visitor);
    else if (op === OP_SERVICES) readServices(data, start, end, visitor);
    else readOther(data, op, start, end, visitor);
    at = end;
  }
}

function readRoutes(data: Uint8Array, start: number, end: number, visitor: LinkFrameVisitor): void {
  const addresses = new PrefixedNames(data, end);
  let origin = 0;
  for (let at = start; at < end;) {
    const flags = data[at]!;
    const fields = addresses.read("address", at + 1);
    if (flags & RETRACTED) {
      visitor.route(addresses.name, 0, 0, 0);
      at = fields;
      continue;
    }
    at = fields + (flags & SAME_ORIGIN ? 4 : 8);
    if (at > end) throw truncated("route", fields);
    const cost = uint16At(data, fields);
    if (!(flags & SAME_ORIGIN)) origin = uint32At(data, fields + 4);
    if (cost === 0) visitor.route(addresses.name, 0, 0, 0);
    else visitor.route(addresses.name, cost, uint16At(data, fields + 2), origin);
  }
}

function readServices(
  data: Uint8Array,
  start: number,
  end: number,
  visitor: LinkFrameVisitor,
): void {
  const hosts = new PrefixedNames(data, end);
  for (let at = start; at < end;) {
    const name = hosts.read("host", at);
    const fields = nameEnd(data, "service name", name, end);
    at = fields + 8;
    if (at > end) throw truncated("service", fields);
    visitor.service(
      hosts.name,
      nameAt(data, "service name", name + 1, fields - name - 1),
      uint16At(data, fields),
      uint32At(data, fields + 2),
      uint16At(data, fields + 6),
    );
  }
}

/** Reads an op with one body; bytes behind the body are a later version's. */
function readOther(
  data: Uint8Array,
  op: number,
  start: number,
  end: number,
  visitor: LinkFrameVisitor,
): void {
  switch (op) {
    case OP_SEQ_REQUEST: {
      const fields = nameEnd(data, "address", start, end);
      need("sequence request", fields, 7, end);
      visitor.seqRequest(
        nameAt(data, "address", start + 1, fields - start - 1),
        uint32At(data, fields),
        uint16At(data, fields + 4),
        data[fields + 6]!,
      );
      break;
    }
    case OP_PING:
      need("ping", start, 4, end);
      visitor.ping(uint32At(data, start));
      break;
    case OP_PONG:
      need("pong", start, 4, end);
      visitor.pong(uint32At(data, start));
      break;
    case OP_DIGEST:
      need("digest", start, 24, end);
      visitor.digest({
        routes: uint32At(data, start),
        routesHash: [uint32At(data, start + 4), uint32At(data, start + 8)],
        services: uint32At(data, start + 12),
        servicesHash: [uint32At(data, start + 16), uint32At(data, start + 20)],
      });
      break;
    case OP_RESYNC:
      need("resync", start, 1, end);
      visitor.resync(data[start]!);
      break;
    case OP_BYE:
      need("bye", start, 1, end);
      visitor.bye(data[start]!);
      break;
  }
}

/** Names that each begin with some of the bytes of the one before. */
class PrefixedNames {
  /** The name read last. */
  name: string = "";
  readonly #data: Uint8Array;
  readonly #end: number;
  /** Where the bytes of the last name are: in the data, while it shares nothing; else joined. */
  #bytes: Uint8Array;
  #start: number = 0;
  #size: number = 0;
  #joined: Uint8Array | null = null;

  constructor(data: Uint8Array, end: number) {
    this.#data = data;
    this.#bytes = data;
    this.#end = end;
  }

  /** Reads `prefix: u8 | suffix: u8 | the suffix` at an offset, and returns where it ends. */
  read(what: string, at: number): number {
    const data = this.#data;
    const suffix = at + 2;
    if (suffix > this.#end) throw truncated(what, at);
    const prefixSize = data[at]!;
    const suffixSize = data[at + 1]!;
    const next = suffix + suffixSize;
    if (next > this.#end) throw truncated(what, at);
    if (prefixSize > this.#size) {
      throw malformed(what, `it shares ${prefixSize} of ${this.#size} bytes`, at);
    }
    if (suffixSize === 0 && prefixSize === this.#size && prefixSize > 0) return next; // The same.
    const size = prefixSize + suffixSize;
    if (size > MAX_NAME_SIZE) {
      throw malformed(what, `it takes ${size} bytes, more than ${MAX_NAME_SIZE}`, at);
    }
    if (prefixSize === 0) {
      this.#bytes = data;
      this.#start = suffix;
    } else {
      this.#join(prefixSize, suffix, suffixSize);
    }
    this.#size = size;
    this.name = nameAt(this.#bytes, what, this.#start, size, at);
    return next;
  }

  #join(prefixSize: number, suffix: number, suffixSize: number): void {
    const joined = this.#joined ??= new Uint8Array(MAX_NAME_SIZE);
    if (this.#bytes !== joined) {
      for (let i = 0; i < prefixSize; i++) joined[i] = this.#bytes[this.#start + i]!;
      this.#bytes = joined;
      this.#start = 0;
    }
    for (let i = 0; i < suffixSize; i++) joined[prefixSize + i] = this.#data[suffix + i]!;
  }
}

/** Where the name ends whose length byte is at an offset. */
function nameEnd(data: Uint8Array, what: string, at: number, end: number): number {
  need(what, at, 1, end);
  const next = at + 1 + data[at]!;
  if (next > end) throw truncated(what, at);
  return next;
}

/**
 * For names of each size, a list that its character codes are put in. One call with exactly the
 * right list makes a flat string in every engine, where joining pieces makes ropes and a decoder
 * takes longer than the rest of the record. Nothing is kept in the lists between two names.
 */
const CODES: number[][] = Array.from({ length: MAX_NAME_SIZE + 1 }, () => []);

/** The name in these bytes; most are short and ASCII, and want no decoder. */
function nameAt(
  bytes: Uint8Array,
  what: string,
  start: number,
  size: number,
  at: number = start,
): string {
  if (size === 0) throw malformed(what, "it is empty", at);
  const codes = CODES[size]!;
  for (let i = 0; i < size; i++) {
    const byte = bytes[start + i]!;
    if (byte >= 0x80) return utf8At(bytes, what, start, start + size, at);
    codes[i] = byte;
  }
  return String.fromCharCode.apply(null, codes);
}

function utf8At(bytes: Uint8Array, what: string, start: number, end: number, at: number): string {
  const text = decodeUtf8(bytes.subarray(start, end));
  if (text === null) throw malformed(what, "it is not UTF-8", at);
  return text;
}

function need(what: string, at: number, size: number, end: number): void {
  if (at + size > end) throw truncated(what, at);
}

function truncated(what: string, at: number): PacketError {
  return new PacketError("ERR_PACKET_TRUNCATED", `Cannot read ${what}: it is cut off`, at);
}

function malformed(what: string, why: string, at: number): PacketError {
  return new PacketError("ERR_PACKET_FIELD", `Cannot read ${what}: ${why}`, at);
}

const encoder = new TextEncoder();

/**
 * Writes link frames, one after another, into a buffer of its own.
 *
 * @example
 * ```ts
 * import { LinkFrameWriter } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const writer = new LinkFrameWriter();
 * writer.ping(7);
 * assert.deepEqual(writer.finish(), Uint8Array.of(4, 0, 4, 0, 0, 0, 7));
 * ```
 */
export class LinkFrameWriter {
  readonly #bytes: Bytes;
  #size: number = 0;
  /** The op that may go on with another record, and where it begins; 0 for none. */
  #op: number = 0;
  #opStart: number = 0;
  /** The name and the origin before, in that op. */
  readonly #before: Uint8Array = new Uint8Array(MAX_NAME_SIZE);
  #beforeSize: number = 0;
  #origin: number = 0;
  /** UTF-8 of a name that is not ASCII. */
  #utf8: Uint8Array | null = null;

  /**
   * Constructs a new instance.
   *
   * @param limit Largest frame, in bytes; from 524 on every record fits in an empty one.
   * @throws {RangeError} If the limit is not an integer in 1-65535.
   */
  constructor(limit: number = MAX_LINK_FRAME) {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_DATA_SIZE) {
      throw new RangeError(
        `Cannot write link frames: limit ${limit} is not an integer in 1-${MAX_DATA_SIZE}`,
      );
    }
    this.#bytes = new Uint8Array(limit);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing has been written since the last frame. */
  get empty(): boolean {
    return this.#size === 0;
  }

  /**
   * Writes a route.
   *
   * @param address Destination, 1-255 bytes of UTF-8.
   * @param cost u16; 0 retracts the route, and then `seq` and `origin` are not written.
   * @param seq u16.
   * @param origin Instance that has given the route its `seq`, u32.
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  route(address: string, cost: number, seq: number, origin: number): boolean {
    this.#check16("cost", cost);
    this.#check16("seq", seq);
    this.#check32("origin", origin);
    const goesOn = this.#op === OP_ROUTES;
    const size = this.#nameSize("address", address);
    const shared = goesOn ? this.#shared(address, size) : 0;
    const same = origin === (goesOn ? this.#origin : 0);
    const fieldsSize = cost === 0 ? 0 : same ? 4 : 8;
    if (!this.#begin(OP_ROUTES, 3 + size - shared + fieldsSize)) return false;
    this.#uint8(cost === 0 ? RETRACTED : same ? SAME_ORIGIN : 0);
    this.#prefixed(address, size, shared);
    if (cost === 0) return true;
    this.#uint16(cost);
    this.#uint16(seq);
    if (!same) this.#uint32(origin);
    this.#origin = origin;
    return true;
  }

  /**
   * Writes a service.
   *
   * @param host The router that offers it, 1-255 bytes of UTF-8.
   * @param name Name of the service, 1-255 bytes of UTF-8.
   * @param load u16; 0 removes the service.
   * @param instance Instance of the host, u32.
   * @param version Version of the host's record, u16.
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  service(host: string, name: string, load: number, instance: number, version: number): boolean {
    this.#check16("load", load);
    this.#check32("instance", instance);
    this.#check16("version", version);
    const nameSize = this.#nameSize("service name", name);
    const size = this.#nameSize("host", host);
    const shared = this.#op === OP_SERVICES ? this.#shared(host, size) : 0;
    if (!this.#begin(OP_SERVICES, 2 + size - shared + 1 + nameSize + 8)) return false;
    this.#prefixed(host, size, shared);
    this.#name(name, nameSize);
    this.#uint16(load);
    this.#uint32(instance);
    this.#uint16(version);
    return true;
  }

  /**
   * Asks for a route to an address that is as new as `seq`.
   *
   * @param address Destination, 1-255 bytes of UTF-8.
   * @param origin Instance whose `seq` is meant, u32.
   * @param seq u16.
   * @param hops How far the request may still go, u8.
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  seqRequest(address: string, origin: number, seq: number, hops: number): boolean {
    this.#check32("origin", origin);
    this.#check16("seq", seq);
    this.#check8("hops", hops);
    const size = this.#nameSize("address", address);
    if (!this.#begin(OP_SEQ_REQUEST, 1 + size + 7)) return false;
    this.#name(address, size);
    this.#uint32(origin);
    this.#uint16(seq);
    this.#uint8(hops);
    return true;
  }

  /**
   * Asks to hear a token again, u32.
   *
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if the token is no u32.
   */
  ping(token: number): boolean {
    return this.#token(OP_PING, token);
  }

  /**
   * Answers a ping with its token, u32.
   *
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if the token is no u32.
   */
  pong(token: number): boolean {
    return this.#token(OP_PONG, token);
  }

  /**
   * Says what the neighbour has been told so far.
   *
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a number is no u32.
   */
  digest(digest: LinkDigest): boolean {
    const { routes, routesHash, services, servicesHash } = digest;
    const [routesHigh, routesLow] = routesHash;
    const [servicesHigh, servicesLow] = servicesHash;
    const numbers = [routes, routesHigh, routesLow, services, servicesHigh, servicesLow];
    for (const number of numbers) this.#check32("digest", number);
    if (!this.#begin(OP_DIGEST, 24)) return false;
    for (const number of numbers) this.#uint32(number);
    return true;
  }

  /**
   * Asks to be told all again.
   *
   * @param what u8: bit 0 routes, bit 1 services.
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if it is no u8.
   */
  resync(what: number): boolean {
    this.#check8("resync", what);
    if (!this.#begin(OP_RESYNC, 1)) return false;
    this.#uint8(what);
    return true;
  }

  /**
   * Takes leave.
   *
   * @param reason u8.
   * @returns `false`, with nothing written, if it does not fit in this frame.
   * @throws {PacketError} `ERR_PACKET_FIELD` if it is no u8.
   */
  bye(reason: number): boolean {
    this.#check8("bye", reason);
    if (!this.#begin(OP_BYE, 1)) return false;
    this.#uint8(reason);
    return true;
  }

  /** The frame's bytes, owned by the caller. The writer is empty again. */
  finish(): Bytes {
    this.#endOp();
    const frame = this.#bytes.slice(0, this.#size);
    this.#size = 0;
    return frame;
  }

  #token(op: number, token: number): boolean {
    this.#check32("token", token);
    if (!this.#begin(op, 4)) return false;
    this.#uint32(token);
    return true;
  }

  /** Makes ready for a record of so many bytes, in a new op unless the open one can go on. */
  #begin(op: number, size: number): boolean {
    const goesOn = op === this.#op && (op === OP_ROUTES || op === OP_SERVICES);
    if (this.#size + size + (goesOn ? 0 : OP_HEADER_SIZE) > this.#bytes.length) return false;
    if (goesOn) return true;
    this.#endOp();
    this.#op = op;
    this.#opStart = this.#size;
    this.#bytes[this.#size] = op;
    this.#size += OP_HEADER_SIZE; // The length is written when it is known.
    this.#beforeSize = 0;
    this.#origin = 0;
    return true;
  }

  #endOp(): void {
    if (this.#op === 0) return;
    const size = this.#size - this.#opStart - OP_HEADER_SIZE;
    this.#bytes[this.#opStart + 1] = size >> 8;
    this.#bytes[this.#opStart + 2] = size;
    this.#op = 0;
  }

  #check8(what: string, value: number): void {
    if ((value & 0xff) !== value) throw this.#refused(what, value, 0xff);
  }

  #check16(what: string, value: number): void {
    if ((value & 0xffff) !== value) throw this.#refused(what, value, 0xffff);
  }

  #check32(what: string, value: number): void {
    if (value >>> 0 !== value) throw this.#refused(what, value, 0xffff_ffff);
  }

  #refused(what: string, value: unknown, max: number): PacketError {
    const shown = typeof value === "number" ? value : `a value of type ${typeof value}`;
    return this.#bad(what, `${shown} is not an integer in 0-${max}`);
  }

  #bad(what: string, why: string): PacketError {
    return new PacketError("ERR_PACKET_FIELD", `Cannot write ${what}: ${why}`, this.#size);
  }

  /** How many bytes a name takes, which is as many as its characters only if it is ASCII. */
  #nameSize(what: string, name: string): number {
    if (typeof name !== "string") throw this.#bad(what, "it is not a string");
    const size = utf8Size(name);
    if (size === 0) throw this.#bad(what, "it is empty");
    if (size > MAX_NAME_SIZE) {
      throw this.#bad(what, `it takes ${size} bytes, more than ${MAX_NAME_SIZE}`);
    }
    return size;
  }

  /** How many bytes a name shares with the one before. */
  #shared(name: string, size: number): number {
    const most = Math.min(size, this.#beforeSize);
    const before = this.#before;
    let shared = 0;
    if (size === name.length) {
      while (shared < most && name.charCodeAt(shared) === before[shared]) shared++;
    } else {
      const utf8 = this.#encode(name);
      while (shared < most && utf8[shared] === before[shared]) shared++;
    }
    return shared;
  }

  /** Writes a name without what it shares with the one before, which it then is. */
  #prefixed(name: string, size: number, shared: number): void {
    const bytes = this.#bytes;
    const before = this.#before;
    bytes[this.#size] = shared;
    bytes[this.#size + 1] = size - shared;
    const start = this.#size + 2 - shared;
    if (size === name.length) {
      for (let i = shared; i < size; i++) bytes[start + i] = before[i] = name.charCodeAt(i);
    } else {
      const utf8 = this.#encode(name);
      for (let i = shared; i < size; i++) bytes[start + i] = before[i] = utf8[i]!;
    }
    this.#beforeSize = size;
    this.#size = start + size;
  }

  /** Writes a name behind its length. */
  #name(name: string, size: number): void {
    const bytes = this.#bytes;
    const start = this.#size + 1;
    bytes[this.#size] = size;
    if (size === name.length) {
      for (let i = 0; i < size; i++) bytes[start + i] = name.charCodeAt(i);
    } else {
      const utf8 = this.#encode(name);
      for (let i = 0; i < size; i++) bytes[start + i] = utf8[i]!;
    }
    this.#size = start + size;
  }

  /** The name as UTF-8. Borrowed: valid until the next one. */
  #encode(name: string): Uint8Array {
    const utf8 = this.#utf8 ??= new Uint8Array(MAX_NAME_SIZE);
    encoder.encodeInto(name, utf8);
    return utf8;
  }

  #uint8(value: number): void {
    this.#bytes[this.#size++] = value;
  }

  #uint16(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#size] = value >> 8;
    bytes[this.#size + 1] = value;
    this.#size += 2;
  }

  #uint32(value: number): void {
    const bytes = this.#bytes;
    const at = this.#size;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.#size = at + 4;
  }
}
