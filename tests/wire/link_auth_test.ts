import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet } from "../../src/wire/packet.ts";
import {
  CHALLENGE,
  decodeLinkAuth,
  encodeLinkAuth,
  type LinkAuthMessage,
  type LinkChallenge,
  linkChallenge,
  linkProofInput,
  REFUSAL,
} from "../../src/wire/link_auth.ts";
import { decodeLinkFrame, type LinkFrameVisitor } from "../../src/wire/link_frame.ts";
import { concat, hex, toHex } from "./hex.ts";

const NONCE = "0102030405060708090a0b0c0d0e0f1011121314";
const HUB = linkChallenge({
  flags: CHALLENGE.accepted | CHALLENGE.required,
  nonce: hex(NONCE),
  address: "hub",
});
const HUB_BODY = `0106 ${NONCE} 03687562`;
const EDGE = linkChallenge({ flags: CHALLENGE.opened, nonce: hex("7f".repeat(20)), address: "é" });
const MAC = hex("ab".repeat(32));

/** Each message, and its bytes. */
const MESSAGES: [message: LinkAuthMessage, bytes: string][] = [
  [{ kind: "challenge", challenge: HUB }, `0c001a ${HUB_BODY}`],
  [{ kind: "proof", challenge: HUB, mac: MAC }, `0d003a ${HUB_BODY} ${"ab".repeat(32)}`],
  [{ kind: "refusal", reason: REFUSAL.key }, "0e0001 01"],
];

for (const [message, bytes] of MESSAGES) {
  test(`encodeLinkAuth() writes a ${message.kind} exactly, and decodeLinkAuth() reads it`, () => {
    assert.equal(toHex(encodeLinkAuth(message)), toHex(hex(bytes)));
    assert.deepEqual(decodeLinkAuth(hex(bytes)), message);
  });

  test(`decodeLinkAuth() refuses a ${message.kind} that is cut off anywhere, or goes on`, () => {
    const whole = encodeLinkAuth(message);
    for (let size = 1; size < whole.length; size++) {
      assert.throws(
        () => decodeLinkAuth(whole.subarray(0, size)),
        { code: "ERR_PACKET_TRUNCATED" },
        `${size}`,
      );
    }
    assert.throws(() => decodeLinkAuth(concat(whole, hex("00"))), { code: "ERR_PACKET_FIELD" });
  });

  test(`decodeLinkAuth() refuses a ${message.kind} whose own length is too short`, () => {
    const whole = encodeLinkAuth(message);
    for (let size = 0; size < whole.length - 3; size++) {
      const short = concat(whole.subarray(0, 1), Uint8Array.of(size >> 8, size & 0xff));
      const bytes = concat(short, whole.subarray(3, 3 + size));
      assert.throws(() => decodeLinkAuth(bytes), { name: "PacketError" }, `${size}`);
    }
  });

  test(`A router that knows no keys skips a ${message.kind}`, () => {
    decodeLinkFrame(encodeLinkAuth(message), {} as LinkFrameVisitor); // It would call what is not there.
  });
}

test("decodeLinkAuth() leaves every other link frame to others, and no frame at all", () => {
  for (const data of ["", "01", "04 0004 00000007", "0b 0001 00", "7f 0000", "0f0000", "00"]) {
    assert.equal(decodeLinkAuth(hex(data)), null, data);
  }
});

test("linkChallenge() takes addresses of up to 255 bytes, and flags that mean nothing yet", () => {
  for (const address of ["a", "é".repeat(127), "a".repeat(255)]) {
    const challenge = linkChallenge({ flags: 255, nonce: hex(NONCE), address });
    for (const kind of ["challenge", "proof"] as const) {
      const message = { kind, challenge, mac: MAC } as LinkAuthMessage;
      const read = decodeLinkAuth(encodeLinkAuth(message));
      assert.deepEqual(read?.kind !== "refusal" && read?.challenge, challenge);
    }
  }
});

test("linkChallenge() and encodeLinkAuth() refuse what does not fit", () => {
  const good: LinkChallenge = { flags: 0, nonce: hex(NONCE), address: "a" };
  const bad: object[] = [
    { flags: 256 },
    { flags: -1 },
    { nonce: hex(NONCE.slice(2)) },
    { nonce: hex(NONCE + "00") },
    { address: "" },
    { address: "a".repeat(256) },
    { address: 5 },
  ];
  for (const values of bad) {
    const challenge = { ...good, ...values };
    assert.throws(() => linkChallenge(challenge), { code: "ERR_PACKET_FIELD" });
  }
  for (const mac of [new Uint8Array(31), new Uint8Array(33)]) {
    const message = { kind: "proof", challenge: HUB, mac } as const;
    assert.throws(() => encodeLinkAuth(message), { code: "ERR_PACKET_FIELD" });
  }
  assert.throws(() => encodeLinkAuth({ kind: "refusal", reason: 256 }), {
    code: "ERR_PACKET_FIELD",
  });
});

const BROKEN: [what: string, body: string][] = [
  ["of version 0", `0006 ${NONCE} 03687562`],
  ["without an address", `0106 ${NONCE} 00`],
  ["whose address is not UTF-8", `0106 ${NONCE} 02ffff`],
  ["that is too large", `0106 ${NONCE} 03687562 ${"00".repeat(487)}`],
];
for (const [what, body] of BROKEN) {
  test(`decodeLinkAuth() refuses a challenge ${what}`, () => {
    const bytes = hex(body);
    const header = (op: number, size: number) => Uint8Array.of(op, size >> 8, size & 0xff);
    for (
      const data of [
        concat(header(0x0c, bytes.length), bytes),
        concat(header(0x0d, bytes.length + 32), bytes, MAC),
      ]
    ) assert.throws(() => decodeLinkAuth(data), { code: "ERR_PACKET_FIELD" });
  });
}

test("decodeLinkAuth() reads a challenge of a later version, and keeps what it adds for the proof", () => {
  const body = hex(`0206 ${NONCE} 03687562 ${"ee".repeat(486)}`);
  assert.deepEqual(decodeLinkAuth(concat(hex("0c0200"), body)), {
    kind: "challenge",
    challenge: { ...HUB, body },
  });
});

test("decodeLinkAuth() keeps none of the bytes that it is given", () => {
  const data = encodeLinkAuth({ kind: "proof", challenge: HUB, mac: MAC });
  const read = decodeLinkAuth(data);
  data.fill(0);
  assert.deepEqual(read, { kind: "proof", challenge: HUB, mac: MAC });
});

test("linkProofInput() is a label and both challenges, the prover's first, each with its length", () => {
  const label = new TextEncoder().encode("ALN link proof, version 1\0");
  assert.equal(
    toHex(linkProofInput(HUB, EDGE)),
    toHex(concat(label, hex(`001a ${HUB_BODY} 0019 0101 ${"7f".repeat(20)} 02c3a9`))),
  );
});

test("linkProofInput() differs when anything of either challenge does", () => {
  const one = { flags: 1, nonce: hex(NONCE), address: "a" };
  const variants = [
    one,
    { ...one, flags: 2 },
    { ...one, nonce: hex("00".repeat(20)) },
    { ...one, address: "b" },
    { ...one, address: "ab" },
  ].map(linkChallenge);
  const inputs = new Set<string>();
  for (const a of variants) for (const b of variants) inputs.add(toHex(linkProofInput(a, b)));
  assert.equal(inputs.size, variants.length ** 2);
  // No part of one challenge can be taken for a part of the other.
  const longer = { ...HUB, body: concat(HUB.body, EDGE.body) };
  const rest = { ...EDGE, body: EDGE.body.subarray(EDGE.body.length) };
  assert.notEqual(toHex(linkProofInput(longer, rest)), toHex(linkProofInput(HUB, EDGE)));
});

test("A challenge is safe for old peers: all bytes are below 0x80, and nothing needs an escape", () => {
  const packet = new Packet({
    net: 4,
    data: encodeLinkAuth({ kind: "challenge", challenge: HUB }),
  });
  assert.ok(packet.toBinary().slice(2).every((byte) => byte < 0x80)); // Behind the control word.
});
