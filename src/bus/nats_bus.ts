/**
 * {@linkcode natsBus}: a NATS server, or a cluster of them, as an engine.
 *
 * @module
 */

import type { Bus, BusEvents } from "../channel/bus.ts";
import { Reach } from "./reach.ts";

/** The part of a message of NATS that is needed. */
export interface NatsMessageLike {
  /** Where it was published. */
  readonly subject: string;
  /** What was. */
  readonly data: Uint8Array;
  /** Its headers; 503 is the code of "no responders". */
  readonly headers?: { readonly code: number };
}

/** The part of a connection of `@nats-io/transport-node`, `nats-core` and their like that is needed. */
export interface NatsLike {
  /** What the server has said about itself, while there is one. */
  readonly info?: { readonly max_payload: number };
  /** Publishes; the reply subject is told to whoever hears it. */
  publish(subject: string, payload?: Uint8Array, options?: { reply?: string }): void;
  /** Subscribes. An error, such as a missing permission, comes without a message, and is the end. */
  subscribe(
    subject: string,
    options?: { callback?: (error: Error | null, message: NatsMessageLike) => void },
  ): { unsubscribe(): void };
  /** Resolves once the server has taken all that came before. */
  flush(): Promise<void>;
  /** "disconnect", "reconnect" and others. */
  status(): AsyncIterable<{ readonly type: string }> & { stop?(): void };
  /** Resolves once the connection is closed for good, to what was wrong if something was. */
  closed(): Promise<void | Error>;
}

/** Options of {@linkcode natsBus}. */
export interface NatsBusOptions {
  /**
   * Where the server answers that nobody hears a subject: below it, the connection must be allowed
   * to subscribe; if it is not, nothing is told. The same as the connection's own `inboxPrefix`.
   *
   * @default "_INBOX"
   */
  inboxPrefix?: string;
}

/** The largest message until a server says what it takes, in bytes: what they take by default. */
const MAX_MESSAGE = 1 << 20;

/** The code of an answer that says that nobody does. */
const NO_RESPONDERS = 503;

/**
 * A segment on NATS: a server, a cluster, leaf nodes. Over TCP (`connect`) and over WebSockets, in
 * pages, too (`wsconnect`), of `@nats-io/transport-node` or `@nats-io/nats-core` version 3.
 *
 * Subscriptions are the segment's own, so the connection can serve other purposes as well. Who asks
 * the server whether anybody hears a subject does so with what it publishes there anyway. In a
 * cluster, a server may not have heard yet of those who have just subscribed at another one: what
 * is published to them meanwhile is lost, and told as unheard.
 *
 * @example
 * ```ts ignore
 * import { natsBus } from "@aln/mesh/bus";
 * import { connect } from "@nats-io/transport-node";
 *
 * const bus = natsBus(await connect({ servers: "localhost:4222", maxReconnectAttempts: -1 }));
 * ```
 *
 * @param connection Stays the program's: closing the segment does not close it.
 */
export function natsBus(connection: NatsLike, options: NatsBusOptions = {}): Bus {
  return new NatsBus(connection, options.inboxPrefix ?? "_INBOX");
}

class NatsBus implements Bus {
  readonly transport: string = "nats";
  readonly separator: string = ".";
  readonly #connection: NatsLike;
  readonly #inbox: string;
  readonly #subscriptions: { unsubscribe(): void }[] = [];
  /** Our own topics, of which nothing is to be asked: we hear them. */
  #own: ReadonlySet<string> = new Set();
  #status: ReturnType<NatsLike["status"]> | undefined;
  #reach: Reach | null = null;
  #maxMessage: number = MAX_MESSAGE;

  constructor(connection: NatsLike, inboxPrefix: string) {
    this.#connection = connection;
    const random = crypto.getRandomValues(new Uint32Array(3));
    this.#inbox = `${inboxPrefix}.${[...random].map((part) => part.toString(36)).join("")}.`;
  }

  get maxMessage(): number {
    return this.#maxMessage = this.#connection.info?.max_payload ?? this.#maxMessage;
  }

  async open(topics: readonly string[], events: BusEvents): Promise<void> {
    const connection = this.#connection;
    const reach = this.#reach = new Reach(events);
    this.#own = new Set(topics);
    let refused: Error | null = null;
    let isOpen = false;
    const callback = (error: Error | null, message: NatsMessageLike) => {
      if (error === null) return reach.events?.message(message.data);
      refused ??= error; // It comes before the answer to flush().
      if (isOpen) reach.closed(error);
    };
    try {
      for (const topic of topics) {
        this.#subscriptions.push(connection.subscribe(topic, { callback }));
      }
      this.#subscriptions.push(connection.subscribe(`${this.#inbox}>`, { callback: this.#answer }));
      await connection.flush();
      if (refused !== null) throw refused;
    } catch (error) {
      await this.close();
      throw error;
    }
    isOpen = true;
    if (reach.events === null) return; // Closed meanwhile.
    void this.#watch(this.#status = connection.status(), reach);
    void connection.closed().then((reason) => reach.closed(reason ?? undefined));
  }

  publish(topic: string, message: Uint8Array<ArrayBuffer>): void {
    try {
      if (this.#own.has(topic)) this.#connection.publish(topic, message);
      else this.#connection.publish(topic, message, { reply: this.#inbox + topic });
    } catch {
      // Closed, or too large: it is lost.
    }
  }

  flush(): Promise<void> {
    return this.#connection.flush().catch(() => {}); // The connection was lost, and all that with it.
  }

  close(): Promise<void> {
    this.#reach?.end();
    for (const subscription of this.#subscriptions.splice(0)) subscription.unsubscribe();
    this.#status?.stop?.();
    return Promise.resolve();
  }

  readonly #answer = (error: Error | null, { headers, subject }: NatsMessageLike): void => {
    if (error !== null || headers?.code !== NO_RESPONDERS) return;
    this.#reach?.events?.unheard(subject.slice(this.#inbox.length));
  };

  async #watch(status: AsyncIterable<{ readonly type: string }>, reach: Reach): Promise<void> {
    for await (const { type } of status) {
      if (reach.events === null) break;
      if (type === "disconnect") reach.away();
      // Its subscriptions were sent before anything else: they stand when that is answered.
      else if (type === "reconnect") void reach.back(() => this.#connection.flush());
    }
  }
}
