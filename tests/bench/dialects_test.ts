import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { Packet } from "../../mod.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { encodeBinaryMessage } from "../../src/framing/websocket_frames.ts";
import { dialect as mosquitto } from "./dialects/mosquitto.ts";
import { dialect as nats } from "./dialects/nats.ts";
import { dialect as ours, message } from "./dialects/ours.ts";
import { dialect as websocket } from "./dialects/ours_ws.ts";
import { payload } from "./process/payload.ts";

test("the bench counts messages of each protocol, and not what goes with them", () => {
  const packet = message(payload(200, "random")).toBinary();
  const chatter = new Packet({ net: 4, data: Uint8Array.of(1, 2, 3) }).toBinary();
  const frame = encodeFrame(packet);
  assert.deepEqual(ours.inspect(Buffer.concat([frame, encodeFrame(chatter), frame])), {
    messages: 2,
    bytes: 2 * frame.length,
  });
  const whole = encodeBinaryMessage(packet);
  assert.deepEqual(
    websocket.inspect(Buffer.concat([encodeBinaryMessage(chatter), whole, whole.subarray(0, 20)])),
    { messages: 1, bytes: whole.length },
  );
  const line = Buffer.from("MSG sink 1 4\r\nMSG \r\n");
  assert.deepEqual(nats.inspect(Buffer.concat([line, Buffer.from("PING\r\n"), line])), {
    messages: 2,
    bytes: 2 * line.length,
  });
  const published = Buffer.from([
    0x30,
    0x88,
    0x01,
    0,
    4,
    ...Buffer.from("sink"),
    ...new Array(130),
  ]);
  assert.deepEqual(mosquitto.inspect(published), { messages: 1, bytes: published.length });
});
