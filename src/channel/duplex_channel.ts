/**
 * Channels over something with two directions: one is read, one written, and both end together.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { BaseChannel } from "./base_channel.ts";
import type { ChannelOptions } from "./channel.ts";
import {
  type StreamPair,
  StreamTransport,
  type Transport,
  type TransportSink,
} from "./transport.ts";

/** What goes to the transport at once, and how many bytes it counts for. */
export interface OutgoingChunk<Out> {
  /** For the transport. */
  chunk: Out;
  /** As counted by `sizeOf`. */
  size: number;
}

/**
 * Microtasks in a row in which nothing is sent before what waits goes out. An application that sends
 * through streams, or awaits something between two packets, comes back within so many.
 */
const QUIET_HOPS = 4;

/** With so many bytes waiting, it does not wait for more. */
const ENOUGH = 1 << 16;

/** Its `then` is many times cheaper than `queueMicrotask` in browsers. */
const SOON = Promise.resolve();

/**
 * A channel over a {@linkcode Transport}, such as `{ readable, writable }`: `In` is what is read,
 * `Out` what is written and what a packet is encoded as.
 */
export abstract class DuplexChannel<In, Out> extends BaseChannel<Out> {
  readonly #transport: Transport<In, Out>;
  #writing: boolean = false;
  #quiet: number = 0;
  #unsent: number = 0;
  #ending: boolean = false;
  #aborted: boolean = false;
  #inputOpen: boolean = true;
  #outputOpen: boolean = true;

  /** Constructs a new instance, which owns the transport, or both streams. */
  constructor(
    medium: Transport<In, Out> | StreamPair<In, Out>,
    options: ChannelOptions = {},
  ) {
    super(options);
    this.#transport = "readable" in medium ? new StreamTransport(medium) : medium;
    this.#transport.start(new DuplexChannel.#Sink(this));
  }

  /** What the transport is given: one object, and no closures, for there may be many channels. */
  static readonly #Sink = class<In> implements TransportSink<In> {
    readonly #channel: DuplexChannel<In, unknown>;

    constructor(channel: DuplexChannel<In, unknown>) {
      this.#channel = channel;
    }

    receive(chunk: In): void {
      this.#channel.#take(chunk);
    }

    ended(): void {
      this.#channel.#inputEnded();
    }

    failed(error: unknown): void {
      this.#channel.#fail(error);
    }
  };

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

  /** Whether the chunk that was written last may be changed again; see {@linkcode Transport.copies}. */
  protected get copies(): boolean {
    return this.#transport.copies ?? false;
  }

  /**
   * Starts writing, unless it goes on already. What is sent in this turn goes out together, and what
   * is sent in the microtasks after it, as long as they follow closely; it never waits for a timer
   * or for the network.
   */
  protected override flush(): void {
    this.#quiet = 0;
    if (this.#writing) return;
    this.#writing = true;
    SOON.then(this.#hop);
  }

  /** What the transport has taken bit by bit, if it says so. */
  protected override progress(): number {
    return this.#transport.taken ?? 0;
  }

  /** Ends both directions. */
  protected override shut(reason?: unknown): void {
    if (reason !== undefined) {
      this.#aborted = true;
      this.#transport.abort(reason);
      this.finish(reason);
    } else if (!this.#ending) {
      this.#ending = true;
      if (!this.#writing) this.#end();
    }
  }

  #take(chunk: In): void {
    if (!this.isOpen) return;
    try {
      this.receive(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  #inputEnded(): void {
    if (!this.#inputOpen || this.#aborted) return; // Some sockets close within abort().
    this.#inputOpen = false;
    try {
      this.ended();
      this.peerEnded();
    } catch (error) {
      return this.#fail(error);
    }
    this.#finishIfBoth();
  }

  /** A transport may fail without saying why; that is no orderly end all the same. */
  readonly #fail = (error: unknown): void => {
    this.close(error ?? new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: it failed"));
  };

  #finishIfBoth(): void {
    if (!this.#inputOpen && !this.#outputOpen) this.finish();
  }

  readonly #hop = (): void => {
    if (++this.#quiet <= QUIET_HOPS && this.bufferedBytes < ENOUGH) SOON.then(this.#hop);
    else this.#write();
  };

  /** Writes until nothing waits, or the transport wants to be waited for. */
  #write(): void {
    try {
      for (let next; !this.#aborted && (next = this.nextChunk()) !== undefined;) {
        const writing = this.#transport.write(next.chunk);
        if (writing !== undefined) {
          this.#unsent = next.size;
          writing.then(this.#written, this.#fail);
          return;
        }
        this.sent(next.size);
      }
    } catch (error) {
      return this.#fail(error);
    }
    this.#writing = false;
    if (this.#ending && !this.#aborted) this.#end();
  }

  readonly #written = (): void => {
    this.sent(this.#unsent);
    this.#write();
  };

  /** Nothing is under way any more: ends what is written. */
  async #end(): Promise<void> {
    try {
      const last = this.farewell();
      if (last !== undefined) await this.#transport.write(last);
      await this.#transport.end();
    } catch (error) {
      return this.#fail(error);
    }
    this.#outputOpen = false;
    this.#finishIfBoth();
  }
}
