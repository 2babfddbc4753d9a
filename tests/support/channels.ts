/**
 * For tests of channels: streams, sockets and WebSockets of which the test plays the other end.
 *
 * @module
 */

import type { Channel, WebSocketLike } from "../../mod.ts";

/** Lets everything happen that is due. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A stream of bytes, both ends of it in the test's hands. */
export class FakeDuplex {
  /** For the channel. */
  readonly readable: ReadableStream<Uint8Array>;
  /** For the channel. */
  readonly writable: WritableStream<Uint8Array>;
  /** What the channel has written. */
  readonly written: Uint8Array[] = [];
  /** What became of the streams. */
  readonly log: string[] = [];
  /** What a write waits for. */
  gate: Promise<void> = Promise.resolve();
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor() {
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      cancel: (reason) => void this.log.push(`cancel ${reason?.message}`),
    });
    this.writable = new WritableStream({
      write: async (chunk) => {
        await this.gate;
        this.written.push(chunk);
      },
      close: () => void this.log.push("close"),
      abort: (reason) => void this.log.push(`abort ${reason?.message}`),
    });
  }

  /** Gives bytes to the channel. */
  push(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.#controller.enqueue(chunk);
  }

  /** The peer has sent its last. */
  end(): void {
    this.#controller.close();
  }

  /** The peer is gone. */
  fail(error: unknown): void {
    this.#controller.error(error);
  }
}

/** A WebSocket whose peer and network are the test. */
export class FakeWebSocket implements WebSocketLike {
  binaryType: string = "blob";
  readyState: number;
  bufferedAmount: number = 0;
  /** Every message that the channel has sent. */
  readonly sent: (string | Uint8Array)[] = [];
  /** Every call of `close`. */
  readonly closes: [code: number | undefined, reason: string | undefined][] = [];
  /** Whether sent messages stay in the buffer until the test empties it. */
  stuck: boolean = false;

  readonly #listeners: { type: string; listener: (event: never) => void }[] = [];

  constructor(readyState: 0 | 1 | 3 = 1) {
    this.readyState = readyState;
  }

  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.push({ type, listener });
  }

  #tell(type: string, event: unknown): void {
    for (const entry of this.#listeners) if (entry.type === type) entry.listener(event as never);
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
    if (this.stuck) this.bufferedAmount += data.length;
  }

  close(code?: number, reason?: string): void {
    this.closes.push([code, reason]);
    this.readyState = 2;
  }

  /** The connection is made. */
  open(): void {
    this.readyState = 1;
    this.#tell("open", {});
  }

  /** The peer sends a message. */
  message(data: unknown): void {
    this.#tell("message", { data });
  }

  /** Something has gone wrong; what follows depends on the runtime. */
  error(): void {
    this.#tell("error", {});
  }

  /** The connection has ended. */
  end(code: number, reason: string = ""): void {
    this.readyState = 3;
    this.#tell("close", { code, reason });
  }
}

/** What a channel hands on and drops, in words. */
export function record(channel: Channel): string[] {
  const told: string[] = [];
  channel.onPacket = (packet) => void told.push(`packet ${packet.srv || packet.text()}`);
  channel.onDrop = (error) => void told.push(`drop ${error.code}`);
  channel.onClose = (reason) => {
    told.push(reason === undefined ? "close" : `close: ${(reason as Error)?.message ?? reason}`);
  };
  return told;
}

/** The bytes of several chunks. */
export function concat(chunks: Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}
