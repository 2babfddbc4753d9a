/**
 * Engines that other people have made, as processes of their own on free ports of this machine, and
 * their clients from npm: `nats-server`, `mosquitto` and `redis-server`, which have to be installed.
 *
 * Whoever starts an engine disposes of it: then its process has ended and its folder is gone.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { freeLowPort } from "./free_ports.ts";
import { run } from "./toolchain.ts";

/** An engine, by the name of its program, which is also that of Debian's package. */
export type EngineName = "nats-server" | "mosquitto" | "redis-server";

/** Where Debian puts servers, which is not on everybody's PATH. */
const SERVERS = ["/usr/sbin", "/usr/local/sbin"];

/** How long an engine may take to be ready, in ms. */
const BOUND = 20_000;

/** How often engines on ports that the machine chose are started: somebody else may be quicker. */
const ATTEMPTS = 5;

/** How often a cluster is asked whether it is whole, in ms. */
const POLL = 25;

/** Characters of what an engine has said that are kept, for when it fails. */
const KEPT = 4_000;

/** How to get an engine. */
const howToGet = (name: EngineName) => `${name} is not installed (apt-get install ${name})`;

/** The path of an engine's program, or `null`. */
export function findEngine(name: EngineName): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter).concat(SERVERS);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

/** `true` if all of these can be started, or how to get the first that cannot. */
export function haveEngines(...names: EngineName[]): true | string {
  const missing = names.find((name) => findEngine(name) === null);
  return missing === undefined ? true : howToGet(missing);
}

const running: Set<ChildProcess> = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL"); // A test has been given up.
});

/** A process that is started again as it was. */
export class Engine implements AsyncDisposable {
  readonly #name: EngineName;
  readonly #args: string[];
  readonly #ready: RegExp;
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  /** Port for clients, on 127.0.0.1. */
  readonly port: number;

  /** @param folder Its own: removed with it. */
  constructor(name: EngineName, port: number, args: string[], ready: RegExp, folder: string) {
    this.#name = name;
    this.port = port;
    this.#args = args;
    this.#ready = ready;
    this.#folder = folder;
  }

  /** Process id, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, again if it was killed, on the same ports; resolves once it takes connections. */
  async start(): Promise<void> {
    const path = findEngine(this.#name);
    if (path === null) throw new Error(`Cannot start engine: ${howToGet(this.#name)}`);
    await this.kill();
    const child = spawn(path, this.#args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    let said = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ready = Promise.withResolvers<void>();
    for (const input of [child.stdout!, child.stderr!]) {
      createInterface({ input }).on("line", (line) => {
        said = `${said}${line}\n`.slice(-KEPT);
        if (this.#ready.test(line)) ready.resolve();
      });
    }
    this.#ended = new Promise((resolve) => {
      const end = (why: string) => {
        running.delete(child);
        ready.reject(new Error(`Cannot start ${this.#name}: ${why}\n${said}`));
        resolve();
      };
      child.on("error", ({ message }) => end(message));
      child.on("close", (code) => end(`it has ended with ${code}`));
    });
    ready.promise.catch(() => {}); // It ends one day, long after it was ready.
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`Cannot start ${this.#name}: ${said}`)), BOUND);
        ready.promise.then(resolve, reject);
      });
    } catch (error) {
      await this.kill();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Kills it, as when the power fails; resolves once it has ended. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#ended;
    this.#child = null;
  }

  /** Has it do nothing more, and say nothing about it, until {@linkcode resume}. */
  pause(): void {
    if (this.pid !== undefined) process.kill(this.pid, "SIGSTOP");
  }

  /** Has it go on. */
  resume(): void {
    if (this.pid !== undefined) process.kill(this.pid, "SIGCONT");
  }

  /** Kills it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Runs what needs free ports, again if they were not free after all. */
async function withPorts<T>(attempts: number, start: () => Promise<T>): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt >= attempts) throw error;
    }
  }
}

/** Writes a configuration into a new folder. */
async function configure(lines: (folder: string) => string[]): Promise<[path: string, string]> {
  const folder = await mkdtemp(join(tmpdir(), "aln-engine-"));
  const path = join(folder, "engine.conf");
  await writeFile(path, lines(folder).join("\n"));
  return [path, folder];
}

/** Starts an engine, or leaves nothing behind. */
async function started<T extends Engine>(engine: T): Promise<T> {
  try {
    await engine.start();
    return engine;
  } catch (error) {
    await engine[Symbol.asyncDispose]();
    throw error;
  }
}

/** Options of {@linkcode startNats}. */
export interface NatsOptions {
  /** Port for clients; by default a free one. */
  port?: number;
  /** Whether it listens for WebSockets, too. */
  websocket?: boolean;
  /** Whether it stores messages. */
  jetstream?: boolean;
  /** Whether it listens for MQTT, too; then it has JetStream. */
  mqtt?: boolean;
  /** Largest message, in bytes. @default 1048576 */
  maxPayload?: number;
  /** More of its configuration. */
  config?: string;
}

/** A `nats-server`. */
export class NatsEngine extends Engine {
  /** For `connect()`, as one of its `servers`. */
  readonly url: string;
  /** For `wsconnect()`, if it was asked for. */
  readonly websocketUrl: string | undefined;
  /** For MQTT clients, if it was asked for. */
  readonly mqttUrl: string | undefined;
  /** Where it answers questions about itself: `/varz`, `/connz`, `/routez`, `/subsz`. */
  readonly monitorUrl: string;

  /** @param ports What it listens on. */
  constructor(config: string, folder: string, ports: NatsPorts) {
    super("nats-server", ports.client, ["-c", config], /Server is ready/, folder);
    const on = (scheme: string, port: number | undefined) =>
      port === undefined ? undefined : `${scheme}://127.0.0.1:${port}`;
    this.url = on("nats", ports.client)!;
    this.websocketUrl = on("ws", ports.websocket);
    this.mqttUrl = on("mqtt", ports.mqtt);
    this.monitorUrl = on("http", ports.monitor)!;
  }

  /** What it says about itself, such as at `/varz`. */
  async ask<T>(path: string): Promise<T> {
    return await (await fetch(this.monitorUrl + path)).json() as T;
  }
}

interface NatsPorts {
  client: number;
  monitor: number;
  websocket: number | undefined;
  mqtt: number | undefined;
  /** For the other servers of its cluster. */
  route: number | undefined;
}

async function natsPorts({ port, websocket, mqtt }: NatsOptions): Promise<NatsPorts> {
  return {
    client: port ?? await freeLowPort(),
    monitor: await freeLowPort(),
    websocket: websocket ? await freeLowPort() : undefined,
    mqtt: mqtt ? await freeLowPort() : undefined,
    route: undefined,
  };
}

async function makeNats(
  name: string,
  { jetstream, mqtt, maxPayload = 1 << 20, config = "" }: NatsOptions,
  ports: NatsPorts,
  routes: number[] = [],
): Promise<NatsEngine> {
  const listen = (port: number) => `listen: "127.0.0.1:${port}"`;
  const lines = (folder: string) => [
    listen(ports.client),
    `http: "127.0.0.1:${ports.monitor}"`,
    `server_name: ${name}`,
    `max_payload: ${maxPayload}`,
    config,
    ...ports.websocket === undefined
      ? []
      : [`websocket { ${listen(ports.websocket)}, no_tls: true, compression: false }`],
    ...ports.mqtt === undefined ? [] : [`mqtt { ${listen(ports.mqtt)} }`],
    ...jetstream || mqtt ? [`jetstream { store_dir: ${JSON.stringify(folder)} }`] : [],
    ...ports.route === undefined ? [] : [
      `cluster { name: aln, ${listen(ports.route)}, routes: [${
        routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ")
      }] }`,
    ],
  ];
  return new NatsEngine(...await configure(lines), ports);
}

/** Starts a `nats-server`. */
export function startNats(options: NatsOptions = {}): Promise<NatsEngine> {
  return withPorts(options.port ? 1 : ATTEMPTS, async () => {
    return started(await makeNats("aln", options, await natsPorts(options)));
  });
}

/** Servers that hand on what their clients publish. Each can be killed and started again. */
export class NatsCluster implements AsyncDisposable {
  /** The servers. */
  readonly nodes: readonly NatsEngine[];

  /** @param nodes Not started yet. */
  constructor(nodes: readonly NatsEngine[]) {
    this.nodes = nodes;
  }

  /** For `connect()`. */
  get servers(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Resolves once every server that runs has a route to every other that does. */
  async whole(): Promise<void> {
    const live = this.nodes.filter(({ pid }) => pid !== undefined);
    const until = performance.now() + BOUND;
    for (const node of live) {
      while ((await node.ask<{ num_routes: number }>("/routez")).num_routes < live.length - 1) {
        if (performance.now() > until) throw new Error("Cannot make a cluster: it takes too long");
        await new Promise((resolve) => setTimeout(resolve, POLL));
      }
    }
  }

  /** Ends them all. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

/** Starts so many `nats-server`s as one cluster, and waits until all know all. */
export function startNatsCluster(
  size: number,
  options: Omit<NatsOptions, "port"> = {},
): Promise<NatsCluster> {
  return withPorts(ATTEMPTS, async () => {
    const ports: NatsPorts[] = [];
    for (let i = 0; i < size; i++) {
      ports.push({ ...await natsPorts(options), route: await freeLowPort() });
    }
    const routes = ports.map(({ route }) => route!);
    const nodes = await Promise.all(
      ports.map((its, i) => makeNats(`aln-${i + 1}`, options, its, routes)),
    );
    const cluster = new NatsCluster(nodes);
    try {
      await Promise.all(nodes.map((node) => node.start()));
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  });
}

/** Options of {@linkcode startMosquitto} and {@linkcode startRedis}. */
export interface EngineOptions {
  /** Port for clients; by default a free one. */
  port?: number;
  /** More of its configuration. */
  config?: string;
}

/** A `mosquitto`. */
export class MosquittoEngine extends Engine {
  /** For MQTT clients. */
  readonly url: string = `mqtt://127.0.0.1:${this.port}`;
}

/** Starts a `mosquitto`, which lets everybody in and drops nothing of what it may queue. */
export function startMosquitto(
  { port: chosen, config: more = "" }: EngineOptions = {},
): Promise<MosquittoEngine> {
  return withPorts(chosen ? 1 : ATTEMPTS, async () => {
    const port = chosen ?? await freeLowPort();
    const [config, folder] = await configure(() => [
      ...[`listener ${port} 127.0.0.1`, "allow_anonymous true"],
      ...["max_queued_messages 0", "max_queued_bytes 0", "max_inflight_messages 0", more, ""],
    ]);
    return started(new MosquittoEngine("mosquitto", port, ["-c", config], / running$/, folder));
  });
}

/** A `redis-server`. */
export class RedisEngine extends Engine {
  /** For Redis clients. */
  readonly url: string = `redis://127.0.0.1:${this.port}`;
}

/** Starts a `redis-server`, which keeps nothing. */
export function startRedis(
  { port: chosen, config: more = "" }: EngineOptions = {},
): Promise<RedisEngine> {
  return withPorts(chosen ? 1 : ATTEMPTS, async () => {
    const port = chosen ?? await freeLowPort();
    const [config, folder] = await configure((folder) => [
      ...["bind 127.0.0.1", `port ${port}`, `dir ${JSON.stringify(folder)}`],
      ...['save ""', "appendonly no", more, ""],
    ]);
    const ready = /Ready to accept connections/;
    return started(new RedisEngine("redis-server", port, [config], ready, folder));
  });
}

/** Pinned, so that what is tested is known. */
const CLIENTS = [
  ...["@nats-io/transport-node@3.4.0", "@nats-io/jetstream@3.4.0"],
  ...["mqtt@5.16.0", "ioredis@6.0.0"],
];

/** The clients, installed. */
export interface Clients {
  /** The folder whose `node_modules` they are in. */
  folder: string;
  /** Each with its version. */
  versions: string[];
  /**
   * Loads one by its name, in whichever runtime this is.
   *
   * @typeParam T What it exports: its own types are not there, unless somebody has fetched them.
   */
  load<T>(name: string): T;
}

let fetched: Promise<Clients | null> | undefined;

/**
 * The clients of the engines, or `null` if npm cannot fetch them. They are fetched once for a user
 * and stay in a folder of the system's temporary ones, whoever else wants them at the same time.
 */
export function findClients(): Promise<Clients | null> {
  return fetched ??= fetchClients();
}

/** The clients, of which {@linkcode haveClients} knows that they are there. */
export async function clients(): Promise<Clients> {
  const found = await findClients();
  if (found === null) throw new Error(`Cannot load clients: ${NO_CLIENTS}`);
  return found;
}

const NO_CLIENTS = "npm's registry, which has the clients of the engines, cannot be reached";

/** `true` if the clients are there, or why not. */
export async function haveClients(): Promise<true | string> {
  return await findClients() !== null || NO_CLIENTS;
}

async function fetchClients(): Promise<Clients | null> {
  const name = CLIENTS.map((client) => client.replace(/^.*[/]/, "")).join("-");
  const folder = join(tmpdir(), `aln-clients-${userInfo().uid}-${name}`);
  if (!existsSync(folder)) {
    const mine = await mkdtemp(join(tmpdir(), "aln-fetch-"));
    try {
      await writeFile(join(mine, "package.json"), '{ "private": true }\n');
      const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...CLIENTS];
      if ((await run("npm", args, { cwd: mine })).code !== 0) return null;
      await rename(mine, folder).catch((error) => {
        if (!existsSync(folder)) throw error; // Else somebody was quicker.
      });
    } finally {
      await rm(mine, { recursive: true, force: true });
    }
  }
  const require = createRequire(join(folder, "package.json"));
  return { folder, versions: CLIENTS, load: (name) => require(name) };
}
