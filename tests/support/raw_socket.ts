/**
 * Plain sockets of which the test decides what is sent and when something is read: the peer of a
 * channel under test. Over `node:net`, which every runtime has.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** One connection. Nothing is read before the test asks for it. */
export class RawSocket {
  /** For what is not wrapped here. */
  readonly socket: Socket;
  /** Resolves once it is closed, with the error if there was one. Never rejects. */
  readonly closed: Promise<NodeJS.ErrnoException | undefined>;
  #chunks: Uint8Array[] = [];
  #size: number = 0;
  #over: boolean = false;
  #error: NodeJS.ErrnoException | undefined;
  #reading: boolean = false;
  #wake: () => void = () => {};
  readonly #onRead: () => void;

  /**
   * @param socket Made with `allowHalfOpen`.
   * @param onRead Told when it is read from for the first time.
   */
  constructor(socket: Socket, onRead: () => void = () => {}) {
    this.socket = socket;
    this.#onRead = onRead;
    socket.setNoDelay(true);
    socket.on("error", (error) => this.#error = error);
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#end();
        resolve(this.#error);
      });
    });
  }

  /** Bytes that came and were not taken. */
  get available(): number {
    return this.#size;
  }

  /** The next so many bytes; fewer if the peer ends before. */
  async read(size: number): Promise<Uint8Array> {
    await this.#until(() => this.#size >= size);
    const all = joined(this.#chunks);
    this.#chunks = [all.subarray(size)];
    this.#size = Math.max(0, this.#size - size);
    return all.slice(0, size);
  }

  /** Everything up to and with these characters. */
  async readTo(end: string): Promise<string> {
    const text = () => Buffer.from(joined(this.#chunks)).toString("latin1");
    await this.#until(() => text().includes(end));
    const size = text().indexOf(end) + end.length;
    return Buffer.from(await this.read(size)).toString("latin1");
  }

  /** Everything up to the peer's end; throws what broke the connection. */
  async readAll(): Promise<Uint8Array> {
    await this.#until(() => false);
    if (this.#error) throw this.#error;
    const all = joined(this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    return all;
  }

  /** Counts what comes up to the peer's end, and keeps none of it. */
  async drain(): Promise<number> {
    let size = this.#size;
    this.#chunks = [];
    this.#size = 0;
    this.#start((chunk) => size += chunk.length);
    await this.#until(() => false);
    if (this.#error) throw this.#error;
    return size;
  }

  /** Resolves when the system has taken the bytes. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  /** Sends FIN. */
  end(): Promise<void> {
    return new Promise((resolve) => void this.socket.end(resolve));
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Closes both directions, and waits for that. */
  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  #start(take: (chunk: Uint8Array) => void): void {
    if (this.#reading) this.socket.removeAllListeners("data");
    else this.#onRead();
    this.#reading = true;
    this.socket.on("end", () => this.#end());
    this.socket.on("data", (chunk) => {
      take(chunk);
      this.#wake();
    });
  }

  #end(): void {
    this.#over = true;
    this.#wake();
  }

  async #until(enough: () => boolean): Promise<void> {
    if (!this.#reading) {
      this.#start((chunk) => {
        this.#chunks.push(chunk);
        this.#size += chunk.length;
      });
    }
    while (!this.#over && !enough()) await new Promise<void>((resolve) => this.#wake = resolve);
  }
}

function joined(chunks: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks)); // As no Buffer: they are compared.
}

/** Connects to a port of this machine. */
export function connectRaw(port: number, hostname: string = "127.0.0.1"): Promise<RawSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port, allowHalfOpen: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(new RawSocket(socket));
    });
  });
}

/** Listens on a free port of this machine. */
export class RawServer {
  readonly #server: Server;
  readonly #accepted: RawSocket[] = [];
  readonly #all: Set<Socket> = new Set();
  #wake: () => void = () => {};

  constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#all.add(socket);
      socket.on("close", () => this.#all.delete(socket));
      this.#accepted.push(new RawSocket(socket));
      this.#wake();
    });
  }

  /** One that listens. */
  static async listen(): Promise<RawServer> {
    const server = new RawServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** Where it listens. */
  get address(): { hostname: string; port: number } {
    return { hostname: "127.0.0.1", port: (this.#server.address() as AddressInfo).port };
  }

  /** The next connection. */
  async accept(): Promise<RawSocket> {
    while (this.#accepted.length === 0) {
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return this.#accepted.shift()!;
  }

  /** Ends it and all of its connections. */
  async close(): Promise<void> {
    for (const socket of this.#all) socket.destroy();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}

/** States of sockets that somebody holds, as the system's table has them. */
const STATES = {
  established: "01",
  connecting: "02",
  finSent: "04",
  finAcknowledged: "05",
  finReceived: "08",
};

/**
 * How many sockets of this machine have this port, by either end, and one of these states; `null`
 * where the system does not say.
 */
export function openSockets(
  port: number,
  ...states: (keyof typeof STATES)[]
): number | null {
  let table: string;
  try {
    table = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFileSync(path, "utf8")).join("");
  } catch {
    return null; // Not Linux.
  }
  const codes: string[] = states.length > 0
    ? states.map((it) => STATES[it])
    : Object.values(STATES);
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const isOurs = ([, here, there, state]: string[]) =>
    (here?.endsWith(hex) || there?.endsWith(hex)) && codes.includes(state!);
  return table.split("\n").filter((line) => isOurs(line.trim().split(/\s+/))).length;
}

/**
 * Fills the backlog of a listener that does not accept, until connections have to wait.
 *
 * @returns What empties it again.
 */
export async function fillBacklog(port: number): Promise<() => Promise<void>> {
  const sockets: Socket[] = [];
  while (openSockets(port, "connecting") === 0) {
    for (let i = 0; i < 20; i++) {
      const socket = connect({ host: "127.0.0.1", port });
      socket.on("error", () => {});
      sockets.push(socket);
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  return async () => {
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on("close", resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
}

/** What is between the two ends of one connection. */
export interface Tunnel {
  /** Where to connect to. */
  port: number;
  /** Passes nothing on any more to the end that has connected, or to the other one. */
  hold(to: "near" | "far"): void;
  /** Passes on everything again. */
  release(): void;
  /** Ends both connections. */
  close(): Promise<void>;
}

/**
 * A tunnel to a port of this machine, for one connection. While it holds, whoever sends has to
 * wait: for sockets that go on reading though they are paused, as those of `node:tls` under Deno.
 */
export async function openTunnel(target: number): Promise<Tunnel> {
  const pairs: [from: Socket, to: Socket, what: "near" | "far"][] = [];
  const held = new Set<string>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: target, allowHalfOpen: true, noDelay: true });
    pairs.push([near, far, "far"], [far, near, "near"]);
    for (const [from, to, what] of pairs) {
      from.on("data", (chunk) => {
        if (!to.write(chunk) || held.has(what)) from.pause();
      });
      to.on("drain", () => void (held.has(what) || from.resume()));
      from.on("end", () => to.end());
      from.on("error", () => {});
      from.on("close", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    hold(what) {
      held.add(what);
      for (const [from, , to] of pairs) if (to === what) from.pause();
    },
    release() {
      held.clear();
      for (const [from, to] of pairs) if (!to.writableNeedDrain) from.resume();
    },
    async close() {
      for (const [from] of pairs) from.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** Waits until something is so that no event tells; the test's timeout bounds it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setTimeout(resolve, 1));
}
