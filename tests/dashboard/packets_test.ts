import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fieldsOf,
  jsonLine,
  KEPT,
  type LoggedPacket,
  PacketReader,
  parseFilter,
  routingOf,
} from "../../src/dashboard/page/packets.ts";
import { CALL, encodeCallMark } from "../../src/wire/call_mark.ts";
import { encodeRouteAdvert } from "../../src/wire/adverts.ts";
import { Packet, type PacketInit } from "../../src/wire/packet.ts";

const reader = new PacketReader();
const read = (init: PacketInit, direction: "in" | "out" = "in"): LoggedPacket =>
  reader.read(new Packet(init), direction, 1_700_000_000_000);

const ASK = encodeCallMark({
  kind: CALL.ask,
  toService: true,
  flags: 0,
  number: 0,
  argument: 0,
});

const ask = read({ src: "desk", dst: "hub", srv: "echo", ctx: 7, data: "hello", ...ASK }, "out");
const reply = read({ src: "hub", dst: "desk", ctx: 7, data: "Hello!" });
const links = read({ src: "desk", dst: "hub", srv: "aln.links", ctx: 8 }, "out");
const told = read({ src: "hub", dst: "desk", ctx: 8, data: "{}" });
const route = read({ net: 1, src: "hub", data: encodeRouteAdvert({ address: "a", cost: 2 }) });
const large = read({ src: "a", srv: "log", data: new Uint8Array(4_000) });
const ALL = { ask, reply, links, told, route, large };

/** The names of those that a filter lets through. */
const chosen = (text: string, hidden = { routing: false, inspection: false }): string[] => {
  const holds = parseFilter(text, hidden);
  return Object.entries(ALL).filter(([, packet]) => holds(packet)).map(([name]) => name);
};

test("PacketReader knows what a packet is, and which service a reply is from", () => {
  const known = ({ role, service }: LoggedPacket) => [role, service];
  assert.deepEqual(known(ask), ["ask", "echo"]);
  assert.deepEqual(known(reply), ["reply", "echo"]);
  assert.deepEqual(known(told), ["reply", "aln.links"]);
  assert.deepEqual(known(route), ["route", ""]);
  assert.deepEqual(known(large), ["send", "log"]);
});

test("PacketReader keeps the beginning of a large payload, in bytes of its own", () => {
  const data = new Uint8Array(4_000).fill(1);
  const packet = new Packet({ srv: "log", data });
  const entry = reader.read(packet, "in", 0);
  data.fill(2);
  assert.deepEqual([entry.size, entry.data.length, entry.data[0]], [4_000, KEPT, 1]);
});

test("parseFilter() chooses by field, wildcard, size, direction and any text", () => {
  const cases: Record<string, string[]> = {
    "": ["ask", "reply", "links", "told", "route", "large"],
    "srv:echo": ["ask", "reply"],
    "srv:e*": ["ask", "reply"],
    "srv:aln.*": ["links", "told"],
    "src:desk": ["ask", "links"],
    "src:h* dst:desk": ["reply", "told"],
    "role:reply": ["reply", "told"],
    "-role:reply -net:route": ["ask", "links", "large"],
    "net:1": ["route"],
    "dir:out": ["ask", "links"],
    "ctx:7": ["ask", "reply"],
    "size:>100": ["large"],
    "size:<1": ["links"],
    "size:5": ["ask"],
    "HELLO": ["ask", "reply"],
    "srv:": ["ask", "reply", "links", "told", "route", "large"],
    "srv:(": [],
  };
  for (const [text, names] of Object.entries(cases)) assert.deepEqual(chosen(text), names, text);
});

test("parseFilter() hides what routers tell each other, and what tools ask", () => {
  assert.deepEqual(chosen("", { routing: true, inspection: false }), [
    ...["ask", "reply", "links", "told", "large"],
  ]);
  assert.deepEqual(chosen("", { routing: true, inspection: true }), ["ask", "reply", "large"]);
});

test("fieldsOf() and routingOf() say what a packet says", () => {
  assert.deepEqual(fieldsOf(reply), [
    ["what", "reply"],
    ["answers", "echo"],
    ["src", "hub"],
    ["dst", "desk"],
    ["ctx", "7"],
    ["data", "6 B"],
  ]);
  assert.deepEqual(routingOf(route), ["route to a, cost 2"]);
  assert.equal(routingOf(read({ net: 1, data: "\u0005a" })), null);
  assert.deepEqual(fieldsOf(large).at(-1), ["data", `4000 B, the first ${KEPT} kept`]);
});

test("jsonLine() writes one line of JSON with the fields that are there", () => {
  assert.deepEqual(JSON.parse(jsonLine(reply)), {
    ...{ at: 1_700_000_000_000, direction: "in", role: "reply", src: "hub", dst: "desk", ctx: 7 },
    ...{ data_sz: 6, data: "SGVsbG8h" },
  });
  assert(!jsonLine(read({ srv: "log", data: "two\nlines" })).includes("\n"));
});
