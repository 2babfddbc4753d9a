/**
 * WebSocket frames as tests need them: those of a client, right or wrong on purpose; those of a
 * server, read back; and a decoder so plain that it can be checked against RFC 6455 by eye.
 *
 * @module
 */

import type { WebSocketEvent } from "../../src/framing/websocket_frames.ts";
import { concat } from "../wire/hex.ts";

/** The opcodes of RFC 6455, section 5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** How a frame is to differ from a whole, masked one with the shortest length. */
export interface FrameOptions {
  fin?: boolean;
  /** The reserved bits, 0 to 7. */
  reserved?: number;
  /** `null` for none. */
  mask?: readonly [number, number, number, number] | null;
  /** Bytes of the extended length: 0, 2 or 8. */
  lengthSize?: 0 | 2 | 8;
  /** What the header says in place of the payload's length. */
  length?: number;
}

/** One frame as clients send it. A payload that is a text is sent in UTF-8. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string = "",
  options: FrameOptions = {},
): Uint8Array<ArrayBuffer> {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { fin = true, reserved = 0, mask = [0x12, 0x34, 0x56, 0x78], length = data.length } =
    options;
  const { lengthSize = length < 126 ? 0 : length <= 0xffff ? 2 : 8 } = options;
  const short = lengthSize === 0 ? length : lengthSize === 2 ? 126 : 127;
  const head = [(fin ? 0x80 : 0) | reserved << 4 | opcode, (mask ? 0x80 : 0) | short];
  const digits = length.toString(16).padStart(2 * lengthSize, "0");
  for (let i = 0; i < lengthSize; i++) head.push(parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  const masked = mask ? data.map((byte, i) => byte ^ mask[i % 4]!) : data;
  return concat(Uint8Array.from([...head, ...(mask ?? [])]), masked);
}

/** The payload of a Close. */
export function closePayload(code: number, reason: string = ""): Uint8Array {
  return concat(Uint8Array.of(code >> 8, code & 0xff), new TextEncoder().encode(reason));
}

/** A frame that a server has sent. */
export interface ServerFrame {
  opcode: number;
  data: Uint8Array;
}

/** The frames in what a server has sent; throws unless it is nothing but whole, right ones. */
export function readServerFrames(bytes: Uint8Array): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!];
    if ((first & 0xf0) !== 0x80) throw new Error(`first byte ${first}: not whole, or reserved`);
    if (second >= 0x80) throw new Error("a server must not mask");
    const lengthSize = second < 126 ? 0 : second === 126 ? 2 : 8;
    const size = lengthSize === 0 ? second : number(bytes.subarray(at + 2, at + 2 + lengthSize));
    if (lengthSize > 0 && size < (lengthSize === 2 ? 126 : 0x1_0000)) throw new Error("padded");
    at += 2 + lengthSize;
    if (at + size > bytes.length) throw new Error("cut short");
    frames.push({ opcode: first & 0xf, data: bytes.slice(at, at + size) });
    at += size;
  }
  return frames;
}

/** What a server has sent, in words: "text hello", "pong 1,2", "close 1000 bye". */
export function describeServerFrames(bytes: Uint8Array): string[] {
  const text = (data: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(data);
  return readServerFrames(bytes).map(({ opcode, data }) => {
    switch (opcode) {
      case OPCODE.text:
        return `text ${text(data)}`;
      case OPCODE.close:
        return `close ${number(data.subarray(0, 2))} ${text(data.subarray(2))}`.trim();
      default:
        return `${opcode === OPCODE.pong ? "pong" : `opcode ${opcode}`} ${data}`;
    }
  });
}

function number(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/**
 * What a client's whole stream says, read rule by rule with all of it at hand. Reasons of
 * violations are left empty.
 */
export function referenceEvents(stream: Uint8Array, limit: number): WebSocketEvent[] {
  const events: WebSocketEvent[] = [];
  const violation = (code: number): WebSocketEvent[] => [
    ...events,
    { kind: "violation", code, reason: "" },
  ];
  let message: { opcode: number; data: number[] } | null = null;

  for (let rest = [...stream]; rest.length >= 2;) {
    const [first, second] = [rest[0]!, rest[1]!];
    const fin = first >= 0x80;
    const opcode = first % 16;
    const isControl = opcode >= 8;
    if (first & 0b0111_0000) return violation(1002); // 5.2: no extension was negotiated.
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return violation(1002); // 5.2
    if (second < 0x80) return violation(1002); // 5.1: clients mask.
    if (isControl && (!fin || second - 0x80 > 125)) return violation(1002); // 5.5

    const lengthSize = second === 0xff ? 8 : second === 0xfe ? 2 : 0;
    if (rest.length < 2 + lengthSize + 4) break;
    let length = BigInt(second - 0x80);
    if (lengthSize > 0) {
      length = rest.slice(2, 2 + lengthSize).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    }
    if (lengthSize === 2 && length < 126n) return violation(1002); // 5.2: as short as can be.
    if (lengthSize === 8 && length < 0x1_0000n) return violation(1002);
    if (!isControl) {
      if (opcode === 0 ? message === null : message !== null) return violation(1002); // 5.4
      message ??= { opcode, data: [] };
      if (BigInt(message.data.length) + length > BigInt(limit)) return violation(1009);
    }

    const start = 2 + lengthSize + 4;
    if (BigInt(rest.length - start) < length) break;
    const mask = rest.slice(start - 4, start);
    const data = rest.slice(start, start + Number(length)).map((byte, i) => byte ^ mask[i % 4]!);
    rest = rest.slice(start + Number(length));

    if (!isControl) {
      message!.data.push(...data);
      if (!fin) continue;
      const bytes = Uint8Array.from(message!.data);
      const isText = message!.opcode === 1;
      message = null;
      if (!isText) {
        events.push({ kind: "binary", data: bytes });
      } else {
        const text = utf8(bytes);
        if (text === null) return violation(1007); // 8.1
        events.push({ kind: "text", text });
      }
    } else if (opcode === 9) {
      events.push({ kind: "ping", data: Uint8Array.from(data) });
    } else if (opcode === 10) {
      events.push({ kind: "pong" });
    } else {
      if (data.length === 0) return [...events, { kind: "close", code: 1005, reason: "" }];
      if (data.length === 1) return violation(1002); // 5.5.1
      const code = data[0]! * 256 + data[1]!;
      const known = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
      if (!known.includes(code) && !(code >= 3000 && code <= 4999)) return violation(1002); // 7.4
      const reason = utf8(Uint8Array.from(data.slice(2)));
      if (reason === null) return violation(1007);
      return [...events, { kind: "close", code, reason }];
    }
  }
  return events;
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
