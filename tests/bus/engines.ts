/**
 * Every engine that there is an adapter for, with a real server and real clients.
 *
 * @module
 */

import {
  broadcastBus,
  type Bus,
  type BusEvents,
  mqttBus,
  type MqttLike,
  type MqttWill,
  natsBus,
  type NatsLike,
  redisBus,
  type RedisPublisherLike,
  type RedisSubscriberLike,
} from "../../src/bus/mod.ts";
import {
  clients,
  type Engine,
  haveClients,
  haveEngines,
  startMosquitto,
  startNats,
  startRedis,
} from "../support/engines.ts";
import { Watchers } from "../support/watchers.ts";

/** A program's client, and buses on it. */
export interface Client {
  /** A bus on it; many may be made, one after the other. */
  bus(): Bus;
  /** How many listeners and subscriptions there are in it. */
  listeners(): number;
  /** Ends it at once. */
  end(): unknown;
}

/** An engine that runs. */
export interface Running {
  /** Its process; there is none for a `BroadcastChannel`. */
  engine: Engine | null;
  connect(): Promise<Client>;
}

/** An engine and a way to it. */
export interface Kind {
  name: string;
  /** `true` if it can be had here, or how. */
  there: true | string;
  /** Whether it knows that nobody hears. */
  tellsUnheard: boolean;
  /** What is the largest message of an engine that was started with that limit, in bytes. */
  largest: number;
  /** @param isSmall Whether it is to have a limit of its own for messages. */
  start(isSmall?: boolean): Promise<Running>;
}

const npm = await haveClients();

/** `true` if these and the clients are there. */
function have(...names: Parameters<typeof haveEngines>): true | string {
  return npm === true ? haveEngines(...names) : npm;
}

/** How long clients wait before they connect again, in ms. */
const RECONNECT_AFTER = 20;

/** The limit of an engine that has one of its own, in bytes. */
const SMALL = 20_000;

/** What counts listeners in Node's way. */
interface Emitter {
  eventNames(): string[];
  listenerCount(event: string): number;
}

function count(emitter: Emitter): number {
  return emitter.eventNames().reduce((sum, event) => sum + emitter.listenerCount(event), 0);
}

type NatsConnection = NatsLike & {
  close(): Promise<void>;
  getServer(): string;
  protocol: { listeners: unknown[]; subscriptions: { size(): number } };
};

/** Connects to NATS by one of its functions. */
export async function connectNats(
  by: "connect" | "wsconnect",
  servers: string | string[],
  options: object = {},
): Promise<NatsConnection> {
  type Nats = Record<typeof by, (options: object) => Promise<NatsConnection>>;
  const nats = (await clients()).load<Nats>("@nats-io/transport-node");
  const reconnect = { maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_AFTER };
  return await nats[by]({ servers, ...reconnect, reconnectJitter: 0, ...options });
}

function nats(by: "connect" | "wsconnect"): Kind["start"] {
  return async (isSmall) => {
    const engine = await startNats({ websocket: true, ...isSmall ? { maxPayload: SMALL } : {} });
    return {
      engine,
      async connect() {
        const url = by === "connect" ? engine.url : engine.websocketUrl!;
        const connection = await connectNats(by, url);
        const { listeners, subscriptions } = connection.protocol;
        return {
          bus: () => natsBus(connection),
          listeners: () => listeners.length + subscriptions.size(),
          end: () => connection.close(),
        };
      },
    };
  };
}

type MqttClient = MqttLike & Emitter & { endAsync(): Promise<void> };

/** Connects to an MQTT broker. */
export async function connectMqtt(
  url: string,
  options: { protocolVersion: 4 | 5; will?: MqttWill },
): Promise<MqttClient> {
  const { connectAsync } = (await clients()).load<
    { connectAsync(url: string, options: object): Promise<MqttClient> }
  >("mqtt");
  const client = await connectAsync(url, { reconnectPeriod: RECONNECT_AFTER, ...options });
  client.on("error", () => {}); // Every program has to: it cannot connect for a while.
  return client;
}

function mqtt(protocolVersion: 4 | 5, by: "mosquitto" | "nats"): Kind["start"] {
  return async (isSmall) => {
    const config = isSmall ? `max_packet_size ${SMALL}` : "";
    const engine = by === "nats"
      ? await startNats({ mqtt: true })
      : await startMosquitto({ config });
    const url = "mqttUrl" in engine ? engine.mqttUrl! : engine.url;
    return {
      engine,
      async connect() {
        const client = await connectMqtt(url, { protocolVersion });
        return {
          bus: () => mqttBus(client),
          listeners: () => count(client),
          end: () => client.endAsync(),
        };
      },
    };
  };
}

type RedisConnection = RedisPublisherLike & RedisSubscriberLike & Emitter & { disconnect(): void };

/** Connects to Redis, and waits until the connection is ready. */
export async function connectRedis(url: string, options: object = {}): Promise<RedisConnection> {
  const { Redis } = (await clients()).load<
    { Redis: new (url: string, options: object) => RedisConnection }
  >("ioredis");
  const connection = new Redis(url, { retryStrategy: () => RECONNECT_AFTER, ...options });
  connection.on("error", () => {}); // It cannot connect for a while.
  await new Promise<void>((resolve) => connection.on("ready", resolve));
  return connection;
}

async function redis(): Promise<Running> {
  const engine = await startRedis();
  return {
    engine,
    async connect() {
      const publisher = await connectRedis(engine.url);
      const subscriber = await connectRedis(engine.url);
      return {
        bus: () => redisBus(publisher, subscriber),
        listeners: () => count(publisher) + count(subscriber),
        end() {
          publisher.disconnect();
          subscriber.disconnect();
        },
      };
    },
  };
}

function broadcast(): Promise<Running> {
  const name = crypto.randomUUID();
  const connect = () => {
    const made: BroadcastChannel[] = [];
    return Promise.resolve({
      bus() {
        const port = new BroadcastChannel(name);
        made.push(port);
        return broadcastBus(port);
      },
      listeners: () => 0,
      end: () => made.forEach((port) => port.close()),
    });
  };
  return Promise.resolve({ engine: null, connect });
}

/** All of them. */
export const KINDS: Kind[] = [
  {
    name: "natsBus() over TCP",
    there: have("nats-server"),
    tellsUnheard: true,
    largest: SMALL,
    start: nats("connect"),
  },
  {
    name: "natsBus() over a WebSocket",
    there: have("nats-server"),
    tellsUnheard: true,
    largest: SMALL,
    start: nats("wsconnect"),
  },
  {
    name: "mqttBus() with MQTT 5 on mosquitto",
    there: have("mosquitto"),
    tellsUnheard: false,
    largest: SMALL - 1_024,
    start: mqtt(5, "mosquitto"),
  },
  {
    name: "mqttBus() with MQTT 3.1.1 on mosquitto",
    there: have("mosquitto"),
    tellsUnheard: false,
    largest: 131_072, // It is not told of less.
    start: () => mqtt(4, "mosquitto")(),
  },
  {
    name: "mqttBus() on NATS",
    there: have("nats-server"),
    tellsUnheard: false,
    largest: 131_072,
    start: mqtt(4, "nats"),
  },
  {
    name: "redisBus()",
    there: have("redis-server"),
    tellsUnheard: true,
    largest: 1_048_576,
    start: redis,
  },
  {
    name: "broadcastBus()",
    there: true,
    tellsUnheard: false,
    largest: 1_048_576,
    start: broadcast,
  },
];

/** What a bus has told; waits for what it has not yet. */
export class Ears implements BusEvents {
  /** The messages, as they came. */
  readonly messages: Uint8Array[] = [];
  /** Everything else: "away", "back", "unheard TOPIC", "closed". */
  readonly events: string[] = [];
  readonly #watchers: Watchers = new Watchers();

  message(message: Uint8Array): void {
    this.messages.push(message);
    this.#wake();
  }

  away(): void {
    this.#tell("away");
  }

  back(): void {
    this.#tell("back");
  }

  unheard(topic: string): void {
    this.#tell(`unheard ${topic}`);
  }

  closed(): void {
    this.#tell("closed");
  }

  /** Resolves once something is so; it is looked at whenever the bus tells something. */
  until(isSo: () => boolean): Promise<void> {
    return this.#watchers.until(isSo);
  }

  /** Resolves to the first so many messages. */
  async heard(count: number): Promise<Uint8Array[]> {
    await this.until(() => this.messages.length >= count);
    return this.messages;
  }

  #tell(event: string): void {
    this.events.push(event);
    this.#wake();
  }

  #wake(): void {
    this.#watchers.look();
  }
}

/** Runs with an engine, and ends it and its clients, whatever comes. */
export async function withEngine(
  start: () => Promise<Running>,
  run: (connect: () => Promise<Client>, engine: Engine | null) => Promise<void>,
): Promise<void> {
  const running = await start();
  const made: Client[] = [];
  try {
    await run(async () => {
      const client = await running.connect();
      made.push(client);
      return client;
    }, running.engine);
  } finally {
    for (const client of made) await client.end();
    await running.engine?.[Symbol.asyncDispose]();
  }
}
