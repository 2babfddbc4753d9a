/**
 * NATS, as far as the examples use it: its types, and a connection.
 *
 * @module
 */

import process from "node:process";
import type { NatsLike } from "../../src/bus/mod.ts";
import { load } from "./packages.ts";

/** A message. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Set where the server itself answers: 503 if nobody listens to what was asked. */
  readonly headers?: { readonly code: number };
  /** Answers it. */
  respond(data: string | Uint8Array): boolean;
}

/** A subscription: what has come, in order. */
export interface NatsSubscription extends AsyncIterable<NatsMessage> {
  unsubscribe(): void;
  /** Ends it after what has come already. */
  drain(): Promise<void>;
}

/** A connection, which comes back by itself. A segment can stand on it, too. */
export interface Nats extends NatsLike {
  subscribe(
    subject: string,
    options?: {
      queue?: string;
      max?: number;
      callback?: (error: Error | null, message: NatsMessage) => void;
    },
  ): NatsSubscription;
  status(): AsyncIterable<{ type: string; server?: string }> & { stop?(): void };
  drain(): Promise<void>;
}

/** The part of the package `@nats-io/transport-node` that is used here. */
interface Client {
  connect(options: object): Promise<Nats>;
}

/**
 * Connects to a server, such as `nats://127.0.0.1:4222`; ends the program if none is there.
 *
 * @param urls Several of one cluster are `nats://a:4222,nats://b:4222`: the first is preferred.
 */
export async function connectNats(urls: string, name: string): Promise<Nats> {
  const { connect } = await load<Client>("@nats-io/transport-node");
  try {
    return await connect({
      servers: urls.split(","),
      noRandomize: true,
      name,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      pingInterval: 10_000,
    });
  } catch (error) {
    console.error(`Cannot connect to ${urls}: ${(error as Error).message}`);
    process.exit(1);
  }
}
