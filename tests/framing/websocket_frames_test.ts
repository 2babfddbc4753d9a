import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeBinaryMessage,
  encodeClose,
  encodePong,
  encodeTextMessage,
  WebSocketDecoder,
  type WebSocketEvent,
} from "../../src/framing/websocket_frames.ts";
import { Chance, randomBytes } from "../support/fuzz.ts";
import {
  clientFrame,
  closePayload,
  describeServerFrames,
  type FrameOptions,
  OPCODE,
  readServerFrames,
} from "../support/websocket_frames.ts";
import { webSocketStreamIsUnderstood } from "../support/websocket_fuzz.ts";
import { concat } from "../wire/hex.ts";

const { continuation, text, binary, close, ping, pong } = OPCODE;
const LIMIT = 131_072;

function decode(stream: Uint8Array, limit: number = LIMIT): WebSocketEvent[] {
  const events: WebSocketEvent[] = [];
  new WebSocketDecoder({ limit }).push(stream, (event) => events.push(event));
  return events;
}

const bytes = (...values: number[]) => Uint8Array.from(values);

const MESSAGES: [what: string, stream: Uint8Array, events: WebSocketEvent[]][] = [
  ["a text", clientFrame(text, "héllo"), [{ kind: "text", text: "héllo" }]],
  ["an empty text", clientFrame(text), [{ kind: "text", text: "" }]],
  ["a byte order mark in a text", clientFrame(text, "\ufeffa"), [
    { kind: "text", text: "\ufeffa" },
  ]],
  ["bytes", clientFrame(binary, bytes(0, 1, 255)), [{ kind: "binary", data: bytes(0, 1, 255) }]],
  ["no bytes", clientFrame(binary), [{ kind: "binary", data: bytes() }]],
  ["a mask of zeros", clientFrame(text, "a", { mask: [0, 0, 0, 0] }), [{
    kind: "text",
    text: "a",
  }]],
  [
    "a message in pieces, one of them empty, a character cut in two",
    concat(
      clientFrame(text, bytes(0x68, 0xc3), { fin: false }),
      clientFrame(continuation, bytes(), { fin: false }),
      clientFrame(continuation, bytes(0xa9)),
    ),
    [{ kind: "text", text: "hé" }],
  ],
  [
    "control frames between the pieces of a message",
    concat(
      clientFrame(binary, bytes(1), { fin: false }),
      clientFrame(ping, "p"),
      clientFrame(continuation, bytes(2), { fin: false }),
      clientFrame(pong, "x"),
      clientFrame(continuation, bytes(3)),
      clientFrame(text, "next"),
    ),
    [
      { kind: "ping", data: bytes(0x70) },
      { kind: "pong" },
      { kind: "binary", data: bytes(1, 2, 3) },
      { kind: "text", text: "next" },
    ],
  ],
  ["a ping of 125 bytes", clientFrame(ping, "x".repeat(125)), [
    { kind: "ping", data: new Uint8Array(125).fill(0x78) },
  ]],
  ["a close without a code, and nothing after it", concat(clientFrame(close), bytes(255, 255)), [
    { kind: "close", code: 1005, reason: "" },
  ]],
  [
    "a close with a reason, and nothing after it",
    concat(clientFrame(close, closePayload(1000, "adé")), clientFrame(text, "late")),
    [{ kind: "close", code: 1000, reason: "adé" }],
  ],
  [
    "a close between the pieces of a message",
    concat(clientFrame(text, "a", { fin: false }), clientFrame(close, closePayload(1001))),
    [{ kind: "close", code: 1001, reason: "" }],
  ],
];

for (const [what, stream, events] of MESSAGES) {
  test(`WebSocketDecoder understands ${what}, wherever it is cut`, () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const told: WebSocketEvent[] = [];
      const decoder = new WebSocketDecoder({ limit: LIMIT });
      decoder.push(stream.subarray(0, cut), (event) => told.push(event));
      decoder.push(stream.subarray(cut), (event) => told.push(event));
      assert.deepEqual(told, events, `cut at ${cut}`);
      const isOver = events.at(-1)!.kind === "close";
      if (!isOver) assert.equal(decoder.pending, 0);
    }
    const told: WebSocketEvent[] = [];
    const decoder = new WebSocketDecoder({ limit: LIMIT });
    for (const byte of stream) decoder.push(bytes(byte), (event) => told.push(event));
    assert.deepEqual(told, events, "byte by byte");
  });
}

test("WebSocketDecoder unmasks messages of every size, wherever they stand, and keeps them apart", () => {
  const chance = new Chance(1);
  const messages = Array.from({ length: 700 }, (_, i) => randomBytes(chance, i % 350));
  const mask = () => [...randomBytes(chance, 4)] as [number, number, number, number];
  const stream = concat(...messages.map((data) => clientFrame(binary, data, { mask: mask() })));
  for (const shift of [0, 1, 2, 3]) {
    const chunk = concat(new Uint8Array(shift), stream).subarray(shift);
    const before = chunk.slice();
    const events = decode(chunk);
    assert.deepEqual(chunk, before, "the chunk is borrowed");
    assert.deepEqual(events, messages.map((data) => ({ kind: "binary", data })));
  }
});

for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, LIMIT]) {
  test(`WebSocketDecoder understands a message of ${size} bytes`, () => {
    const data = randomBytes(new Chance(size), size);
    const stream = clientFrame(binary, data);
    assert.deepEqual(decode(stream), [{ kind: "binary", data }]);
    const inTwo = concat(
      clientFrame(binary, data.subarray(0, size >> 1), { fin: false }),
      clientFrame(continuation, data.subarray(size >> 1)),
    );
    assert.deepEqual(decode(inTwo), [{ kind: "binary", data }]);
  });
}

const invalid = bytes(0x61, 0xc3);
const surrogate = bytes(0xed, 0xa0, 0x80);
const overlong = bytes(0xc0, 0xaf);
const open: FrameOptions = { fin: false };
const VIOLATIONS: [what: string, code: number, stream: Uint8Array][] = [
  ["a frame without a mask", 1002, clientFrame(text, "a", { mask: null })],
  ["a ping without a mask", 1002, clientFrame(ping, "a", { mask: null })],
  ...[1, 2, 4, 7].map((reserved): [string, number, Uint8Array] => [
    `reserved bits ${reserved}`,
    1002,
    clientFrame(text, "a", { reserved }),
  ]),
  [
    "a reserved bit in a continuation",
    1002,
    concat(
      clientFrame(text, "a", open),
      clientFrame(continuation, "b", { reserved: 4 }),
    ),
  ],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, number, Uint8Array] => [
    `opcode ${opcode}`,
    1002,
    clientFrame(opcode, "a"),
  ]),
  ["a continuation of nothing", 1002, clientFrame(continuation, "a")],
  [
    "a continuation of what is whole",
    1002,
    concat(
      clientFrame(text, "a", open),
      clientFrame(continuation, "b"),
      clientFrame(continuation, "c"),
    ),
  ],
  [
    "a message inside another",
    1002,
    concat(
      clientFrame(text, "a", open),
      clientFrame(text, "b"),
    ),
  ],
  [
    "a message of another kind inside one",
    1002,
    concat(
      clientFrame(text, "a", open),
      clientFrame(binary, "b", open),
    ),
  ],
  ...[close, ping, pong].flatMap((opcode): [string, number, Uint8Array][] => [
    [`opcode ${opcode} in pieces`, 1002, clientFrame(opcode, "", open)],
    [`opcode ${opcode} with 126 bytes`, 1002, clientFrame(opcode, "x".repeat(126))],
    [`opcode ${opcode} with a long length`, 1002, clientFrame(opcode, "x", { lengthSize: 2 })],
    [`opcode ${opcode} with a longer length`, 1002, clientFrame(opcode, "x", { lengthSize: 8 })],
  ]),
  ["a length of 0 in 16 bits", 1002, clientFrame(binary, "", { lengthSize: 2 })],
  ["a length of 125 in 16 bits", 1002, clientFrame(binary, "x".repeat(125), { lengthSize: 2 })],
  ["a length of 1 in 64 bits", 1002, clientFrame(binary, "x", { lengthSize: 8 })],
  [
    "a length of 65535 in 64 bits",
    1002,
    clientFrame(binary, "", { lengthSize: 8, length: 65_535 }),
  ],
  ["a text that is cut inside a character", 1007, clientFrame(text, invalid)],
  ["a text with a surrogate", 1007, clientFrame(text, surrogate)],
  ["a text with an overlong character", 1007, clientFrame(text, overlong)],
  [
    "a text in pieces that is no UTF-8",
    1007,
    concat(
      clientFrame(text, "a", open),
      clientFrame(continuation, invalid),
    ),
  ],
  ["a close of one byte", 1002, clientFrame(close, bytes(0x0c))],
  ["a close whose reason is no UTF-8", 1007, clientFrame(close, bytes(0x03, 0xe8, 0xff))],
  ["one byte more than the limit", 1009, clientFrame(binary, "", { length: LIMIT + 1 })],
  [
    "more than the limit in pieces",
    1009,
    concat(
      clientFrame(binary, new Uint8Array(LIMIT), open),
      clientFrame(continuation, "x"),
    ),
  ],
  ...[2 ** 32, 2 ** 53, 2 ** 63].map((length): [string, number, Uint8Array] => [
    `a length of ${length}`,
    1009,
    clientFrame(text, "", { length, lengthSize: 8 }),
  ]),
];
for (const [what, code, stream] of VIOLATIONS) {
  test(`WebSocketDecoder tells ${what} as violation ${code}, wherever it is cut`, () => {
    for (let cut = 0; cut <= stream.length; cut += stream.length > 1_000 ? 997 : 1) {
      const told: string[] = [];
      const decoder = new WebSocketDecoder({ limit: LIMIT });
      const take = (event: WebSocketEvent) => {
        told.push(event.kind === "violation" ? `violation ${event.code}` : event.kind);
      };
      decoder.push(stream.subarray(0, cut), take);
      decoder.push(stream.subarray(cut), take);
      decoder.push(clientFrame(text, "nothing follows"), take);
      assert.deepEqual(told.filter((line) => line.startsWith("v")), [`violation ${code}`]);
      assert.match(told.at(-1)!, /^violation/, `cut at ${cut}`);
    }
  });
}

/** Every code there is, and whether a peer may send it: RFC 6455, section 7.4, and the registry. */
function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].includes(code);
}

test("WebSocketDecoder takes every close code that may be sent, and no other", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const [event] = decode(clientFrame(close, closePayload(code)));
    if (isCloseCode(code)) assert.deepEqual(event, { kind: "close", code, reason: "" });
    else assert.equal(event?.kind === "violation" && event.code, 1002, `code ${code}`);
  }
});

test("WebSocketDecoder refuses what is too large before it holds any of it", () => {
  const decoder = new WebSocketDecoder({ limit: 1_000 });
  const told: WebSocketEvent[] = [];
  const header = clientFrame(binary, "", { length: 1_001 });
  decoder.push(header, (event) => told.push(event));
  assert.deepEqual([told.map(({ kind }) => kind), decoder.pending], [["violation"], 0]);
});

test("WebSocketDecoder owns what it tells, and borrows what it is given", () => {
  const told: WebSocketEvent[] = [];
  const decoder = new WebSocketDecoder({ limit: LIMIT });
  const stream = concat(clientFrame(binary, bytes(1, 2)), clientFrame(binary, bytes(3, 4)));
  const before = stream.slice();
  decoder.push(stream.subarray(0, 3), (event) => told.push(event));
  decoder.push(stream.subarray(3), (event) => told.push(event));
  assert.deepEqual(stream, before);
  stream.fill(0);
  assert.deepEqual(told, [
    { kind: "binary", data: bytes(1, 2) },
    { kind: "binary", data: bytes(3, 4) },
  ]);
});

test("WebSocketDecoder knows of pieces that never end, and holds no more than its limit", () => {
  const decoder = new WebSocketDecoder({ limit: 1_000 });
  let events = 0;
  decoder.push(clientFrame(binary, new Uint8Array(1_000), open), () => events++);
  for (let i = 0; i < 10_000; i++) {
    decoder.push(clientFrame(continuation, "", open), () => events++);
  }
  assert.deepEqual([events, decoder.pending], [0, 1_000]);
});

for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 100_000]) {
  test(`Frames of a server with ${size} bytes are whole, unmasked and as short as can be`, () => {
    const data = randomBytes(new Chance(size), size);
    const letters = "x".repeat(size);
    assert.deepEqual(readServerFrames(encodeBinaryMessage(data)), [{ opcode: binary, data }]);
    assert.deepEqual(describeServerFrames(encodeTextMessage(letters)), [`text ${letters}`]);
    if (size <= 125) assert.deepEqual(readServerFrames(encodePong(data)), [{ opcode: pong, data }]);
  });
}

test("encodeTextMessage() writes UTF-8", () => {
  assert.deepEqual(describeServerFrames(encodeTextMessage("héllo 東京 🚀")), [
    "text héllo 東京 🚀",
  ]);
});

const REASONS: [reason: string, sent: string][] = [
  ["", ""],
  ["bye", "bye"],
  ["x".repeat(123), "x".repeat(123)],
  ["x".repeat(500), "x".repeat(123)],
  ["é".repeat(100), "é".repeat(61)],
  ["東".repeat(100), "東".repeat(41)],
];
for (const [reason, sent] of REASONS) {
  test(`encodeClose() fits a reason of ${reason.length} characters into a control frame`, () => {
    assert.deepEqual(describeServerFrames(encodeClose(1002, reason)), [
      `close 1002 ${sent}`.trim(),
    ]);
  });
}

test("encodeClose() cuts no character in two", () => {
  for (let size = 0; size < 130; size++) {
    const [frame] = readServerFrames(encodeClose(4000, "x".repeat(size) + "🚀".repeat(40)));
    const reason = new TextDecoder("utf-8", { fatal: true }).decode(frame!.data.subarray(2));
    assert.match(reason, /^x*🚀*$/u);
    assert.ok(frame!.data.length <= 125);
  }
});

test("WebSocketDecoder agrees with a plain reading of RFC 6455 on 20,000 streams", {
  timeout: 60_000,
}, () => {
  const reached = new Map<string, number>();
  for (let seed = 0; seed < 20_000; seed++) {
    for (const told of webSocketStreamIsUnderstood(seed)) {
      const what = /^(violation \d+|\w+)/.exec(told)![0];
      reached.set(what, (reached.get(what) ?? 0) + 1);
    }
  }
  const kinds = ["text", "binary", "ping", "pong", "close"];
  for (const what of [...kinds, "violation 1002", "violation 1007", "violation 1009"]) {
    const times = reached.get(what) ?? 0;
    assert.ok(times > 300, `the streams reach "${what}" ${times} times`);
  }
});
