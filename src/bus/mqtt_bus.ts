/**
 * {@linkcode mqttBus}: an MQTT broker as an engine.
 *
 * @module
 */

import type { Bus, BusEvents } from "../channel/bus.ts";
import { type BusChannelOptions, type LastWill, lastWill } from "../channel/bus_channel.ts";
import { Reach } from "./reach.ts";

/** How a topic is subscribed to. */
export interface MqttSubscriptionLike {
  /** At most once. */
  qos: 0;
  /** Not what was published on this connection itself (MQTT 5). */
  nl?: boolean;
}

/** The part of a client of `mqtt` (MQTT.js) that is needed. */
export interface MqttLike {
  /** Whether there is a connection now. */
  readonly connected: boolean;
  /** What it was made with. */
  readonly options: { readonly protocolVersion?: number };
  /** What the broker has said about itself, while there is one (MQTT 5). */
  readonly serverProperties?: { readonly maximumPacketSize?: number };
  /** Listens. */
  on(event: "message", listener: (topic: string, payload: Uint8Array) => void): unknown;
  /** Listens. */
  on(event: "connect" | "close" | "end", listener: () => void): unknown;
  /** Listens. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Listens no more. */
  removeListener(event: unknown, listener: unknown): unknown;
  /** Publishes bytes: any, though MQTT.js has only the type of Node's Buffer for them. */
  publish(topic: string, payload: unknown, options: { qos: 0 }): unknown;
  /** Subscribes to topics, each with how; MQTT.js has a flag among them. */
  subscribeAsync(topics: unknown): Promise<unknown>;
  /** Unsubscribes. */
  unsubscribeAsync(topics: string[]): Promise<unknown>;
  /** The number of the last packet that is to be answered. */
  getLastMessageId(): number;
  /** Waits no more for the answer to a packet. */
  removeOutgoingMessage(id: number): unknown;
}

const SEPARATOR = "/";

/** The largest message if the broker does not say more, in bytes: what the large services take. */
const MAX_MESSAGE = 1 << 17;

/** What a packet of MQTT has around its message: lengths, and a topic of reasonable length. */
const OVERHEAD = 1_024;

/** Nobody subscribes to it. */
const NO_TOPIC = "aln";

const AT_MOST_ONCE = { qos: 0 } as const;

/**
 * A segment on an MQTT broker, with a client of `mqtt` (MQTT.js) version 5, over whatever it
 * connects with. Messages are published with QoS 0, and not retained.
 *
 * The client can serve other purposes as well, but not subscribe to the segment's topics itself:
 * a client has one subscription for a topic. With MQTT 5 (`protocolVersion: 5`) the broker does not
 * send back what was published here.
 *
 * Mosquitto holds small messages back for up to 40 ms while others are under way, unless its
 * configuration has `set_tcp_nodelay true`: with it, many calls at a time are several times as fast.
 *
 * @example
 * ```ts ignore
 * import { mqttBus } from "@aln/mesh/bus";
 * import mqtt from "mqtt";
 *
 * const bus = mqttBus(mqtt.connect("mqtt://localhost", { protocolVersion: 5 }));
 * ```
 *
 * @param client Stays the program's: closing the segment does not end it.
 */
export function mqttBus(client: MqttLike): Bus {
  return new MqttBus(client);
}

/** A {@linkcode LastWill} as the option `will` of `mqtt.connect`. */
export interface MqttWill extends LastWill {
  /** What: bytes. */
  // deno-lint-ignore no-explicit-any -- MQTT.js has the type of Node's Buffer, and takes any bytes.
  readonly payload: any;
  /** At most once, like all on the segment. */
  readonly qos: 0;
  /** For those who are there. */
  readonly retain: false;
}

/**
 * A last will by which all on a segment know at once that a router has vanished: the broker says its
 * goodbye. It is for one start of one router.
 *
 * @example
 * ```ts ignore
 * import { Router } from "@aln/mesh";
 * import { BusChannel, mqttBus, mqttWill } from "@aln/mesh/bus";
 * import mqtt from "mqtt";
 *
 * const router = new Router("lamp");
 * const will = mqttWill(router.address, { network: "home" });
 * const client = mqtt.connect("mqtt://localhost", { protocolVersion: 5, will });
 * router.addChannel(new BusChannel(mqttBus(client), { network: "home", will }));
 * ```
 *
 * @param address The router's.
 * @param options As those of its channel: `network` and `singleTopic`.
 */
export function mqttWill(address: string, options: BusChannelOptions = {}): MqttWill {
  return { ...lastWill(SEPARATOR, address, options), qos: 0, retain: false };
}

class MqttBus implements Bus {
  readonly transport: string = "mqtt";
  readonly separator: string = SEPARATOR;
  readonly #client: MqttLike;
  #topics: ReadonlySet<string> = new Set();
  #reach: Reach | null = null;
  #error: Error | undefined;
  #maxMessage: number = MAX_MESSAGE;

  constructor(client: MqttLike) {
    this.#client = client;
  }

  get maxMessage(): number {
    const { maximumPacketSize } = this.#client.serverProperties ?? {};
    if (maximumPacketSize !== undefined) this.#maxMessage = maximumPacketSize - OVERHEAD;
    return this.#maxMessage;
  }

  async open(topics: readonly string[], events: BusEvents): Promise<void> {
    this.#topics = new Set(topics);
    this.#reach = new Reach(events);
    this.#client.on("message", this.#onMessage);
    this.#client.on("connect", this.#onConnect);
    this.#client.on("close", this.#onClose);
    this.#client.on("error", this.#onError);
    this.#client.on("end", this.#onEnd);
    try {
      await this.#subscribe();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  publish(topic: string, message: Uint8Array<ArrayBuffer>): void {
    try {
      this.#client.publish(topic, message, AT_MOST_ONCE);
    } catch {
      // No topic of MQTT: it is lost.
    }
  }

  /** With QoS 0 nothing is answered, but whatever is comes in order: here that there is no such subscription. */
  async flush(): Promise<void> {
    if (!this.#client.connected) return; // What it did not take is lost.
    await this.#client.unsubscribeAsync([NO_TOPIC]).catch(() => {});
  }

  async close(): Promise<void> {
    const isOpen = this.#reach?.events;
    this.#reach?.end();
    this.#client.removeListener("message", this.#onMessage);
    this.#client.removeListener("connect", this.#onConnect);
    this.#client.removeListener("close", this.#onClose);
    this.#client.removeListener("error", this.#onError);
    this.#client.removeListener("end", this.#onEnd);
    if (!isOpen) return;
    const before = this.#client.getLastMessageId();
    const answered = this.#client.unsubscribeAsync([...this.#topics]).catch(() => {});
    if (this.#client.connected) return void await answered;
    // It is sent when there is a connection again. Until then end() would wait for the answer.
    const last = this.#client.getLastMessageId();
    if (last !== before) this.#client.removeOutgoingMessage(last);
  }

  /** Subscribes, again if the client thinks that it has done so. */
  #subscribe(): Promise<unknown> {
    const { protocolVersion } = this.#client.options;
    const subscription: MqttSubscriptionLike = protocolVersion === 5
      ? { ...AT_MOST_ONCE, nl: true }
      : AT_MOST_ONCE;
    const topics = [...this.#topics].map((topic) => [topic, subscription]);
    return this.#client.subscribeAsync({ ...Object.fromEntries(topics), resubscribe: true });
  }

  readonly #onMessage = (topic: string, payload: Uint8Array): void => {
    if (this.#topics.has(topic)) this.#reach?.events?.message(payload);
  };
  readonly #onConnect = (): void => void this.#reach?.back(() => this.#subscribe());
  readonly #onClose = (): void => this.#reach?.away();
  readonly #onError = (error: Error): void => void (this.#error = error);
  readonly #onEnd = (): void => this.#reach?.closed(this.#error);
}
