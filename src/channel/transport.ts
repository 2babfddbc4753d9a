/**
 * What a {@linkcode DuplexChannel} runs over: a pair of Web Streams, or a socket with nothing in
 * between, for a stream costs half as much again as the system's own work for a small packet.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";

/** Whom a transport tells what happens. None of it throws. */
export interface TransportSink<In> {
  /** Something has arrived, and is the sink's from here on. */
  receive(chunk: In): void;
  /** The peer has sent its last. */
  ended(): void;
  /** It has failed, whatever it was about. */
  failed(error: unknown): void;
}

/** Two directions that end one by one, or both at once. `In` is what is read, `Out` what is written. */
export interface Transport<In, Out> {
  /**
   * Bytes that have been taken of a chunk whose write is not done, and of all before it: so that a
   * slow line is not mistaken for one that is stuck.
   */
  readonly taken?: number;
  /**
   * Whether the chunk that was written last may be changed again, now that its write is done. If
   * not, the transport keeps it.
   *
   * @default {false}
   */
  readonly copies?: boolean;
  /** Starts reading. Called once, before all else; the sink is told nothing before it returns. */
  start(sink: TransportSink<In>): void;
  /**
   * Writes a chunk. Called with the next one when this one is done.
   *
   * @returns `undefined` if it was taken at once; else what resolves when it has been.
   * @throws If it cannot be written, at once or later.
   */
  write(chunk: Out): Promise<void> | undefined;
  /**
   * Ends what is written, in order. Called once, when no write is under way.
   *
   * @returns Resolves when all has been sent.
   */
  end(): Promise<void>;
  /** Ends both directions at once, and what is under way. More than once is fine; never throws. */
  abort(reason: unknown): void;
}

/** A transport of bytes: a socket. */
export type ByteTransport = Transport<Uint8Array, Bytes>;

/** Two streams: what each side says to the other. */
export interface StreamPair<In, Out> {
  /** What the peer sends. */
  readonly readable: ReadableStream<In>;
  /** What the peer is sent. */
  readonly writable: WritableStream<Out>;
  /** See {@linkcode Transport.taken}. */
  readonly taken?: number;
}

/** A pair of Web Streams as a transport, which owns them. */
export class StreamTransport<In, Out> implements Transport<In, Out> {
  readonly #pair: StreamPair<In, Out>;
  readonly #reader: ReadableStreamDefaultReader<In>;
  readonly #writer: WritableStreamDefaultWriter<Out>;

  /** Constructs a new instance, which locks both streams. */
  constructor(pair: StreamPair<In, Out>) {
    this.#pair = pair;
    this.#reader = pair.readable.getReader();
    this.#writer = pair.writable.getWriter();
  }

  /** What the pair says of it. */
  get taken(): number {
    return this.#pair.taken ?? 0;
  }

  /** Reads until the end, no faster than the sink takes it. */
  start(sink: TransportSink<In>): void {
    this.#writer.closed.catch((error) => sink.failed(error));
    this.#read(sink);
  }

  /** Writes a chunk. */
  write(chunk: Out): Promise<void> {
    return this.#writer.write(chunk);
  }

  /** Closes the writable. */
  end(): Promise<void> {
    return this.#writer.close();
  }

  /** Aborts the writable, and cancels the readable. */
  abort(reason: unknown): void {
    this.#writer.abort(reason).catch(() => {});
    this.#reader.cancel(reason).catch(() => {});
  }

  async #read(sink: TransportSink<In>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done) return sink.ended();
        sink.receive(value);
      }
    } catch (error) {
      sink.failed(error);
    }
  }
}
