import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
} from "../../src/wire/adverts.ts";
import { concat, hex } from "./hex.ts";

const ROUTE = { address: "node-b", cost: 2 };
const ROUTE_BYTES = hex("06 6e6f64652d62 0002");
const SERVICE = { address: "node-b", service: "ping", capacity: 0xc0db };
const SERVICE_BYTES = hex("06 6e6f64652d62 04 70696e67 c0db");

test("encodeRouteAdvert() and encodeServiceAdvert() write the layout exactly", () => {
  assert.deepEqual(encodeRouteAdvert(ROUTE), ROUTE_BYTES);
  assert.deepEqual(encodeServiceAdvert(SERVICE), SERVICE_BYTES);
});

test("encodeRouteAdvert() counts a name in bytes of UTF-8", () => {
  assert.deepEqual(encodeRouteAdvert({ address: "東京", cost: 1 }), hex("06 e69db1e4baac 0001"));
});

test("decodeRouteAdvert() gives back what encodeRouteAdvert() was given", () => {
  for (const address of ["b", "東京", "🚀ship", "a".repeat(255)]) {
    for (const cost of [0, 1, 65_535]) {
      assert.deepEqual(decodeRouteAdvert(encodeRouteAdvert({ address, cost })), { address, cost });
    }
  }
});

test("decodeServiceAdvert() gives back what encodeServiceAdvert() was given", () => {
  for (const address of ["b", "東京", "a".repeat(255)]) {
    for (const service of ["ping", "пинг", "é".repeat(127)]) {
      for (const capacity of [0, 1, 65_535]) {
        const advert = { address, service, capacity };
        assert.deepEqual(decodeServiceAdvert(encodeServiceAdvert(advert)), advert);
      }
    }
  }
});

test("encodeRouteAdvert() refuses an address or a cost that does not fit", () => {
  const refusals: [typeof ROUTE, number][] = [
    [{ ...ROUTE, address: "" }, 0],
    [{ ...ROUTE, address: "é".repeat(128) }, 0],
    [{ ...ROUTE, cost: 65_536 }, 7],
    [{ ...ROUTE, cost: -1 }, 7],
    [{ ...ROUTE, cost: 1.5 }, 7],
    [{ ...ROUTE, cost: Number.NaN }, 7],
  ];
  for (const [advert, offset] of refusals) {
    assert.throws(() => encodeRouteAdvert(advert), { code: "ERR_PACKET_FIELD", offset });
  }
});

test("encodeServiceAdvert() refuses a name or a capacity that does not fit", () => {
  const refusals: [typeof SERVICE, number][] = [
    [{ ...SERVICE, address: "" }, 0],
    [{ ...SERVICE, service: "" }, 0],
    [{ ...SERVICE, address: "a".repeat(256) }, 0],
    [{ ...SERVICE, service: "s".repeat(256) }, 7],
    [{ ...SERVICE, capacity: 65_536 }, 12],
    [{ ...SERVICE, capacity: -1 }, 12],
  ];
  for (const [advert, offset] of refusals) {
    assert.throws(() => encodeServiceAdvert(advert), { code: "ERR_PACKET_FIELD", offset });
  }
});

test("decodeRouteAdvert() refuses an advert cut anywhere, with the offset of what is cut", () => {
  for (let size = 0; size < ROUTE_BYTES.length; size++) {
    const offset = [0, 1, 7].findLast((start) => start <= size);
    for (const repair of [true, false]) {
      assert.throws(
        () => decodeRouteAdvert(ROUTE_BYTES.subarray(0, size), { repair }),
        { code: "ERR_PACKET_TRUNCATED", offset },
        `cut to ${size} bytes, repair ${repair}`,
      );
    }
  }
});

test("decodeServiceAdvert() refuses an advert cut anywhere, with the offset of what is cut", () => {
  for (let size = 0; size < SERVICE_BYTES.length; size++) {
    const offset = [0, 1, 7, 8, 12].findLast((start) => start <= size);
    assert.throws(
      () => decodeServiceAdvert(SERVICE_BYTES.subarray(0, size)),
      { code: "ERR_PACKET_TRUNCATED", offset },
      `cut to ${size} bytes`,
    );
  }
});

test("decodeRouteAdvert() refuses bytes behind the advert", () => {
  for (const repair of [true, false]) {
    assert.throws(() => decodeRouteAdvert(concat(ROUTE_BYTES, hex("0000")), { repair }), {
      code: "ERR_PACKET_FIELD",
      offset: 9,
      message: "Cannot read advertisement: 2 bytes follow it",
    });
  }
});

test("decodeServiceAdvert() ignores bytes behind the advert: Java peers pad with zeros", () => {
  for (const tail of ["00", "000000000000", "ff"]) {
    for (const repair of [true, false]) {
      const padded = concat(SERVICE_BYTES, hex(tail));
      assert.deepEqual(decodeServiceAdvert(padded, { repair }), SERVICE);
    }
  }
});

test("decodeServiceAdvert() refuses what Java leaves of an advert for a longer name", () => {
  assert.throws(() => decodeServiceAdvert(hex("12 612d6d7563682d6c6f6e676572")), {
    code: "ERR_PACKET_TRUNCATED",
    offset: 1,
  });
});

test("decodeRouteAdvert() refuses the route of the ESP32 sketch, whose length byte is wrong", () => {
  const malformed = concat(hex("08"), new TextEncoder().encode("ESP32-black-box"), hex("0100"));
  assert.throws(() => decodeRouteAdvert(malformed), { code: "ERR_PACKET_FIELD", offset: 11 });
});

test("decodeRouteAdvert() and decodeServiceAdvert() refuse an empty name", () => {
  const field = (offset: number) => ({ code: "ERR_PACKET_FIELD", offset });
  assert.throws(() => decodeRouteAdvert(hex("00 0001")), field(0));
  assert.throws(() => decodeServiceAdvert(hex("00 0470696e67 0001")), field(0));
  assert.throws(() => decodeServiceAdvert(hex("0162 00 0001")), field(2));
});

test("decodeRouteAdvert() refuses a name that is not UTF-8", () => {
  assert.throws(() => decodeRouteAdvert(hex("02 c328 0001")), {
    code: "ERR_PACKET_FIELD",
    offset: 1,
  });
});

test("decodeRouteAdvert() understands a length counted in UTF-16 units or code points", () => {
  const miscounted = { units: hex("03 f09f9a80c3a9 0001"), points: hex("02 f09f9a80c3a9 0001") };
  for (const data of [miscounted.units, miscounted.points]) {
    assert.deepEqual(decodeRouteAdvert(data), { address: "🚀é", cost: 1 });
    assert.throws(() => decodeRouteAdvert(data, { repair: false }), { code: "ERR_PACKET_FIELD" });
  }
});

test("decodeServiceAdvert() understands lengths counted in UTF-16 units or code points", () => {
  for (const length of ["03", "02"]) {
    const data = hex(`${length} f09f9a80c3a9 04 d0bfd0b8d0bdd0b3 0001`);
    const advert = { address: "🚀é", service: "пинг", capacity: 1 };
    assert.deepEqual(decodeServiceAdvert(data), advert);
    assert.throws(() => decodeServiceAdvert(data, { repair: false }), {
      code: "ERR_PACKET_FIELD",
      offset: 1,
    });
  }
});
