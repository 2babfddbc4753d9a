import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePacket, encodePacket, type PacketFields } from "../../src/wire/packet_codec.ts";
import { decodePacketJson, encodePacketJson } from "../../src/wire/packet_json.ts";
import { hex } from "./hex.ts";

const EMPTY: PacketFields = decodePacket(hex("0000"));

const FULL: PacketFields = {
  net: 255,
  srv: "ping",
  src: "köln",
  dst: "東京",
  nxt: 'q"uo\\te',
  seq: 49_371,
  ack: 0xffff_ffff,
  ctx: 65_535,
  typ: 219,
  data: hex("00c0dbff"),
};

const REQUEST: PacketFields = { ...EMPTY, srv: "ping", src: "a", ctx: 7, data: hex("6869") };

function refused(text: string, code: "ERR_PACKET_JSON" | "ERR_PACKET_FIELD"): void {
  const shown = text.slice(0, 60);
  assert.throws(() => decodePacketJson(text), { name: "PacketError", code, offset: 0 }, shown);
}

test("encodePacketJson() writes what is present, with the control word of the same bytes", () => {
  assert.equal(encodePacketJson(EMPTY), '{"cf":0}');
  assert.equal(encodePacketJson({ ...EMPTY, net: 3 }), '{"cf":13312,"net":3}');
  assert.equal(
    encodePacketJson(FULL),
    '{"cf":2046,"net":255,"srv":"ping","src":"köln","dst":"東京","nxt":"q\\"uo\\\\te",' +
      '"seq":49371,"ack":4294967295,"ctx":65535,"typ":219,"data_sz":4,"data":"AMDb/w=="}',
  );
});

test("encodePacketJson() writes standard base64 with padding", () => {
  const text = encodePacketJson({ ...EMPTY, data: hex("fbffbf ff") });
  assert.equal(text, '{"cf":57346,"data_sz":4,"data":"+/+//w=="}');
});

test("encodePacketJson() refuses what encodePacket() refuses", () => {
  const bad: Partial<Record<keyof PacketFields, unknown>>[] = [
    { net: 256 },
    { srv: "s".repeat(256) },
    { seq: -1 },
    { ack: 2 ** 32 },
    { ctx: 1.5 },
    { typ: "1" },
    { data: "text" },
    { data: new Uint8Array(65_536) },
  ];
  for (const fields of bad) {
    const packet = { ...EMPTY, ...fields } as PacketFields;
    assert.throws(() => encodePacketJson(packet), { code: "ERR_PACKET_FIELD" });
    assert.throws(() => encodePacket(packet), { code: "ERR_PACKET_FIELD" });
  }
});

test("decodePacketJson() gives back what encodePacketJson() was given", () => {
  for (const fields of [EMPTY, FULL, REQUEST]) {
    assert.deepEqual(decodePacketJson(encodePacketJson(fields)), fields);
  }
});

test("decodePacketJson() reads the dialect of every peer", () => {
  const dialects = {
    "Node and browser":
      '{"cf":0,"net":0,"srv":"ping","src":"a","dst":"","nxt":"","seq":0,"ack":0,"ctx":7,"typ":0,' +
      '"data":"aGk=","data_sz":2}',
    "Go": '{"cf":62986,"srv":"ping","src":"a","ctx":7,"sz":2,"data":"aGk="}\n',
    "Python": '{\n "cf": 0,\n "net": null,\n "srv": "ping",\n "src": "a",\n "dst": null,\n' +
      ' "nxt": null,\n "seq": null,\n "ack": null,\n "ctx": 7,\n "typ": 0,\n "data": "aGk="\n}',
    "sparse": '{"srv":"ping","src":"a","ctx":7,"data":"aGk"}',
  };
  for (const [peer, text] of Object.entries(dialects)) {
    assert.deepEqual(decodePacketJson(text), REQUEST, peer);
  }
});

test("decodePacketJson() takes 0, an empty text, null and nothing as absent", () => {
  const keys = ["net", "srv", "src", "dst", "nxt", "seq", "ack", "ctx", "typ", "data"] as const;
  assert.deepEqual(decodePacketJson("{}"), EMPTY);
  for (const key of keys) {
    assert.deepEqual(decodePacketJson(`{"${key}":null}`), EMPTY, key);
    const zero = typeof EMPTY[key] === "number" ? "0" : '""';
    assert.deepEqual(decodePacketJson(`{"${key}":${zero}}`), EMPTY, key);
  }
});

test("decodePacketJson() never believes cf or the sizes", () => {
  for (
    const lie of ['"cf":-1', '"cf":"x"', '"data_sz":9', '"sz":null', '"data_sz":{},"cf":62346']
  ) {
    assert.deepEqual(
      decodePacketJson(`{${lie},"srv":"ping","src":"a","ctx":7,"data":"aGk="}`),
      REQUEST,
      lie,
    );
  }
});

test("decodePacketJson() ignores keys that it does not know, and minds the case of those it does", () => {
  assert.deepEqual(decodePacketJson('{"x":[{"net":9}],"NET":1,"Srv":"y","net":3}'), {
    ...EMPTY,
    net: 3,
  });
});

test("decodePacketJson() reads base64 padded or not, URL-safe, and with line breaks", () => {
  for (const data of ["-_8=", "-_8", "+/8", " +/\\n8= "]) {
    assert.deepEqual(decodePacketJson(`{"data":"${data}"}`).data, hex("fbff"), data);
  }
});

test("decodePacketJson() refuses data that is no base64, and says at which character of it", () => {
  const refusals: [string, number][] = [["!!!", 0], ["aGk=aGk=", 3], ["aGkaa", 4], ["aé", 1]];
  for (const [data, offset] of refusals) {
    assert.throws(
      () => decodePacketJson(`{"data":"${data}"}`),
      { code: "ERR_PACKET_JSON", offset },
      data,
    );
  }
});

test("decodePacketJson() refuses data of any other type", () => {
  for (const data of ["5", "true", "{}", "[104,105]", '{"type":"Buffer","data":[1]}']) {
    refused(`{"data":${data}}`, "ERR_PACKET_FIELD");
  }
});

test("decodePacketJson() refuses text that is no JSON object", () => {
  const texts = ["", " ", "{", '{"net":3', "{net:3}", "{'net':3}", '{"net":03}', '{"net":NaN}'];
  const values = ["null", "true", "5", '"x"', "[]", '[{"net":3}]', '{"net":3}{"net":3}'];
  for (const text of [...texts, ...values, "\u0000", "\ufeff{}"]) refused(text, "ERR_PACKET_JSON");
});

test("decodePacketJson() refuses numbers that do not fit their field", () => {
  const limits = { net: 255, seq: 65_535, ack: 4_294_967_295, ctx: 65_535, typ: 255 };
  for (const [key, max] of Object.entries(limits)) {
    assert.deepEqual(decodePacketJson(`{"${key}":${max}}`), { ...EMPTY, [key]: max });
    for (const bad of [max + 1, -1, 0.5, 1e99, "1e400", "-1e400", "9007199254740993"]) {
      refused(`{"${key}":${bad}}`, "ERR_PACKET_FIELD");
    }
    for (const bad of ['"5"', '""', "true", "false", "[]", "[1]", "{}"]) {
      refused(`{"${key}":${bad}}`, "ERR_PACKET_FIELD");
    }
  }
});

test("decodePacketJson() takes a whole number however it is written", () => {
  assert.deepEqual(decodePacketJson('{"net":3.0,"ctx":7e0,"seq":12E2}'), {
    ...EMPTY,
    net: 3,
    ctx: 7,
    seq: 1_200,
  });
  assert.deepEqual(encodePacket(decodePacketJson('{"net":-0}')), hex("0000"));
});

test("decodePacketJson() refuses names that do not fit their field", () => {
  for (const key of ["srv", "src", "dst", "nxt"]) {
    refused(`{"${key}":"${"é".repeat(128)}"}`, "ERR_PACKET_FIELD");
    for (const bad of ["5", "0", "false", "[]", "{}"]) {
      refused(`{"${key}":${bad}}`, "ERR_PACKET_FIELD");
    }
  }
});

test("decodePacketJson() refuses values that cannot be shown as text, like any other", () => {
  refused('{"net":{"toString":null,"valueOf":null}}', "ERR_PACKET_FIELD");
  refused('{"seq":{"toString":"x"}}', "ERR_PACKET_FIELD");
  refused(`{"ctx":${"[".repeat(60_000)}${"]".repeat(60_000)}}`, "ERR_PACKET_FIELD");
});

test("decodePacketJson() does not repeat a hostile value in its message", () => {
  assert.throws(() => decodePacketJson(`{"net":"${"a".repeat(100_000)}"}`), {
    message: "Cannot accept net: a value of type string is not an integer in 0-255",
  });
});

test("decodePacketJson() survives nesting of 10,000 levels", () => {
  const deep = "[".repeat(10_000) + "]".repeat(10_000);
  assert.deepEqual(decodePacketJson(`{"x":${deep},"net":3}`), { ...EMPTY, net: 3 });
  for (const key of ["net", "srv", "data"]) refused(`{"${key}":${deep}}`, "ERR_PACKET_FIELD");
  refused(deep, "ERR_PACKET_JSON");
  refused('{"x":'.repeat(10_000), "ERR_PACKET_JSON");
});

test("decodePacketJson() takes the last of several equal keys", () => {
  assert.deepEqual(decodePacketJson('{"net":1,"net":3}'), { ...EMPTY, net: 3 });
});

test("decodePacketJson() takes nothing from __proto__ and leaves every prototype alone", () => {
  const text = '{"__proto__":{"srv":"x","polluted":1},"constructor":{"prototype":{"polluted":1}}}';
  assert.deepEqual(decodePacketJson(text), EMPTY);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test("decodePacketJson() refuses more than 131,072 characters, unparsed", () => {
  const padded = (length: number) => '{"net":3'.padEnd(length - 1) + "}";
  assert.deepEqual(decodePacketJson(padded(131_072)), { ...EMPTY, net: 3 });
  assert.throws(() => decodePacketJson(padded(131_073)), {
    code: "ERR_PACKET_JSON",
    offset: 131_072,
    message: "Cannot decode JSON: 131073 characters, more than 131072",
  });
});

test("decodePacketJson() takes 65,535 bytes of data and refuses 65,536", () => {
  const largest = { ...EMPTY, data: new Uint8Array(65_535).fill(0xc0) };
  assert.deepEqual(decodePacketJson(encodePacketJson(largest)), largest);
  assert.throws(() => decodePacketJson(`{"data":"${"AAAA".repeat(21_845)}AA=="}`), {
    code: "ERR_PACKET_FIELD",
    message: "Cannot accept data: it has 65536 bytes, more than 65535",
  });
});
