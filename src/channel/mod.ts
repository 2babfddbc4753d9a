/**
 * Channels over what is less usual than a socket: message ports and workers,
 * serial ports, Bluetooth. Like `@aln/mesh`, this runs everywhere; what it needs of the platform, it
 * is given.
 *
 * @module
 */

export {
  BLE_UART,
  type BleCharacteristicLike,
  type BleEventSource,
  type BleOptions,
  type BleServiceLike,
  openBle,
} from "./ble_channel.ts";
export { type ChunkedDuplex, chunkedDuplex, type ChunkedDuplexOptions } from "./chunked_duplex.ts";
export {
  type MessageLike,
  MessagePortChannel,
  type MessagePortLike,
} from "./message_port_channel.ts";
export { openSerial, type SerialOptions, type SerialPortLike } from "./serial_channel.ts";
