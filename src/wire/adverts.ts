/**
 * Advertisements: the payloads of packets with `net = 1` (routes) and `net = 2` (services).
 *
 * Pure functions. Source: src/wire/README.md, "Advertisements".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { ByteReader, type Bytes, ByteWriter, type LengthUnit } from "./bytes.ts";
import { DAMAGED_UNITS } from "./repair.ts";

/** "Through me, `address` is `cost` hops away." */
export interface RouteAdvert {
  /** Destination, 1-255 bytes of UTF-8. */
  address: string;
  /** Distance in hops; an advertiser is 1 away from itself. 0 withdraws the route. */
  cost: number;
}

/** "`address` offers `service` at `capacity`." */
export interface ServiceAdvert {
  /** The router that offers it, 1-255 bytes of UTF-8. */
  address: string;
  /** Name of the service, 1-255 bytes of UTF-8. */
  service: string;
  /** Advertised load, lower is preferred. 0 withdraws the service. */
  capacity: number;
}

/** Options of the decoders. */
export interface AdvertOptions {
  /**
   * Understand names whose lengths a peer has miscounted, too.
   *
   * @default {true}
   */
  repair?: boolean;
}

/**
 * Encodes a route advertisement.
 *
 * Layout: `length: u8 | address: UTF-8 | cost: u16`.
 *
 * @returns Bytes owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if the address or the cost does not fit.
 *
 * @example Withdrawing a route
 * ```ts
 * import { encodeRouteAdvert } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(encodeRouteAdvert({ address: "b", cost: 0 }), Uint8Array.of(1, 98, 0, 0));
 * ```
 */
export function encodeRouteAdvert(advert: RouteAdvert): Bytes {
  return new ByteWriter(advert.address.length + 3)
    .string8("address", nonEmpty("address", advert.address))
    .uint16("cost", advert.cost)
    .finish();
}

/**
 * Encodes a service advertisement.
 *
 * Layout: `length: u8 | address: UTF-8 | length: u8 | service: UTF-8 | capacity: u16`.
 *
 * @returns Bytes owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function encodeServiceAdvert(advert: ServiceAdvert): Bytes {
  return new ByteWriter(advert.address.length + advert.service.length + 4)
    .string8("address", nonEmpty("address", advert.address))
    .string8("service", nonEmpty("service", advert.service))
    .uint16("capacity", advert.capacity)
    .finish();
}

/**
 * Decodes a route advertisement, which must take all of the data.
 *
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD`.
 */
export function decodeRouteAdvert(data: Uint8Array, options: AdvertOptions = {}): RouteAdvert {
  return decode(data, options, false, (reader) => ({
    address: named(reader, "address"),
    cost: reader.uint16("cost"),
  }));
}

/**
 * Decodes a service advertisement. Bytes after it are ignored: Java peers pad with zeros.
 *
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD`.
 */
export function decodeServiceAdvert(data: Uint8Array, options: AdvertOptions = {}): ServiceAdvert {
  return decode(data, options, true, (reader) => ({
    address: named(reader, "address"),
    service: named(reader, "service"),
    capacity: reader.uint16("capacity"),
  }));
}

/** Passes on a name that may not be empty: no router accepts such an advertisement. */
function nonEmpty(what: string, name: string): string {
  if (name === "") throw new PacketError("ERR_PACKET_FIELD", `Cannot write ${what}: it is empty`);
  return name;
}

/** Reads a name that may not be empty. */
function named(reader: ByteReader, what: string): string {
  const at = reader.offset;
  const name = reader.string8(what);
  if (name === "") {
    throw new PacketError("ERR_PACKET_FIELD", `Cannot read ${what}: it is empty`, at);
  }
  return name;
}

/** Reads strictly; if that fails or does not take every byte, in the ways that peers miscount. */
function decode<T>(
  data: Uint8Array,
  options: AdvertOptions,
  mayTrail: boolean,
  read: (reader: ByteReader) => T,
): T {
  const attempt = (unit: LengthUnit): { advert: T; left: number } => {
    const reader = new ByteReader(data, unit);
    const advert = read(reader);
    return { advert, left: reader.left };
  };
  let strict: { advert: T; left: number } | null = null;
  let failure: unknown;
  try {
    strict = attempt("bytes");
    if (strict.left === 0) return strict.advert;
  } catch (error) {
    failure = error;
  }
  for (const unit of options.repair === false ? [] : DAMAGED_UNITS) {
    try {
      const { advert, left } = attempt(unit);
      if (left === 0) return advert;
    } catch {
      continue; // Not this way, then.
    }
  }
  if (strict === null) throw failure;
  if (mayTrail) return strict.advert;
  throw new PacketError(
    "ERR_PACKET_FIELD",
    `Cannot read advertisement: ${strict.left} bytes follow it`,
    data.length - strict.left,
  );
}
