/**
 * JetStream, as far as the inbox uses it: types of the package `@nats-io/jetstream`.
 *
 * @module
 */

import type { Nats } from "../nats.ts";

/** What the server hands out. */
export interface StoredMessage {
  /** Its number in the stream. */
  readonly seq: number;
  readonly data: Uint8Array;
  /** Says that it is done; resolves when the server knows. */
  ackAck(): Promise<boolean>;
  /** Wants it again, after so many ms. */
  nak(delay: number): void;
}

/** What became of a message. */
export interface Stored {
  /** Its number in the stream. */
  readonly seq: number;
  /** Whether it was there already. */
  readonly duplicate: boolean;
}

/** Puts messages into streams, and takes them out. */
export interface JetStream {
  /** Resolves when it is stored: on disk, if the stream is. */
  publish(
    subject: string,
    data: Uint8Array,
    options: { msgID: string; timeout: number },
  ): Promise<Stored>;
  consumers: { get(stream: string, name: string): Promise<Consumer> };
}

/** A place in a stream, which the server keeps. */
export interface Consumer {
  next(options: { expires: number }): Promise<StoredMessage | null>;
}

/** Makes streams and consumers; what is there already, and alike, is fine. */
export interface JetStreamManager {
  streams: { add(config: object): Promise<unknown> };
  consumers: { add(stream: string, config: object): Promise<unknown> };
  jetstream(): JetStream;
}

/** The part of the package that is used here. */
export interface JetStreamPackage {
  /** @throws If the server has no JetStream. */
  jetstreamManager(nats: Nats): Promise<JetStreamManager>;
}
