import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBase64, encodeBase64 } from "../../src/wire/base64.ts";
import { encodeUtf8 } from "../../src/wire/bytes.ts";

/** The examples of RFC 4648, section 10. */
const EXAMPLES = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
] as const;

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function refused(text: string, offset: number): void {
  assert.throws(() => decodeBase64(text), { code: "ERR_PACKET_JSON", offset }, `text ${text}`);
}

test("encodeBase64() uses the standard alphabet and pads", () => {
  for (const [plain, text] of EXAMPLES) assert.equal(encodeBase64(encodeUtf8(plain)), text);
  assert.equal(encodeBase64(Uint8Array.of(0xfb, 0xff, 0xbf)), "+/+/");
});

test("decodeBase64() reads padded and unpadded text alike", () => {
  for (const [plain, text] of EXAMPLES) {
    assert.deepEqual(decodeBase64(text), encodeUtf8(plain));
    assert.deepEqual(decodeBase64(text.replaceAll("=", "")), encodeUtf8(plain));
  }
});

test("decodeBase64() gives back what encodeBase64() was given, at every length", () => {
  for (let size = 0; size <= EVERY_BYTE.length; size++) {
    const bytes = EVERY_BYTE.slice(size);
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
  }
});

test("decodeBase64() reads the URL-safe alphabet", () => {
  assert.deepEqual(decodeBase64("-_-_"), Uint8Array.of(0xfb, 0xff, 0xbf));
  assert.deepEqual(decodeBase64("_w"), Uint8Array.of(0xff));
});

test("decodeBase64() ignores white space, also behind the padding", () => {
  assert.deepEqual(decodeBase64(" Zm9v\r\n\tYg== \n"), encodeUtf8("foob"));
  assert.deepEqual(decodeBase64(" \n"), new Uint8Array(0));
});

test("decodeBase64() refuses a character that does not belong, and says where", () => {
  refused("Zm9v!mFy", 4);
  refused("!!!", 0);
  refused("Zm\u00e9v", 2);
  refused("Zm9\u{1f600}", 3);
  refused("Zm9vYg\u0000=", 6);
});

test("decodeBase64() refuses padding in the middle and more of it than there can be", () => {
  refused("Zg==Zg==", 2);
  refused("Zg===", 2);
});

test("decodeBase64() refuses one lone character, which holds no byte", () => {
  refused("Z", 0);
  refused("Zm9vY", 4);
  refused("Zm9vY===", 5);
  refused("Zm9vY=", 4);
});

test("decodeBase64() returns bytes that are the caller's, in a buffer of their size", () => {
  for (const text of ["Zm9v", "Zm 9v", "Zg=="]) {
    const bytes = decodeBase64(text);
    assert.equal(bytes.buffer.byteLength, bytes.length);
  }
});
