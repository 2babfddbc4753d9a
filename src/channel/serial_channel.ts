/**
 * {@linkcode openSerial}: packets over a serial port, as browsers have it.
 *
 * @module
 */

import { chunkedDuplex } from "./chunked_duplex.ts";
import { StreamChannel, type StreamChannelOptions } from "./stream_channel.ts";

/** The part of Web Serial's `SerialPort` that a channel needs. */
export interface SerialPortLike {
  /** What arrives. After a line error there is another one; `null` once the port is lost. */
  readonly readable: ReadableStream<Uint8Array> | null;
  /** What is sent. */
  readonly writable: WritableStream<Uint8Array> | null;
  /** Opens the port. */
  open(options: { baudRate: number }): Promise<void>;
  /** Closes the port, whose streams must be unlocked. */
  close(): Promise<void>;
}

/** Options of {@linkcode openSerial}. */
export interface SerialOptions extends StreamChannelOptions {
  /**
   * Bits per second.
   *
   * @default {115200}
   */
  baudRate?: number;
}

/** Bits that a byte takes on the line. */
const BITS_PER_BYTE = 10;

/** Bytes in one write are at least so many, and otherwise what the line takes in so many ms. */
const MIN_WRITE = 64;
const WRITE_TIME = 500;

/** Line errors in a row, with not a byte between them, that a port survives. */
const MAX_LINE_ERRORS = 16;

/**
 * Opens a serial port as a channel. Line errors (noise, overruns) cost the packets they hit; a port
 * that is unplugged closes the channel with its error.
 *
 * The far end of a serial line does not say that it has left, nor is it told: an orderly close sends
 * what is queued and closes the port. Once `closed` has settled without a reason, the port may be
 * opened again; after a cut, a moment later.
 *
 * @param port From `navigator.serial.requestPort()`; not open. The channel owns it.
 * @throws The port's error, if it cannot be opened.
 * @throws The signal's reason, if it aborts before the port is open.
 */
export async function openSerial(
  port: SerialPortLike,
  options: SerialOptions = {},
): Promise<StreamChannel> {
  const { signal, baudRate = 115_200 } = options;
  signal?.throwIfAborted();
  await port.open({ baudRate });
  const writer = port.writable!.getWriter();
  let reader = port.readable!.getReader();
  let releasing: Promise<void> | undefined;

  const speed = baudRate / BITS_PER_BYTE / 1_000; // Bytes in a ms.
  const line = chunkedDuplex((chunk) => writer.write(chunk), {
    mtu: Math.max(MIN_WRITE, Math.floor(speed * WRITE_TIME)), // A slow line is seen to move.
    release(reason) {
      const written = reason === undefined ? writer.close() : writer.abort(reason);
      written.catch(() => {});
      return releasing ??= Promise.allSettled([written, reader.cancel(reason)]).then(() => {
        writer.releaseLock(); // A port whose streams are locked does not close.
        reader.releaseLock();
        return port.close();
      }).catch(() => {}); // It was unplugged.
    },
  });
  const read = async () => {
    for (let errors = 0;;) {
      try {
        const { done, value } = await reader.read();
        if (done) break;
        errors = 0;
        line.push(value);
      } catch (error) {
        if (releasing || port.readable === null || ++errors > MAX_LINE_ERRORS) {
          return line.end(error);
        }
        reader.releaseLock();
        reader = port.readable.getReader();
      }
    }
    line.end();
  };
  read();
  const channel = new StreamChannel(line, options);
  channel.transport = "serial";
  signal?.throwIfAborted(); // The channel, which has it too, closes the port.
  return channel;
}
