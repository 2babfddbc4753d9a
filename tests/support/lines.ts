/**
 * For tests of lines that carry bytes and say nothing of their end: a serial port, a radio. What is
 * at the far end of each is in the test's hands.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ByteDuplex } from "../../mod.ts";
import type {
  BleCharacteristicLike,
  BleServiceLike,
  SerialPortLike,
} from "../../src/channel/mod.ts";
import { BLE_UART } from "../../src/channel/mod.ts";

/** A Web Serial port, as strict about its streams as the standard, and what it is wired to. */
export class FakeSerialPort implements SerialPortLike {
  /** The other end of the wire. It ends when the port closes, as if the line had dropped. */
  readonly far: ByteDuplex;
  /** What became of the port. */
  readonly log: string[] = [];
  /** What a write waits for. */
  gate: Promise<void> = Promise.resolve();
  #state: "closed" | "open" | "lost" = "closed";
  #readable: ReadableStream<Uint8Array> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;
  #input!: ReadableStreamDefaultController<Uint8Array>;
  #output!: WritableStreamDefaultController;
  #far!: ReadableStreamDefaultController<Uint8Array>;
  #broken: boolean = false;

  constructor() {
    this.far = {
      readable: new ReadableStream({ start: (controller) => void (this.#far = controller) }),
      writable: new WritableStream({
        write: (chunk) => {
          if (this.#readable && !this.#broken) this.#input.enqueue(chunk);
        },
        close: () => {
          if (this.#readable && !this.#broken) this.#input.close();
        },
      }),
    };
  }

  get readable(): ReadableStream<Uint8Array> | null {
    if (this.#state !== "open") return null;
    if (this.#readable === null || this.#broken) {
      this.#broken = false;
      this.#readable = new ReadableStream({
        start: (controller) => void (this.#input = controller),
        cancel: () => {
          this.#broken = true;
          this.log.push("cancel");
        },
      });
    }
    return this.#readable;
  }

  get writable(): WritableStream<Uint8Array> | null {
    if (this.#state !== "open") return null;
    return this.#writable ??= new WritableStream({
      start: (controller) => void (this.#output = controller),
      write: async (chunk) => {
        await Promise.race([
          this.gate,
          new Promise((resolve) => this.#output.signal.addEventListener("abort", resolve)),
        ]);
        if (!this.#output.signal.aborted) this.#far.enqueue(chunk.slice());
      },
      close: () => void this.log.push("flush"),
      abort: () => void this.log.push("abort"),
    });
  }

  open({ baudRate }: { baudRate: number }): Promise<void> {
    this.log.push(`open ${baudRate}`);
    this.#state = "open";
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.#state !== "open") return Promise.reject(new Error("the port is lost"));
    assert.deepEqual(
      [this.#readable?.locked, this.#writable?.locked],
      [false, false],
      "the port is closed while its streams are locked",
    );
    this.log.push("close");
    this.#state = "closed";
    this.#far.close();
    return Promise.resolve();
  }

  /** The line is disturbed: what is read fails, and a new readable takes its place. */
  disturb(): void {
    this.#broken = true;
    this.#input.error(new Error("framing error"));
  }

  /** Somebody pulls the plug. */
  unplug(): void {
    const error = new Error("the device has been lost");
    this.#state = "lost";
    this.#broken = true;
    this.#input.error(error);
    this.#output.error(error);
    this.#far.close();
  }
}

/** Listeners, and who they are told by. */
class FakeEvents {
  readonly #listeners: [type: string, listener: () => void][] = [];

  addEventListener(type: string, listener: () => void): void {
    this.#listeners.push([type, listener]);
  }

  removeEventListener(type: string, listener: () => void): void {
    const at = this.#listeners.findIndex(([t, l]) => t === type && l === listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  /** How many listeners there are. */
  get listening(): number {
    return this.#listeners.length;
  }

  tell(type: string): void {
    for (const [t, listener] of [...this.#listeners]) if (t === type) listener();
  }
}

/** A device with a Nordic UART service, and what runs on it. */
export class FakeUart implements BleServiceLike {
  readonly device: FakeEvents = new FakeEvents();
  /** What runs on the device. It ends when nobody wants its notifications any more. */
  readonly far: ByteDuplex;
  /** Sizes of what was written. */
  readonly sizes: number[] = [];
  /** What `startNotifications` throws. */
  refuses: Error | null = null;
  readonly #most: number;
  readonly #input: FakeEvents & { value?: DataView } = new FakeEvents();
  #far!: ReadableStreamDefaultController<Uint8Array>;
  #over: boolean = false;

  /** @param most Bytes that its radio takes at once. */
  constructor(most: number = 20) {
    this.#most = most;
    this.far = {
      readable: new ReadableStream({ start: (controller) => void (this.#far = controller) }),
      writable: new WritableStream({
        write: (chunk) => {
          for (let at = 0; at < chunk.length; at += most) {
            this.notify(chunk.subarray(at, at + most));
          }
        },
        close: () => this.leave(),
        abort: () => this.leave(),
      }),
    };
  }

  /** How many listeners there are. */
  get listening(): number {
    return this.device.listening + this.#input.listening;
  }

  /** The device sends something. */
  notify(bytes: Uint8Array): void {
    const padded = new Uint8Array([9, 9, ...bytes, 9]); // A view is not all of its buffer.
    this.#input.value = new DataView(padded.buffer, 2, bytes.length);
    this.#input.tell("characteristicvaluechanged");
  }

  /** The device is out of reach. */
  leave(): void {
    if (!this.#over) this.#far.close();
    this.#over = true;
    this.device.tell("gattserverdisconnected");
  }

  getCharacteristic(uuid: string): Promise<BleCharacteristicLike> {
    const characteristic: BleCharacteristicLike = {
      startNotifications: () => Promise.reject(new Error("this one does not notify")),
      stopNotifications: () => Promise.reject(new Error("this one does not notify")),
      writeValueWithoutResponse: () => Promise.reject(new Error("this one is not written to")),
      addEventListener: (type, listener) => this.#input.addEventListener(type, listener),
      removeEventListener: (type, listener) => this.#input.removeEventListener(type, listener),
    };
    if (uuid === BLE_UART.write) {
      let busy = false;
      characteristic.writeValueWithoutResponse = async (bytes) => {
        assert(!busy, "the radio does one thing at a time");
        assert(bytes.length <= this.#most, `${bytes.length} bytes in one write`);
        if (this.#over) throw new Error("the device is not connected");
        busy = true;
        await Promise.resolve();
        busy = false;
        this.sizes.push(bytes.length);
        if (!this.#over) this.#far.enqueue(bytes);
      };
    } else {
      assert.equal(uuid, BLE_UART.notify);
      Object.defineProperty(characteristic, "value", { get: () => this.#input.value });
      characteristic.startNotifications = async () => {
        await Promise.resolve();
        if (this.refuses) throw this.refuses;
      };
      characteristic.stopNotifications = () => {
        if (this.#over) return Promise.reject(new Error("the device is not connected"));
        this.#over = true;
        this.#far.close();
        return Promise.resolve();
      };
    }
    return Promise.resolve(characteristic);
  }
}
