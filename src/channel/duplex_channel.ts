/**
 * Channels over a pair of Web Streams: one reads, one writes, both end together.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { BaseChannel } from "./base_channel.ts";
import type { ChannelOptions } from "./channel.ts";

/** What goes to the writable at once, and how many bytes it counts for. */
export interface OutgoingChunk<Out> {
  /** For the writable. */
  chunk: Out;
  /** As counted by `sizeOf`. */
  size: number;
}

/**
 * A channel over `{ readable, writable }`: `In` is what is read, `Out` what is written and what a
 * packet is encoded as.
 */
export abstract class DuplexChannel<In, Out> extends BaseChannel<Out> {
  readonly #reader: ReadableStreamDefaultReader<In>;
  readonly #writer: WritableStreamDefaultWriter<Out>;
  readonly #duplex: { readonly taken?: number };
  #writing: boolean = false;
  #ending: boolean = false;
  #inputOpen: boolean = true;
  #outputOpen: boolean = true;

  /** Constructs a new instance, which owns both streams. */
  constructor(
    duplex: {
      readonly readable: ReadableStream<In>;
      readonly writable: WritableStream<Out>;
      readonly taken?: number;
    },
    options: ChannelOptions = {},
  ) {
    super(options);
    this.#duplex = duplex;
    this.#reader = duplex.readable.getReader();
    this.#writer = duplex.writable.getWriter();
    this.#writer.closed.catch((error) => this.#fail(error));
    this.#read();
  }

  /** Takes a chunk that has arrived. */
  protected abstract receive(chunk: In): void;

  /** Takes the next chunk to write, of one or more encoded packets. */
  protected abstract nextChunk(): OutgoingChunk<Out> | undefined;

  /** What to write at an orderly end, if anything. */
  protected farewell(): Out | undefined {
    return undefined;
  }

  /** Called when the peer has sent its last. */
  protected ended(): void {}

  /** Starts writing, unless it goes on already. */
  protected override flush(): void {
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(() => this.#write()); // What is sent in this turn goes out together.
  }

  /** What the writable has taken bit by bit, if it says so. */
  protected override progress(): number {
    return this.#duplex.taken ?? 0;
  }

  /** Ends both streams. */
  protected override shut(reason?: unknown): void {
    if (reason !== undefined) {
      this.#writer.abort(reason).catch(() => {});
      this.#reader.cancel(reason).catch(() => {});
      this.finish(reason);
    } else if (!this.#ending) {
      this.#ending = true;
      const last = this.farewell();
      if (last !== undefined) this.#writer.write(last).catch(() => {}); // close() will tell.
      this.#writer.close().then(
        () => {
          this.#outputOpen = false;
          this.#finishIfBoth();
        },
        (error) => this.#fail(error),
      );
    }
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        if (this.isOpen) this.receive(value);
      }
    } catch (error) {
      return this.#fail(error);
    }
    this.#inputOpen = false;
    this.ended();
    this.peerEnded();
    this.#finishIfBoth();
  }

  /** A stream may fail without saying why; that is no orderly end all the same. */
  #fail(error: unknown): void {
    this.close(error ?? new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: it failed"));
  }

  #finishIfBoth(): void {
    if (!this.#inputOpen && !this.#outputOpen) this.finish();
  }

  async #write(): Promise<void> {
    try {
      for (let next; (next = this.nextChunk()) !== undefined;) {
        await this.#writer.write(next.chunk);
        this.sent(next.size);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#writing = false;
    }
  }
}
