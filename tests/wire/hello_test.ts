import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketError } from "../../src/errors.ts";
import { CAP, decodeHello, encodeHello, type Hello, ROLE } from "../../src/wire/hello.ts";
import { Packet } from "../../src/wire/packet.ts";
import { Chance, randomHello } from "../support/fuzz.ts";
import { concat, hex, toHex } from "./hex.ts";

const LEAST: Hello = {
  caps: CAP.seq | CAP.bulk,
  address: "hub",
  instance: 0x0102_0304,
  session: "00112233445566ff",
  keepalive: 0,
  dead: 0,
  role: 0,
  maxFrame: 0,
  maxRoutes: 0,
  seen: "",
  also: "",
};
const LEAST_BYTES = hex(
  "414c4e58 01" + "0104 00000003" + "0203 687562" + "0304 01020304" + "0408 00112233445566ff",
);

const FULL: Hello = {
  ...LEAST,
  keepalive: 10,
  dead: 35,
  role: ROLE.stub | ROLE.shared,
  maxFrame: 4_096,
  maxRoutes: 10_000,
  seen: "ffeeddccbbaa9988",
  also: "0123456789abcdef",
};
const FULL_BYTES = concat(
  LEAST_BYTES,
  hex(
    "0504 000a 0023" + "0601 0a" + "0706 1000 00002710" + "0808 ffeeddccbbaa9988" +
      "0b08 0123456789abcdef",
  ),
);

/** The bytes of a hello with other entries in it. */
function helloOf(...entries: string[]): Uint8Array {
  return hex("414c4e58 01" + entries.join(""));
}

const CAPS = "0104 00000003";
const ADDRESS = "0203 687562";
const INSTANCE = "0304 01020304";
const SESSION = "0408 00112233445566ff";

test("encodeHello() writes the layout exactly, and leaves out what says nothing", () => {
  assert.equal(toHex(encodeHello(LEAST)), toHex(LEAST_BYTES));
  assert.equal(toHex(encodeHello(FULL)), toHex(FULL_BYTES));
});

test("encodeHello() takes at most 66 bytes and the address", () => {
  const longest = { ...FULL, address: "a".repeat(255) };
  assert.equal(encodeHello(longest).length, 66 + 255);
  assert.deepEqual(decodeHello(encodeHello(longest)), longest);
});

test("encodeHello() writes both values of an entry if either says something", () => {
  for (
    const some of [{ keepalive: 1 }, { dead: 1 }, { maxFrame: 1 }, { maxRoutes: 1 }]
  ) {
    const hello = { ...LEAST, ...some };
    assert.deepEqual(decodeHello(encodeHello(hello)), hello);
  }
});

test("decodeHello() gives back what encodeHello() was given, whatever it was", () => {
  for (let seed = 0; seed < 500; seed++) {
    const hello = randomHello(new Chance(seed));
    assert.deepEqual(decodeHello(encodeHello(hello)), hello, `seed ${seed}`);
  }
});

test("encodeHello() refuses values that do not fit", () => {
  const bad: Partial<Record<keyof Hello, unknown>>[] = [
    { caps: 2 ** 32 },
    { caps: -1 },
    { address: "" },
    { address: "é".repeat(128) },
    { address: 5 },
    { instance: 1.5 },
    { session: "" },
    { session: "0011" },
    { session: "00112233445566fg" },
    { session: "00112233445566ff00" },
    { keepalive: 65_536 },
    { dead: -1 },
    { role: 256 },
    { maxFrame: 65_536 },
    { maxRoutes: 2 ** 32 },
    { seen: "x" },
    { also: "x" },
  ];
  for (const values of bad) {
    const hello = { ...LEAST, ...values } as Hello;
    assert.throws(
      () => encodeHello(hello),
      { name: "PacketError", code: "ERR_PACKET_FIELD" },
      JSON.stringify(values),
    );
  }
});

test("decodeHello() takes what has no magic for an old peer's query", () => {
  for (const data of ["", "41", "414c4e", "414c4e59 01", "00000000000000", "20414c4e5801"]) {
    assert.equal(decodeHello(hex(data)), null, data);
  }
});

test("decodeHello() takes any version from 1 on", () => {
  for (const version of [1, 2, 255]) {
    const bytes = FULL_BYTES.slice();
    bytes[4] = version;
    assert.deepEqual(decodeHello(bytes), FULL);
  }
  const bytes = FULL_BYTES.slice();
  bytes[4] = 0;
  assert.throws(() => decodeHello(bytes), { code: "ERR_PACKET_FIELD", offset: 4 });
});

test("decodeHello() skips types that it does not know, wherever they stand", () => {
  for (const unknown of ["0000", "0900", "7f10" + "ab".repeat(16), "ff02 0104"]) {
    const bytes = helloOf(unknown, CAPS, unknown, ADDRESS, unknown, INSTANCE, SESSION, unknown);
    assert.deepEqual(decodeHello(bytes), LEAST, unknown);
  }
});

test("decodeHello() reads entries in any order, and the last of several equal ones", () => {
  const bytes = helloOf(SESSION, INSTANCE, "0201 78", "0104 ffffffff", CAPS, ADDRESS);
  assert.deepEqual(decodeHello(bytes), LEAST);
});

test("decodeHello() ignores what a later version adds to a value", () => {
  const bytes = helloOf(
    "0106 00000003 aaaa",
    ADDRESS,
    "0305 01020304 aa",
    "0409 00112233445566ff aa",
    "0505 000a 0023 aa",
    "0602 0a aa",
    "0708 1000 00002710 aaaa",
    "0809 ffeeddccbbaa9988 aa",
    "0b09 0123456789abcdef aa",
  );
  assert.deepEqual(decodeHello(bytes), FULL);
});

test("decodeHello() refuses a value that is shorter than its type needs", () => {
  const short = ["0103 000003", "0200", "0303 010203", "0407 00112233445566", "0503 000a00"];
  for (
    const entry of [...short, "0600", "0705 1000000027", "0807 ffeeddccbbaa99", "0b07 01234567"]
  ) {
    const bytes = helloOf(entry, CAPS, ADDRESS, INSTANCE, SESSION);
    assert.throws(() => decodeHello(bytes), { code: "ERR_PACKET_TRUNCATED", offset: 5 }, entry);
  }
});

test("decodeHello() refuses a hello without abilities, address, instance or session", () => {
  const entries = [CAPS, ADDRESS, INSTANCE, SESSION];
  entries.forEach((_, at) => {
    const bytes = helloOf(...entries.filter((_, i) => i !== at));
    assert.throws(() => decodeHello(bytes), {
      code: "ERR_PACKET_FIELD",
      message: `Cannot read hello: type ${at + 1} is missing`,
    });
  });
});

test("decodeHello() refuses an address that is not UTF-8", () => {
  const bytes = helloOf(CAPS, "0202 c328", INSTANCE, SESSION);
  assert.throws(() => decodeHello(bytes), { code: "ERR_PACKET_FIELD", offset: 13 });
});

test("decodeHello() cut at any byte throws PacketError, or misses the entries cut off", () => {
  const ends = [0, 6, 9, 17, 27].map((size) => LEAST_BYTES.length + size); // Between two entries.
  for (let size = 0; size < FULL_BYTES.length; size++) {
    const cut = FULL_BYTES.subarray(0, size);
    if (size < 4) assert.equal(decodeHello(cut), null);
    else if (size < LEAST_BYTES.length) assert.throws(() => decodeHello(cut), PacketError);
    else if (ends.includes(size)) assert.equal(decodeHello(cut)?.address, "hub");
    else assert.throws(() => decodeHello(cut), { code: "ERR_PACKET_TRUNCATED" }, `${size} bytes`);
  }
});

test("A hello goes through a query, in bytes and in JSON", () => {
  const query = new Packet({ net: 3, data: encodeHello(FULL) });
  assert.deepEqual(decodeHello(Packet.fromBinary(query.toBinary()).data), FULL);
  assert.deepEqual(decodeHello(Packet.fromJson(query.toJson()).data), FULL);
});
