/**
 * Hellos: the data of a query by which routers of this kind know each other.
 *
 * A query asks a neighbour for its tables, and old peers do not look at its data. So the first
 * packet on a link can say who is there without a peer that knows nothing of it taking offence.
 *
 * Pure functions. Source: src/wire/README.md, "Hello".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { ByteReader, type Bytes, ByteWriter, decodeUtf8 } from "./bytes.ts";

/** Bits of {@linkcode Hello.caps}: what a router can do. */
export const CAP = {
  /** Takes routes with sequence number and origin, in link frames. */
  seq: 1,
  /** Takes many routes and services in one link frame. */
  bulk: 2,
  /** Counts hops, in trailers. */
  hops: 4,
  /** Traces paths. */
  trace: 8,
  /** Delivers reliably from end to end. */
  reliable: 16,
  /** Joins fragments. */
  fragments: 32,
  /** Authenticates the frames of a link. */
  mac: 64,
  /** Signs its address. */
  signed: 128,
  /** Encrypts from end to end. */
  encrypted: 256,
  /** Inflates compressed data. */
  deflate: 512,
  /** Compares digests of tables. */
  digest: 1024,
  /** Reads packets in binary messages on this link, where it may send text. */
  binary: 2048,
} as const;

/** Bits of {@linkcode Hello.role}: what a router is to its neighbours. */
export const ROLE = {
  /** Has one link and relays nothing. */
  leaf: 1,
  /** Has several links and relays nothing. */
  stub: 2,
  /** Its timers may run late, as those of a hidden page. */
  throttled: 4,
  /** Is on a medium that others hear, too. */
  shared: 8,
  /** Keeps some services from this neighbour: what it tells of them is not all. */
  selective: 16,
  /** Asks for no tables: it answers a hello, or says only that it is still there. */
  answering: 32,
} as const;

/** What a router says of itself when a link comes up. */
export interface Hello {
  /** What it can do: bits of {@linkcode CAP}, u32. */
  caps: number;
  /** Its address, 1-255 bytes of UTF-8. */
  address: string;
  /** Tells this start of the router from earlier ones, u32. */
  instance: number;
  /** Tells this link from earlier ones: 16 hexadecimal digits. */
  session: string;
  /** How often it is heard of at least, in seconds, u16; 0 for no promise. */
  keepalive: number;
  /** Silence after which it takes a neighbour for gone, in seconds, u16; 0 for never. */
  dead: number;
  /** What it is: bits of {@linkcode ROLE}, u8. */
  role: number;
  /** Largest link frame that it takes, in bytes, u16; 0 for no word on it. */
  maxFrame: number;
  /** Routes that it can hold, u32; 0 for no word on it. */
  maxRoutes: number;
  /** The neighbour's session, once heard: 16 hexadecimal digits, or `""`. */
  seen: string;
  /** Its own session on another link to the same neighbour: 16 hexadecimal digits, or `""`. */
  also: string;
}

const MAGIC = 0x41_4c_4e_58; // "ALNX"
const VERSION = 1;

const TYPE_CAPS = 1;
const TYPE_ADDRESS = 2;
const TYPE_INSTANCE = 3;
const TYPE_SESSION = 4;
const TYPE_KEEPALIVE = 5;
const TYPE_ROLE = 6;
const TYPE_LIMITS = 7;
const TYPE_SEEN = 8;
const TYPE_ALSO = 11;

/** The least bytes of each type's value; later versions may add to them. */
const LEAST_SIZES: Readonly<Record<number, number>> = {
  [TYPE_CAPS]: 4,
  [TYPE_ADDRESS]: 1,
  [TYPE_INSTANCE]: 4,
  [TYPE_SESSION]: 8,
  [TYPE_KEEPALIVE]: 4,
  [TYPE_ROLE]: 1,
  [TYPE_LIMITS]: 6,
  [TYPE_SEEN]: 8,
  [TYPE_ALSO]: 8,
};

const SESSION = /^[0-9a-f]{16}$/i;

/**
 * Encodes a hello.
 *
 * Layout: `"ALNX" | version: u8`, then entries of `type: u8 | length: u8 | value`. Of keepalive,
 * role, limits, seen and also only what says something is written.
 *
 * @returns At most 66 bytes and the address, owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function encodeHello(hello: Hello): Bytes {
  const { caps, address, instance, keepalive, dead, role, maxFrame, maxRoutes } = hello;
  if (address === "") throw bad("Cannot write address: it is empty");
  const writer = new ByteWriter(128).uint32("magic", MAGIC).uint8("version", VERSION);
  writer.uint8("type", TYPE_CAPS).uint8("length", 4).uint32("caps", caps);
  writer.uint8("type", TYPE_ADDRESS).string8("address", address);
  writer.uint8("type", TYPE_INSTANCE).uint8("length", 4).uint32("instance", instance);
  writer.uint8("type", TYPE_SESSION).uint8("length", 8);
  writer.bytes(sessionBytes("session", hello.session));
  if (keepalive !== 0 || dead !== 0) {
    writer.uint8("type", TYPE_KEEPALIVE).uint8("length", 4);
    writer.uint16("keepalive", keepalive).uint16("dead", dead);
  }
  if (role !== 0) writer.uint8("type", TYPE_ROLE).uint8("length", 1).uint8("role", role);
  if (maxFrame !== 0 || maxRoutes !== 0) {
    writer.uint8("type", TYPE_LIMITS).uint8("length", 6);
    writer.uint16("maxFrame", maxFrame).uint32("maxRoutes", maxRoutes);
  }
  if (hello.seen !== "") {
    writer.uint8("type", TYPE_SEEN).uint8("length", 8).bytes(sessionBytes("seen", hello.seen));
  }
  if (hello.also !== "") {
    writer.uint8("type", TYPE_ALSO).uint8("length", 8).bytes(sessionBytes("also", hello.also));
  }
  return writer.finish();
}

/**
 * Decodes the data of a query.
 *
 * @param data Borrowed.
 * @returns What it says, with 0 and `""` for what it does not; `null` if it is no hello, as in the
 *   query of an old peer.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD` if it is a broken one.
 */
export function decodeHello(data: Uint8Array): Hello | null {
  const reader = new ByteReader(data);
  if (reader.left < 4 || reader.uint32("magic") !== MAGIC) return null;
  if (reader.uint8("version") === 0) throw bad("Cannot read hello: its version is 0", 4);
  const hello: Hello = {
    caps: 0,
    address: "",
    instance: 0,
    session: "",
    keepalive: 0,
    dead: 0,
    role: 0,
    maxFrame: 0,
    maxRoutes: 0,
    seen: "",
    also: "",
  };
  let missing = 1 << TYPE_CAPS | 1 << TYPE_ADDRESS | 1 << TYPE_INSTANCE | 1 << TYPE_SESSION;
  while (reader.left > 0) {
    const start = reader.offset;
    const type = reader.uint8("type");
    const size = reader.uint8("length");
    const end = reader.offset + size;
    const least = LEAST_SIZES[type];
    if (least === undefined) {
      reader.bytes("value", size);
      continue;
    }
    if (size < least) {
      throw new PacketError(
        "ERR_PACKET_TRUNCATED",
        `Cannot read hello: type ${type} takes ${least} bytes and has ${size}`,
        start,
      );
    }
    if (end > data.length) reader.bytes("value", size); // Throws: it ends too soon.
    missing &= ~(1 << type);
    readEntry(reader, type, size, hello);
    reader.offset = end;
  }
  if (missing !== 0) {
    const type = 31 - Math.clz32(missing & -missing);
    throw bad(`Cannot read hello: type ${type} is missing`, data.length);
  }
  return hello;
}

/** Reads the value of a known type that is long enough. */
function readEntry(reader: ByteReader, type: number, size: number, hello: Hello): void {
  switch (type) {
    case TYPE_CAPS:
      hello.caps = reader.uint32("caps");
      break;
    case TYPE_ADDRESS: {
      const address = decodeUtf8(reader.bytes("address", size));
      if (address === null) throw bad("Cannot read address: it is not UTF-8", reader.offset - size);
      hello.address = address;
      break;
    }
    case TYPE_INSTANCE:
      hello.instance = reader.uint32("instance");
      break;
    case TYPE_SESSION:
      hello.session = readSession(reader);
      break;
    case TYPE_KEEPALIVE:
      hello.keepalive = reader.uint16("keepalive");
      hello.dead = reader.uint16("dead");
      break;
    case TYPE_ROLE:
      hello.role = reader.uint8("role");
      break;
    case TYPE_LIMITS:
      hello.maxFrame = reader.uint16("maxFrame");
      hello.maxRoutes = reader.uint32("maxRoutes");
      break;
    case TYPE_SEEN:
      hello.seen = readSession(reader);
      break;
    case TYPE_ALSO:
      hello.also = readSession(reader);
      break;
  }
}

function readSession(reader: ByteReader): string {
  const bytes = Array.from(reader.bytes("session", 8));
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sessionBytes(what: string, digits: string): Bytes {
  if (typeof digits !== "string" || !SESSION.test(digits)) {
    throw bad(`Cannot write ${what}: it is not 16 hexadecimal digits`);
  }
  return Uint8Array.from({ length: 8 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

function bad(message: string, offset: number = 0): PacketError {
  return new PacketError("ERR_PACKET_FIELD", message, offset);
}
