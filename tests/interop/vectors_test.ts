/**
 * What the existing implementations put on the wire, recorded from each of them, means to us what
 * it meant to its maker. `vectors/spec.json` says what each input was and what its bytes should
 * be; the other files hold what each maker made of the same inputs.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { PacketError } from "../../src/errors.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { PacketDecoder } from "../../src/framing/packet_decoder.ts";
import {
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
  type RouteAdvert,
  type ServiceAdvert,
} from "../../src/wire/adverts.ts";
import { decodeControlWord, encodeControlWord } from "../../src/wire/control_flags.ts";
import { Packet } from "../../src/wire/packet.ts";
import { concat, hex, sameBytes, toHex } from "../wire/hex.ts";
import browser from "./vectors/browser.json" with { type: "json" };
import go from "./vectors/go.json" with { type: "json" };
import hamming from "./vectors/hamming.json" with { type: "json" };
import netstate from "./vectors/netstate.json" with { type: "json" };
import node from "./vectors/node.json" with { type: "json" };
import python from "./vectors/python.json" with { type: "json" };
import spec from "./vectors/spec.json" with { type: "json" };

/** The meaning of a packet, as the specification's vectors write it. */
interface Fields {
  net: number;
  srv: string;
  src: string;
  dst: string;
  nxt: string;
  seq: number;
  ack: number;
  ctx: number;
  typ: number;
  dataHex: string;
}

/** What one maker made of one input. A key is missing, or `null`, where it made nothing. */
interface Vector {
  name: string;
  packetHex?: string | null;
  frameHex?: string | null;
  json?: string;
  /** JSON of the packet decoded from `packetHex`; the others differ from `json` in `cf` alone. */
  jsonAfterBinary?: string;
  jsonAfterBinary_cf?: number;
  /** Why its maker made nothing. */
  error?: string;
  binError?: string;
  jsonError?: string;
}

const ABSENT: Fields = {
  net: 0,
  srv: "",
  src: "",
  dst: "",
  nxt: "",
  seq: 0,
  ack: 0,
  ctx: 0,
  typ: 0,
  dataHex: "",
};

/** The input that no maker encodes soundly: a name of 256 bytes, whose length byte says 0. */
const OVERFLOW = "srv_len_256_overflow";

/** The inputs of which Go's JSON after binary was not recorded, being long; `json` was. */
const GO_WITHOUT_JSON_AFTER_BINARY = [
  "all_strings_255",
  "data_255_ascii",
  "data_256_ascii",
  "data_4096_ascii",
  "data_4096_binary",
  "data_all_256_bytes",
];

const MEANING: ReadonlyMap<string, Fields> = new Map(
  spec.map(({ name, fields }) => [name, fields]),
);

const MAKERS: Record<string, readonly Vector[]> = { spec, node, go, python, browser };

const QUERY = new Packet({ net: 3 });
const QUERY_FRAME = encodeFrame(QUERY.toBinary());

function fieldsOf(packet: Packet): Fields {
  const { net, srv, src, dst, nxt, seq, ack, ctx, typ, data } = packet;
  return { net, srv, src, dst, nxt, seq, ack, ctx, typ, dataHex: toHex(data) };
}

function packetOf({ dataHex, ...fields }: Fields): Packet {
  return new Packet({ ...fields, data: hex(dataHex) });
}

/** Pushes the chunks into one decoder; nothing may be dropped. */
function receive(chunks: Iterable<Uint8Array>): Packet[] {
  const drops: PacketError[] = [];
  const decoder = new PacketDecoder({ onDrop: (error) => drops.push(error) });
  const packets: Packet[] = [];
  for (const chunk of chunks) packets.push(...decoder.push(chunk));
  decoder.end();
  assert.deepEqual(drops, []);
  return packets;
}

/** The vectors whose binary form is to mean what its maker was given. */
function soundVectors(maker: string): Vector[] {
  return MAKERS[maker]!.filter(({ name, packetHex }) => packetHex && name !== OVERFLOW);
}

test("The makers were given the same 93 inputs, the browser seven more", () => {
  const names = [...MEANING.keys()];
  assert.equal(names.length, 93);
  for (const maker of ["node", "go", "python"]) {
    assert.deepEqual(MAKERS[maker]!.map(({ name }) => name), names, maker);
  }
  assert.deepEqual(browser.map(({ name }) => name), [
    ...names,
    "builder_query",
    "builder_route",
    "builder_route_utf8",
    "builder_service",
    "builder_service_utf8",
    "builder_app_unicode_data",
    "builder_app_latin1_data",
  ]);
});

test("Every vector has the forms that its maker can make, so that no test here passes by skipping", () => {
  const forms = (maker: string) =>
    Object.fromEntries(
      (["packetHex", "frameHex", "json", "jsonAfterBinary", "jsonAfterBinary_cf"] as const)
        .map((form) => [
          form,
          MAKERS[maker]!.filter((v) => v[form] === undefined || v[form] === null).map((v) =>
            v.name
          ),
        ]),
    );
  const all = spec.map(({ name }) => name);
  const none: string[] = [];
  assert.deepEqual(forms("spec"), {
    packetHex: [OVERFLOW], // "too long"
    frameHex: [OVERFLOW],
    json: all,
    jsonAfterBinary: all,
    jsonAfterBinary_cf: all,
  });
  assert.deepEqual(forms("node"), {
    packetHex: none,
    frameHex: none,
    json: none,
    jsonAfterBinary: all,
    jsonAfterBinary_cf: none,
  });
  assert.deepEqual(forms("go"), {
    packetHex: none,
    frameHex: none,
    json: none,
    jsonAfterBinary: GO_WITHOUT_JSON_AFTER_BINARY,
    jsonAfterBinary_cf: all,
  });
  assert.deepEqual(forms("python"), {
    packetHex: [OVERFLOW], // It raises OverflowError.
    frameHex: [OVERFLOW],
    json: none,
    jsonAfterBinary: all,
    jsonAfterBinary_cf: [OVERFLOW],
  });
  const browserNames = browser.map(({ name }) => name);
  assert.deepEqual(forms("browser"), {
    packetHex: browserNames,
    frameHex: browserNames,
    json: ["builder_app_unicode_data"], // btoa() raises InvalidCharacterError.
    jsonAfterBinary: browserNames,
    jsonAfterBinary_cf: browserNames,
  });
});

for (const maker of ["spec", "node", "go", "python"]) {
  const sound = soundVectors(maker);

  test(`Every packet of ${maker} decodes to its meaning`, () => {
    assert.equal(sound.length, 92);
    for (const { name, packetHex } of sound) {
      assert.deepEqual(fieldsOf(Packet.fromBinary(hex(packetHex!))), MEANING.get(name), name);
    }
  });

  test(`Every frame of ${maker} decodes to its meaning, whole and byte by byte`, () => {
    for (const { name, frameHex } of sound) {
      const frame = hex(frameHex!);
      const bytes = Array.from(frame, (byte) => Uint8Array.of(byte));
      assert.deepEqual(receive([frame]).map(fieldsOf), [MEANING.get(name)], name);
      assert.deepEqual(receive(bytes).map(fieldsOf), [MEANING.get(name)], name);
    }
  });

  const timeout = 60_000; // Bun's default of 5 s is too little on a busy machine.
  test(`Every frame of ${maker} decodes cut anywhere, with frames around it`, { timeout }, () => {
    for (const { name, frameHex } of sound) {
      const frame = hex(frameHex!);
      const end = Uint8Array.of(0xc0);
      const stream = concat(end, end, QUERY_FRAME, frame, end, frame, QUERY_FRAME, end, end);
      const expected = packetOf(MEANING.get(name)!).toBinary();
      const query = QUERY.toBinary();
      // Cutting one of the two copies everywhere is enough, with an empty frame on its edge.
      for (let cut = 0; cut <= 2 + QUERY_FRAME.length + frame.length + 1; cut++) {
        const packets = receive([stream.subarray(0, cut), stream.subarray(cut)]);
        const sent = [query, expected, expected, query];
        const same = packets.length === sent.length &&
          packets.every((packet, i) => sameBytes(packet.toBinary(), sent[i]!));
        assert.ok(same, `${name}, cut at byte ${cut}`);
      }
    }
  });
}

test("All frames of a maker one behind another decode to their meanings", () => {
  for (const maker of ["spec", "node", "go", "python"]) {
    const sound = soundVectors(maker);
    const stream = concat(...sound.map(({ frameHex }) => hex(frameHex!)));
    const expected = sound.map(({ name }) => MEANING.get(name));
    assert.deepEqual(receive([stream]).map(fieldsOf), expected, maker);
  }
});

for (const maker of ["node", "go", "python", "browser"]) {
  test(`Every JSON text of ${maker} decodes to its meaning`, () => {
    let decoded = 0;
    for (const { name, json } of MAKERS[maker]!) {
      const meaning = MEANING.get(name);
      if (meaning === undefined || name === OVERFLOW) continue; // Both have tests of their own.
      assert.deepEqual(fieldsOf(Packet.fromJson(json!)), meaning, name);
      decoded++;
    }
    assert.equal(decoded, 92);
  });
}

test("Every JSON text that a peer makes of a packet from TCP decodes to its meaning", () => {
  let decoded = 0;
  for (const { name, jsonAfterBinary } of go as readonly Vector[]) {
    if (name === OVERFLOW || GO_WITHOUT_JSON_AFTER_BINARY.includes(name)) continue;
    assert.deepEqual(fieldsOf(Packet.fromJson(jsonAfterBinary!)), MEANING.get(name), name);
    decoded++;
  }
  assert.equal(decoded, 93 - 1 - GO_WITHOUT_JSON_AFTER_BINARY.length);
  // Of node and python, only `cf` was kept: the control word of the packet, checks included.
  for (const { name, json, jsonAfterBinary_cf: cf } of [...node, ...python]) {
    if (name === OVERFLOW) continue;
    const text = JSON.stringify({ ...JSON.parse(json), cf });
    assert.deepEqual(fieldsOf(Packet.fromJson(text)), MEANING.get(name), name);
  }
});

test("What we encode equals the specification byte for byte, packet and frame", () => {
  for (const { name, fields, packetHex, frameHex } of spec) {
    if (name === OVERFLOW) continue;
    const bytes = packetOf(fields).toBinary();
    assert.equal(toHex(bytes), packetHex, name);
    assert.equal(toHex(encodeFrame(bytes)), frameHex, name);
  }
});

test("Our JSON of every input reads back, and its cf is the control word of the bytes", () => {
  for (const { name, fields, packetHex } of spec) {
    if (name === OVERFLOW) continue;
    const text = packetOf(fields).toJson();
    assert.deepEqual(fieldsOf(Packet.fromJson(text)), fields, name);
    assert.equal(JSON.parse(text).cf, Number.parseInt(packetHex!.slice(0, 4), 16), name);
  }
});

test("srv_len_256_overflow is refused in JSON and by our encoders", () => {
  const refusal = {
    code: "ERR_PACKET_FIELD",
    message: "Cannot accept srv: it takes 256 bytes, more than 255",
  };
  const packet = packetOf(MEANING.get(OVERFLOW)!);
  assert.throws(() => packet.toBinary(), refusal);
  assert.throws(() => packet.toJson(), refusal);
  for (const maker of ["node", "go", "python", "browser"]) {
    const { json, jsonAfterBinary } = MAKERS[maker]!.find(({ name }) => name === OVERFLOW)!;
    assert.throws(() => Packet.fromJson(json!), refusal, maker);
    if (jsonAfterBinary) assert.throws(() => Packet.fromJson(jsonAfterBinary), refusal, maker);
  }
});

test("srv_len_256_overflow means in binary what its bytes say: an empty name, then a rest", () => {
  for (const maker of ["node", "go"]) {
    const { packetHex, frameHex } = MAKERS[maker]!.find(({ name }) => name === OVERFLOW)!;
    assert.deepEqual(fieldsOf(Packet.fromBinary(hex(packetHex!))), ABSENT, maker);
    assert.deepEqual(receive([hex(frameHex!)]).map(fieldsOf), [ABSENT], maker);
  }
});

test("encodeControlWord() and decodeControlWord() agree with all 2048 recorded words", () => {
  assert.equal(hamming.length, 2_048);
  hamming.forEach((word, flags) => {
    assert.equal(encodeControlWord(flags), word);
    assert.equal(decodeControlWord(word), flags);
  });
});

// Packets between routers. What each was to say stands in its name.

/** A recorded packet with an advert in it. */
interface NetVector {
  packetHex?: string;
  frameHex?: string;
  dataHex?: string;
  json?: string;
}

type Meaning =
  | { net: 3 }
  | { net: 1; src: string; advert: RouteAdvert }
  | { net: 2; advert: ServiceAdvert };

const route = (cost: number, src = "node-a", address = "node-b"): Meaning => ({
  net: 1,
  src,
  advert: { address, cost },
});

const service = (capacity: number, address = "node-b", name = "ping"): Meaning => ({
  net: 2,
  advert: { address, service: name, capacity },
});

const NET_MEANING: Record<string, Meaning> = {
  query: { net: 3 },
  route: route(1),
  route_0: route(0),
  route_1: route(1),
  route_2: route(2),
  route_65535: route(65_535),
  route_65536: route(0), // Does not fit: its makers sent the lower 16 bits, and that it means.
  route_utf8: route(1, "東京", "東京"),
  service: service(1),
  service_0: service(0),
  service_1: service(1),
  service_200: service(200),
  service_65535: service(65_535),
  service_utf8: service(1, "東京", "пинг"),
};

/** Adverts whose names Node counted in UTF-16 units, and then cut the data to as many bytes. */
const TRUNCATED_BY_NODE = ["route_utf8", "service_utf8"];

/** Not adverts: data that an application sends through the browser's packet class. */
const APPLICATION = ["app_unicode_data", "app_latin1_data"];

const NET_VECTORS: [maker: string, name: string, vector: NetVector][] = Object.entries(netstate)
  .flatMap(([maker, vectors]) =>
    Object.entries(vectors).map(([name, vector]): [string, string, NetVector] => [
      maker,
      name,
      vector,
    ])
  );

/** Each recorded form of a net packet, decoded. */
function decodedForms(vector: NetVector): Packet[] {
  const packets: Packet[] = [];
  if (vector.packetHex !== undefined) packets.push(Packet.fromBinary(hex(vector.packetHex)));
  if (vector.frameHex !== undefined) {
    const frame = hex(vector.frameHex);
    packets.push(...receive([frame]));
    packets.push(...receive(Array.from(frame, (byte) => Uint8Array.of(byte))));
    for (let cut = 1; cut < frame.length; cut++) {
      const stream = [concat(QUERY_FRAME, frame.subarray(0, cut)), frame.subarray(cut)];
      packets.push(receive(stream)[1]!);
    }
  }
  if (vector.json !== undefined) packets.push(Packet.fromJson(vector.json));
  return packets;
}

test("Every net packet has a meaning here, or is listed as damaged or no net packet", () => {
  assert.deepEqual(Object.keys(netstate), ["node", "python", "go", "browser"]);
  const unknown = NET_VECTORS.filter(([maker, name]) =>
    NET_MEANING[name] === undefined && !(maker === "browser" && APPLICATION.includes(name))
  );
  assert.deepEqual(unknown, []);
  const counts = Object.entries(netstate).map(([, vectors]) => Object.keys(vectors).length);
  assert.deepEqual(counts, [12, 12, 11, 7]);
});

test("Every sound or repairable net packet decodes to what its name says", () => {
  let checked = 0;
  for (const [maker, name, vector] of NET_VECTORS) {
    const meaning = NET_MEANING[name];
    if (meaning === undefined || maker === "node" && TRUNCATED_BY_NODE.includes(name)) continue;
    for (const packet of decodedForms(vector)) {
      const { dataHex, ...fields } = fieldsOf(packet);
      const { dataHex: _, ...absent } = ABSENT;
      const src: string = "src" in meaning ? meaning.src : "";
      assert.deepEqual(fields, { ...absent, net: meaning.net, src }, `${maker} ${name}`);
      if (vector.dataHex !== undefined) assert.equal(dataHex, vector.dataHex, `${maker} ${name}`);
      if (meaning.net === 1) assert.deepEqual(decodeRouteAdvert(packet.data), meaning.advert);
      if (meaning.net === 2) assert.deepEqual(decodeServiceAdvert(packet.data), meaning.advert);
      if (meaning.net === 3) assert.equal(dataHex, "");
    }
    checked++;
  }
  assert.equal(checked, NET_VECTORS.length - TRUNCATED_BY_NODE.length - APPLICATION.length);
});

test("Adverts that Node has truncated are packets, and refused as adverts", () => {
  for (const name of TRUNCATED_BY_NODE) {
    const vector = NET_VECTORS.find(([maker, n]) => maker === "node" && n === name)![2];
    const decode = name === "route_utf8" ? decodeRouteAdvert : decodeServiceAdvert;
    for (const packet of decodedForms(vector)) {
      assert.equal(toHex(packet.data), vector.dataHex);
      assert.throws(() => decode(packet.data), { name: "PacketError" }, name);
    }
  }
});

test("What an application sends through the browser's packet class decodes, where it sends", () => {
  const { app_latin1_data: latin1, app_unicode_data: unicode } = netstate.browser;
  assert.deepEqual(fieldsOf(Packet.fromJson(latin1.json)), { ...ABSENT, dst: "n", dataHex: "e9" });
  assert.deepEqual(unicode, {
    name: "builder_app_unicode_data",
    jsonError: "InvalidCharacterError: Invalid character",
  });
});

test("The browser's builders in both files are the same", () => {
  for (const vector of Object.values(netstate.browser)) {
    assert.deepEqual(vector, browser.find(({ name }) => name === vector.name));
  }
});

test("What we encode as adverts equals what Go, which counts right, has sent", () => {
  for (const [name, vector] of Object.entries(netstate.go)) {
    const meaning = NET_MEANING[name]!;
    const data = meaning.net === 1
      ? encodeRouteAdvert(meaning.advert)
      : meaning.net === 2
      ? encodeServiceAdvert(meaning.advert)
      : null;
    const src: string = "src" in meaning ? meaning.src : "";
    const bytes = new Packet({ net: meaning.net, src, data }).toBinary();
    assert.equal(toHex(bytes), vector.packetHex, name);
    assert.equal(toHex(encodeFrame(bytes)), vector.frameHex, name);
  }
});
