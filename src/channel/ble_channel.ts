/**
 * {@linkcode openBle}: packets over the Nordic UART service of Bluetooth Low Energy.
 *
 * @module
 */

import { encodeFrame, KissDecoder } from "../framing/kiss.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE } from "../wire/limits.ts";
import { parsePacket } from "../wire/packet_codec.ts";
import { chunkedDuplex, type ChunkedDuplexOptions } from "./chunked_duplex.ts";
import { lost } from "./message_port_channel.ts";
import { StreamChannel, type StreamChannelOptions } from "./stream_channel.ts";

/** UUIDs of the Nordic UART service: itself, what a central writes to, what notifies a central. */
export const BLE_UART: {
  readonly service: string;
  readonly write: string;
  readonly notify: string;
} = {
  service: "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
  write: "6e400002-b5a3-f393-e0a9-e50e24dcca9e",
  notify: "6e400003-b5a3-f393-e0a9-e50e24dcca9e",
};

/** Something that tells of events. */
export interface BleEventSource {
  /** Listens. */
  addEventListener(type: string, listener: () => void): void;
  /** Listens no more. */
  removeEventListener(type: string, listener: () => void): void;
}

/** The part of Web Bluetooth's `BluetoothRemoteGATTCharacteristic` that a channel needs. */
export interface BleCharacteristicLike extends BleEventSource {
  /** What was notified last. */
  readonly value?: DataView;
  /** Starts "characteristicvaluechanged". */
  startNotifications(): Promise<unknown>;
  /** Stops it. */
  stopNotifications(): Promise<unknown>;
  /** Writes at most so many bytes as the radio takes at once. */
  writeValueWithoutResponse(value: Bytes): Promise<void>;
}

/** The part of Web Bluetooth's `BluetoothRemoteGATTService` that a channel needs. */
export interface BleServiceLike {
  /** Tells of "gattserverdisconnected". */
  readonly device: BleEventSource;
  /** Finds a characteristic. */
  getCharacteristic(uuid: string): Promise<BleCharacteristicLike>;
}

/** Options of {@linkcode openBle}. */
export interface BleOptions extends StreamChannelOptions, Pick<ChunkedDuplexOptions, "mtu"> {}

const END = 0xc0;
const BROKEN_FRAME = Uint8Array.of(0xdb, END);

/**
 * Opens a channel over a device's Nordic UART service. An orderly close sends what is queued and
 * stops the notifications; to disconnect from the device is up to its owner.
 *
 * @param service `BLE_UART.service` of a device that is connected.
 * @throws The radio's error, if the service is not as it should be.
 * @throws The signal's reason, if it aborts before the channel is open.
 *
 * @example
 * ```ts ignore
 * const device = await navigator.bluetooth.requestDevice({
 *   filters: [{ services: [BLE_UART.service] }],
 * });
 * const server = await device.gatt.connect();
 * router.addChannel(await openBle(await server.getPrimaryService(BLE_UART.service)));
 * ```
 */
export async function openBle(
  service: BleServiceLike,
  options: BleOptions = {},
): Promise<StreamChannel> {
  const { signal, mtu } = options;
  signal?.throwIfAborted();
  const output = await service.getCharacteristic(BLE_UART.write);
  const input = await service.getCharacteristic(BLE_UART.notify);
  const line = chunkedDuplex((chunk) => output.writeValueWithoutResponse(chunk), {
    mtu,
    release() {
      input.removeEventListener("characteristicvaluechanged", onValue);
      service.device.removeEventListener("gattserverdisconnected", onGone);
      input.stopNotifications().catch(() => {}); // It is out of reach.
    },
  });
  const frames = singleFrames(line.push);
  const onValue = () => {
    const { buffer, byteOffset, byteLength } = input.value!;
    frames(new Uint8Array(buffer, byteOffset, byteLength));
  };
  const onGone = () => line.end(lost("the device is out of reach"));
  input.addEventListener("characteristicvaluechanged", onValue);
  service.device.addEventListener("gattserverdisconnected", onGone);
  const channel = new StreamChannel(line, options);
  channel.transport = "ble";
  try {
    await input.startNotifications();
    signal?.throwIfAborted();
  } catch (error) {
    channel.close(error);
    throw error;
  }
  return channel;
}

/**
 * Undoes what Android peers do, who frame twice. Frames end up as they would have come from anybody
 * else; those that are broken, or too large, end up as a broken one, for the channel to report.
 */
function singleFrames(push: (chunk: Bytes) => void): (chunk: Uint8Array) => void {
  const outer = new KissDecoder({
    limit: 2 * MAX_PACKET_SIZE + 1,
    onDrop: () => push(BROKEN_FRAME.slice()),
  });
  return (chunk) =>
    outer.forEach(chunk, (frame, adjoins) => {
      if (!adjoins) push(Uint8Array.of(END)); // Who repairs frames wants to know of empty ones.
      push(isFramed(frame) ? frame : encodeFrame(frame));
    });
}

/** Whether what was in a frame is a frame: one with exactly one packet in it. */
function isFramed(bytes: Bytes): boolean {
  const [packet, ...more] = bytes.at(-1) === END ? new KissDecoder().push(bytes) : [];
  try {
    return more.length === 0 && parsePacket(packet!).size === packet!.length;
  } catch {
    return false;
  }
}
