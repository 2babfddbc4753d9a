/**
 * {@linkcode openTool}: what knows MQTT, and nothing of a mesh.
 *
 * @module
 */

import { clients } from "./engines.ts";

/** How long a message may take, in ms. */
const BOUND = 15_000;

/** The part of a client of `mqtt` that is needed. */
interface Client {
  on(event: "message", listener: (topic: string, payload: Uint8Array) => void): unknown;
  subscribe(topic: string): unknown;
  publishAsync(topic: string, payload: string, options: object): Promise<unknown>;
  endAsync(force?: boolean): Promise<void>;
}

/** A program such as `mosquitto_sub`. */
export class MqttTool implements AsyncDisposable {
  readonly #client: Client;
  readonly #heard: Map<string, string> = new Map();
  readonly #waiters: Set<() => void> = new Set();

  /** See {@linkcode openTool}. */
  constructor(client: Client) {
    this.#client = client;
    client.on("message", (topic, payload) => {
      this.#heard.set(topic, new TextDecoder().decode(payload));
      for (const wake of [...this.#waiters]) wake();
    });
  }

  /** Subscribes. */
  listen(topic: string): void {
    this.#client.subscribe(topic);
  }

  /** Publishes; QoS 1, so that the broker has it in the end. */
  publish(topic: string, text: string, options: { retain?: boolean } = {}): Promise<unknown> {
    return this.#client.publishAsync(topic, text, { qos: 1, ...options });
  }

  /** The last that was heard on a topic, if need be once that is so. */
  heard(topic: string, wanted?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const value = this.#heard.get(topic);
        if (value === undefined || (wanted !== undefined && value !== wanted)) return;
        clearTimeout(timer);
        this.#waiters.delete(look);
        resolve(value);
      };
      const timer = setTimeout(() => reject(new Error(`nothing was heard on ${topic}`)), BOUND);
      this.#waiters.add(look);
      look();
    });
  }

  /** Leaves the broker. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** Connects to a broker. */
export async function openTool(url: string): Promise<MqttTool> {
  const { load } = await clients();
  const { connectAsync } = load<{ connectAsync(url: string): Promise<Client> }>("mqtt");
  return new MqttTool(await connectAsync(url));
}
