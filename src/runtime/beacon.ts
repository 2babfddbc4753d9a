/**
 * Beacons on the local network: a host says again and again by UDP broadcast where it can be
 * connected to, and whoever listens finds it. Every existing peer that does this uses port 8082.
 *
 * @module
 */

import type { BindOptions, Socket } from "node:dgram";
import { BeaconTable } from "./beacon_table.ts";
import { beaconText, readBeacon } from "./beacon_text.ts";
import { builtin } from "./builtin.ts";

/** Where beacons are sent and heard. */
const BEACON_PORT = 8_082;

/** From one beacon to the next, in ms. */
const INTERVAL = 2_500;

/** After how long without a beacon its host counts as gone, in ms: three of any peer's are lost. */
const SILENCE = 10_000;

/** The longest that a timer can wait, in ms; what is longer it does at once. */
const MAX_DELAY = 0x7fff_ffff;

/** An interface of this machine, as beacons need it. */
export interface BeaconInterface {
  /** Our IPv4 address there, which stands in for `0.0.0.0` and `[::]` in URLs. */
  address: string;
  /** Where beacons are sent to: its broadcast address. */
  broadcast: string;
}

/** Options of {@linkcode announce}. */
export interface AnnounceOptions {
  /**
   * How long it is from one beacon to the next, in ms.
   *
   * @default {2500}
   */
  interval?: number;
  /**
   * The UDP port that others listen on.
   *
   * @default {8082}
   */
  port?: number;
  /**
   * What gives the interfaces to send on, asked before each beacon. By default they are all of this
   * machine's that have an IPv4 address, for which Deno wants `--allow-sys=networkInterfaces`.
   */
  interfaces?: () => BeaconInterface[];
  /** Ends the beacons when it aborts. */
  signal?: AbortSignal;
}

/** Options of {@linkcode discover}. */
export interface DiscoverOptions {
  /**
   * The UDP port to listen on; others on this machine may do the same.
   *
   * @default {8082}
   */
  port?: number;
  /**
   * The address to listen on, by default every one. Broadcasts do not come to just any.
   *
   * @default {"0.0.0.0"}
   */
  hostname?: string;
  /**
   * After how long without a beacon a URL counts as gone, in ms: it is given again when it is back.
   *
   * @default {10000}
   */
  silence?: number;
  /** Ends the search when it aborts. */
  signal?: AbortSignal;
}

/** Tells where we are, until it is closed. */
export interface Beacon extends AsyncDisposable {
  /** Sends no more. More than once is fine. */
  close(): Promise<void>;
}

/**
 * What this process announces now, so that it does not discover itself. It is the one thing here
 * that all calls share; each leaves nothing in it once it is closed.
 */
const announced: Set<{ texts: string[] }> = new Set();

/**
 * Tells everybody on the local networks, at once and then again and again, that there is something
 * to connect to.
 *
 * It is told on every interface that there is at the time, so that a Wi-Fi that comes later is
 * served, too; and to programs on this machine. If the URL's host is `0.0.0.0` or `[::]`, each
 * interface's own address stands in for it. What is announced as `localhost` stays on this machine.
 *
 * @example
 * ```ts
 * import { announce } from "@aln/mesh/net";
 *
 * // As in `listen("tcp+aln://0.0.0.0:8081", router)`.
 * const beacon = await announce("tcp+aln://0.0.0.0:8081", {
 *   interfaces: () => [{ address: "127.0.0.1", broadcast: "127.255.255.255" }], // By default all.
 * });
 * await beacon.close();
 * ```
 *
 * @param url A `tcp+aln:`, `tls+aln:`, `tcp+maln:` or `tls+maln:` URL, the latter two with a
 *   network. Its port is to be at most 32767, and the whole at most 254 bytes: more is not read by
 *   every peer. It need not be ours.
 * @returns What ends it.
 * @throws {TypeError} If the URL is none of those, its host is an IPv6 address, or in a browser.
 * @throws {RangeError} If its port or the interval is too large, or it is too long.
 * @throws What `node:dgram` or `node:os` reports; the signal's reason, if it has aborted.
 */
export async function announce(url: string | URL, options: AnnounceOptions = {}): Promise<Beacon> {
  const { interval = INTERVAL, port = BEACON_PORT, interfaces = ownInterfaces, signal } = options;
  const textFor = beaconText(url);
  checkDelay("announce", "interval", interval);
  signal?.throwIfAborted();
  const socket = builtin("node:dgram").createSocket("udp4");
  try {
    await bound(socket, { port: 0 });
    signal?.throwIfAborted();
    socket.setBroadcast(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  const own = { texts: [] as string[] };
  announced.add(own);
  let closing: Promise<void> | null = null;

  // One after another: Bun tells on one what became of the one before, which is then to be sent
  // again. What fails twice has an interface that is down, say; there will be another beacon.
  const send = (beacons: [text: string, to: string][], isAgain: boolean) => {
    if (closing !== null || beacons.length === 0) return;
    const [[text, to], ...rest] = beacons as [typeof beacons[number], ...typeof beacons];
    socket.send(text, port, to, (error) => {
      if (error && !isAgain) send(beacons, true);
      else send(rest, false);
    });
  };
  const sendAll = () => {
    const beacons = interfaces().flatMap(({ address, broadcast }): [string, string][] => {
      const text = textFor(address, broadcast);
      return text === null ? [] : [[text, broadcast]];
    });
    own.texts = beacons.map(([text]) => text);
    send(beacons, false);
  };
  const timer = setInterval(() => {
    try {
      sendAll();
    } catch {
      // They cannot be read now, it seems; they could be at the first time.
    }
  }, interval);
  const close = () =>
    closing ??= new Promise((resolve) => {
      clearInterval(timer);
      announced.delete(own);
      signal?.removeEventListener("abort", close);
      socket.close(() => resolve());
    });
  signal?.addEventListener("abort", close, { once: true });
  try {
    sendAll();
  } catch (error) {
    await close();
    throw error;
  }
  return { close, [Symbol.asyncDispose]: close };
}

/**
 * Listens to beacons, those of the existing peers included, and gives each URL once; again, if it
 * was silent for ten seconds in between. What this process announces is left out. It ends when the
 * signal aborts, without an error.
 *
 * Nothing is proved by a beacon: whoever is on the network may send any. URLs that lead to this
 * machine are taken from this machine alone, and no more than 1,024 are followed at a time.
 *
 * @example The first that is found in time
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { dial, discover } from "@aln/mesh/net";
 *
 * const router = new Router("client");
 * for await (const url of discover({ signal: AbortSignal.timeout(100) })) {
 *   dial(router, url);
 *   break;
 * }
 * await router.close();
 * ```
 *
 * @returns URLs that {@linkcode connect} and {@linkcode dial} take.
 * @throws {TypeError} In a browser.
 * @throws {RangeError} If `silence` is not in 1-2147483647.
 * @throws What `node:dgram` reports, such as an error with the code `EADDRINUSE`, if another program
 *   does not share the port; when the first URL is asked for.
 */
export function discover(options: DiscoverOptions = {}): AsyncGenerator<string, void, void> {
  const { port = BEACON_PORT, hostname = "0.0.0.0", silence = SILENCE, signal } = options;
  checkDelay("discover", "silence", silence);
  const { createSocket } = builtin("node:dgram");
  const open = () => createSocket({ type: "udp4", reuseAddr: true });
  return hear(open, { port, address: hostname }, new BeaconTable(silence), signal);
}

async function* hear(
  open: () => Socket,
  address: BindOptions,
  table: BeaconTable,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void, void> {
  const socket = open();
  let failure: Error | null = null;
  let wake = () => {};
  const onAbort = () => wake();
  socket.on("message", (datagram, { address }) => {
    const url = readBeacon(datagram, address);
    if (url === null || isOwn(url)) return;
    table.hear(url, performance.now());
    wake();
  });
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await bound(socket, address);
    socket.on("error", (error) => {
      failure = error;
      wake();
    });
    while (!signal?.aborted) {
      const url = table.take();
      if (url !== undefined) yield url;
      else if (failure !== null) throw failure;
      else await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await new Promise<void>((resolve) => void socket.close(resolve));
  }
}

function isOwn(url: string): boolean {
  for (const { texts } of announced) if (texts.includes(url)) return true;
  return false;
}

/** The part of Deno that is used here. */
interface DenoPermissions {
  permissions: { requestSync(descriptor: object): { state: string } };
  errors: { NotCapable: new (message: string) => Error };
}

/** Binds a socket, and waits until it is. */
function bound(socket: Socket, address: BindOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const { Deno } = globalThis as { Deno?: DenoPermissions };
    const host = `${address.address ?? "0.0.0.0"}:${address.port}`;
    // Where it is missing, bind() throws by itself, and nobody can catch that.
    if (Deno && Deno.permissions.requestSync({ name: "net", host }).state !== "granted") {
      const message = `Cannot open socket: it needs the permission --allow-net=${host}`;
      throw new Deno.errors.NotCapable(message);
    }
    socket.once("error", reject);
    socket.bind(address, () => {
      socket.off("error", reject);
      socket.on("error", () => {}); // Of a datagram that went nowhere: the next one may not.
      resolve();
    });
  });
}

/**
 * The interfaces of this machine that have an IPv4 address. For programs on this machine, we have
 * the address that others know us by, if there is one: so they hear of one URL, and not of two.
 */
export function ownInterfaces(): BeaconInterface[] {
  const all = Object.values(builtin("node:os").networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .filter(({ family }) => family === "IPv4");
  const outward = all.filter(({ internal }) => !internal);
  const inward = all.filter(({ internal }) => internal);
  return [
    ...outward.map(({ address, netmask }) => ({
      address,
      broadcast: broadcastAddress(address, netmask),
    })),
    // Not every system knows broadcasts among its own programs; then one of them hears us.
    ...inward.flatMap(({ address, netmask }) =>
      [broadcastAddress(address, netmask), address].map((broadcast) => ({
        address: outward[0]?.address ?? address,
        broadcast,
      }))
    ),
  ];
}

/** The address that all hosts of a network hear. */
function broadcastAddress(address: string, netmask: string): string {
  const mask = netmask.split(".").map(Number);
  return address.split(".").map((octet, i) => Number(octet) | (~mask[i]! & 0xff)).join(".");
}

function checkDelay(action: string, name: string, value: number): void {
  if (value >= 1 && value <= MAX_DELAY) return;
  throw new RangeError(`Cannot ${action}: ${name} is "${value}", and must be in 1-${MAX_DELAY}`);
}
