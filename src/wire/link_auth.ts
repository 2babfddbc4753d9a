/**
 * What two routers say to each other before either lets the other in: challenges, proofs that the
 * network's key is known, refusals. Each is the data of a packet with `net = 4` and nothing else,
 * which every old peer ignores, and one op of a link frame, which routers without a key skip.
 *
 * Pure functions; the handshake is in src/router, the bytes in src/wire/README.md, "Link proof".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { ByteReader, type Bytes, ByteWriter, encodeUtf8 } from "./bytes.ts";

/** Bits of {@linkcode LinkChallenge.flags}. */
export const CHALLENGE = {
  /** Whoever says it has opened the connection. */
  opened: 1,
  /** Whoever says it has accepted the connection: it proves nothing before the other has. */
  accepted: 2,
  /** Nobody is let in without a proof. */
  required: 4,
} as const;

/** Why somebody is not let in: the values of a refusal. */
export const REFUSAL = {
  /** Its proof is not made with our key. */
  key: 1,
  /** It asks for a proof, and we have no key. */
  noKey: 2,
  /** It has the address of the router that it speaks to, or one that it may not have. */
  address: 3,
  /** Both sides say that they have accepted the connection: somebody is between two servers. */
  side: 4,
  /** What it says cannot be read. */
  malformed: 5,
} as const;

/** What one side wants the other's proof to be about. */
export interface LinkChallenge {
  /** Bits of {@linkcode CHALLENGE}, u8. */
  flags: number;
  /** 20 bytes that were never used before; below 0x80, so that no old peer trips over one. */
  nonce: Uint8Array;
  /** Address of the router that says it, 1-255 bytes of UTF-8. */
  address: string;
}

/** A challenge as it was sent, which is what proofs are made over. */
export interface SentChallenge extends LinkChallenge {
  /** Its bytes: version, flags, nonce, address, and whatever a later version adds. */
  body: Bytes;
}

/** One message of the handshake. */
export type LinkAuthMessage =
  | { readonly kind: "challenge"; readonly challenge: SentChallenge }
  /** The challenge is the prover's own. */
  | { readonly kind: "proof"; readonly challenge: SentChallenge; readonly mac: Bytes }
  /** A value of {@linkcode REFUSAL}. */
  | { readonly kind: "refusal"; readonly reason: number };

/** Size of a nonce, in bytes: 140 bits of chance. */
export const NONCE_SIZE = 20;

/** Size of a proof's HMAC-SHA-256, in bytes. */
export const PROOF_SIZE = 32;

/** Largest body of a challenge that is read, in bytes: room for what a later version adds. */
const MAX_CHALLENGE = 512;

const VERSION = 1;
const OP_CHALLENGE = 0x0c;
const OP_PROOF = 0x0d;
const OP_REFUSAL = 0x0e;
const HEADER_SIZE = 3;

/** What a proof is made over begins with it: no other use of the key can make one. */
const LABEL = encodeUtf8("ALN link proof, version 1\0");

/**
 * Writes a challenge down once, to send it and to make proofs over it.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function linkChallenge(challenge: LinkChallenge): SentChallenge {
  const { flags, nonce, address } = challenge;
  if (address === "") throw malformed("Cannot write address: it is empty", 0);
  if (nonce.length !== NONCE_SIZE) {
    throw malformed(`Cannot write nonce: it takes ${nonce.length} bytes, not ${NONCE_SIZE}`, 0);
  }
  const writer = new ByteWriter(64).uint8("version", VERSION).uint8("flags", flags).bytes(nonce);
  return { flags, nonce, address, body: writer.string8("address", address).finish() };
}

/**
 * Encodes a message.
 *
 * Layout: `op: u8 | length: u16 | body`.
 *
 * @returns Owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function encodeLinkAuth(message: LinkAuthMessage): Bytes {
  const writer = new ByteWriter(128);
  switch (message.kind) {
    case "challenge": {
      const { body } = message.challenge;
      writer.uint8("op", OP_CHALLENGE).uint16("length", body.length).bytes(body);
      break;
    }
    case "proof": {
      const { challenge: { body }, mac } = message;
      if (mac.length !== PROOF_SIZE) {
        throw malformed(`Cannot write proof: it takes ${mac.length} bytes, not ${PROOF_SIZE}`, 0);
      }
      writer.uint8("op", OP_PROOF).uint16("length", body.length + PROOF_SIZE);
      writer.bytes(body).bytes(mac);
      break;
    }
    case "refusal":
      writer.uint8("op", OP_REFUSAL).uint16("length", 1).uint8("reason", message.reason);
  }
  return writer.finish();
}

/**
 * Decodes the data of a packet with `net = 4`.
 *
 * @param data Borrowed.
 * @returns The message; `null` if this is another link frame.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD` if it is a broken one, or if
 *   anything stands behind it.
 */
export function decodeLinkAuth(data: Uint8Array): LinkAuthMessage | null {
  const op = data[0];
  if (op !== OP_CHALLENGE && op !== OP_PROOF && op !== OP_REFUSAL) return null;
  const reader = new ByteReader(data);
  reader.uint8("op");
  const size = reader.uint16("length");
  const body = reader.bytes("body", size);
  if (reader.left > 0) throw malformed("Cannot read op: something stands behind it", reader.offset);
  if (op === OP_REFUSAL) {
    return { kind: "refusal", reason: new ByteReader(body).uint8("reason") };
  }
  if (op === OP_CHALLENGE) return { kind: "challenge", challenge: readChallenge(body) };
  const end = Math.max(0, size - PROOF_SIZE);
  const challenge = readChallenge(body.subarray(0, end));
  return { kind: "proof", challenge, mac: body.slice(end) };
}

/**
 * What a proof is the HMAC-SHA-256 of: a label with the version, then both challenges, and with them
 * both nonces, both addresses and who opened the connection. The prover's own comes first, so that
 * no proof serves in the other direction; each has its length in front, so that none can be read as
 * a part of the other.
 */
export function linkProofInput(prover: SentChallenge, verifier: SentChallenge): Bytes {
  const writer = new ByteWriter(LABEL.length + prover.body.length + verifier.body.length + 4);
  writer.bytes(LABEL);
  for (const { body } of [prover, verifier]) writer.uint16("length", body.length).bytes(body);
  return writer.finish();
}

function readChallenge(body: Uint8Array): SentChallenge {
  if (body.length > MAX_CHALLENGE) {
    throw malformed(`Cannot read challenge: it takes ${body.length} bytes`, HEADER_SIZE);
  }
  const reader = new ByteReader(body);
  const version = reader.uint8("version");
  if (version === 0) throw malformed("Cannot read challenge: its version is 0", HEADER_SIZE);
  const flags = reader.uint8("flags");
  const nonce = reader.bytes("nonce", NONCE_SIZE).slice();
  const address = reader.string8("address");
  if (address === "") throw malformed("Cannot read address: it is empty", HEADER_SIZE);
  return { flags, nonce, address, body: body.slice() };
}

function malformed(message: string, offset: number): PacketError {
  return new PacketError("ERR_PACKET_FIELD", message, offset);
}
