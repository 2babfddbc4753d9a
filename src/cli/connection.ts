/**
 * {@linkcode join}: how a verb becomes part of a mesh.
 *
 * @module
 */

import { type PacketObserver, WatchedRouter } from "../inspect/watched_router.ts";
import { inspectable } from "../inspect/mod.ts";
import { type ConnectOptions, dial, type Dialer, discover } from "../runtime/net.ts";
import type { ChannelEvent } from "../router/events.ts";
import { Router, type RouterOptions } from "../router/router.ts";
import { hintFor, isTimeout, reasonOf, UnconnectedError, UsageError } from "./exit.ts";
import { environment, platform } from "./platform.ts";
import { formatTime } from "./units.ts";
import type { Arguments, Context } from "./verb.ts";

/** How long a verb may take unless it is told otherwise, in ms. */
export const TIMEOUT = 5_000;

/** Where the server example, and `aln serve`, take WebSockets. */
export const LOCAL_URL = "ws://127.0.0.1:8080";

/** How long a beacon is waited for, in ms: they come every two and a half seconds. */
const BEACON_TIMEOUT = 3_000;

/** A table that nobody has added to for so long is complete, in ms. */
const QUIET = 200;

/** A part in a mesh, until the verb ends. */
export interface Membership {
  /** Our router. */
  router: Router;
  /** Aborts when the user interrupts the verb. */
  signal: AbortSignal;
  /**
   * What is left of the time that the verb may take, in ms.
   *
   * @throws {DOMException} A `TimeoutError`, if there is none.
   */
  timeLeft(): number;
}

/** How to join. */
export interface JoinOptions {
  /** The connection is to come back when it is lost; else it ends what is done over it. */
  lasting?: boolean;
  /** Carry packets for others; else we are a leaf. */
  carries?: boolean;
  /** Shown every packet. */
  observe?: PacketObserver;
}

/** Our address: as the user wants it, or made up. */
export function addressOf(options: Arguments, verb: string = "cli"): string {
  const given = options.text("address");
  if (given !== undefined) return given;
  const random = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(16).padStart(8, "0");
  return `${verb}-${random}`;
}

/**
 * A router as the options want it; it is closed when the verb ends.
 *
 * @throws {UsageError} If the address or the key is of no use.
 */
export function makeRouter(
  { options, atEnd }: Context,
  verb: string,
  { carries = false, observe }: JoinOptions = {},
): Router {
  const networkKey = options.text("key") ?? environment("ALN_KEY");
  const settings: RouterOptions = {
    stub: !carries,
    ...(networkKey === undefined ? {} : { networkKey }),
  };
  try {
    const address = addressOf(options, verb);
    const router = observe
      ? new WatchedRouter(address, settings, observe)
      : new Router(address, settings);
    atEnd(() => router.close());
    inspectable(router);
    return router;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** What connections are made with: the files that the options name. */
export function connectOptions(options: Arguments): Pick<ConnectOptions, "ca" | "cert" | "key"> {
  const { readFileSync } = platform("node:fs");
  const read = (name: string): string | undefined => {
    const path = options.text(name);
    return path === undefined ? undefined : readFileSync(path, "utf8");
  };
  const [ca, cert, key] = [read("ca"), read("cert"), read("cert-key")];
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** The URLs that the user gives, by options or in ALN_URL. */
export function givenUrls(options: Arguments): string[] {
  const given = options.texts("connect");
  if (given.length > 0) return given;
  return (environment("ALN_URL") ?? "").split(/[\s,]+/).filter((url) => url !== "");
}

/**
 * Joins the mesh: connects to the routers that the options name; without any, to one on this
 * machine, else to the first whose beacon is heard.
 *
 * @throws {UnconnectedError} If none of them can be connected to in time.
 * @throws {UsageError} If an option is of no use.
 * @throws The signal's reason, if it aborts before.
 */
export async function join(context: Context, how: JoinOptions = {}): Promise<Membership> {
  const { options, signal } = context;
  const timeout = options.time("timeout", TIMEOUT);
  const start = performance.now();
  const timeLeft = () => {
    const left = start + timeout - performance.now();
    if (left > 0) return left;
    throw new DOMException(`Cannot go on: ${formatTime(timeout)} are over`, "TimeoutError");
  };
  const router = makeRouter(context, "cli", how);
  await connectAny(context, router, how, timeLeft);
  await heard(context, router, timeLeft);
  return { router, signal, timeLeft };
}

/** Waits until a neighbour has said who it is: what accepts connections need not be a router. */
async function heard(
  { signal, out }: Context,
  router: Router,
  timeLeft: () => number,
): Promise<void> {
  const done = out.progress("Waiting for a word from the router");
  const told = new AbortController();
  const tell = () => told.abort();
  let reason: unknown;
  const onChannel = (event: ChannelEvent) => {
    if (event.open || router.stats().channels.length > 0) return;
    reason = event.reason ?? "the connection was closed";
    tell();
  };
  router.addEventListener("route", tell);
  router.addEventListener("channel", onChannel);
  try {
    if (router.routes().length === 0) {
      await settled(router, timeLeft(), AbortSignal.any([signal, told.signal]));
    }
  } finally {
    router.removeEventListener("route", tell);
    router.removeEventListener("channel", onChannel as (event: Event) => void);
    done();
  }
  signal.throwIfAborted();
  if (router.routes().length > 0) return;
  if (reason !== undefined) {
    throw new UnconnectedError(`Cannot join the mesh: ${reasonOf(reason)}`, hintFor(reason));
  }
  throw new UnconnectedError(
    "Cannot join the mesh: what we are connected to does not say who it is",
    "is it a router that listens there, and for URLs of this kind?",
  );
}

async function connectAny(
  context: Context,
  router: Router,
  how: JoinOptions,
  timeLeft: () => number,
): Promise<void> {
  const { options, out } = context;
  const urls = givenUrls(options);
  const links = urls.length > 0 ? urls : [LOCAL_URL];
  const done = out.progress(`Connecting to ${links.join(", ")}`);
  try {
    const outcomes = await Promise.all(
      links.map((url) => attempt(context, router, url, how, timeLeft)),
    );
    const failures = outcomes.filter((outcome) => outcome !== null);
    if (failures.length === links.length) {
      if (urls.length === 0) return await connectToBeacon(context, router, how, timeLeft);
      throw unconnected(links, failures);
    }
    for (const [i, failure] of outcomes.entries()) {
      if (failure !== null) out.note(`${links[i]}: ${reasonOf(failure)}; going on without it`);
    }
  } finally {
    done();
  }
}

/** Connects to one; resolves to why that failed, or to `null`. */
async function attempt(
  { options, signal }: Context,
  router: Router,
  url: string,
  { lasting = false }: JoinOptions,
  timeLeft: () => number,
): Promise<unknown> {
  let dialer: Dialer;
  const timeout = timeLeft();
  try {
    dialer = dial(router, url, {
      maxAttempts: lasting ? Infinity : 1,
      timeout,
      maxDelay: 10_000,
      connect: connectOptions(options),
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const failed = new Promise<unknown>((resolve) => {
    dialer.addEventListener("status", ({ state, error }) => {
      if (state === "waiting" || state === "closed") resolve(error ?? "the connection was closed");
    });
    signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
  const timer = new Promise<unknown>((resolve) => {
    const id = setTimeout(() => resolve(new DOMException("", "TimeoutError")), timeout);
    failed.then(() => clearTimeout(id));
    dialer.connected().then(() => clearTimeout(id), () => clearTimeout(id));
  });
  const outcome = await Promise.race([
    dialer.connected().then(() => null, (error) => error),
    failed,
    timer,
  ]);
  if (outcome === null) return null;
  dialer.close().catch(() => {});
  signal.throwIfAborted();
  return isTimeout(outcome) ? new Error(`no answer in ${formatTime(timeout)}`) : outcome;
}

/** The first router whose beacon is heard, and that can be connected to. */
async function connectToBeacon(
  context: Context,
  router: Router,
  how: JoinOptions,
  timeLeft: () => number,
): Promise<void> {
  const { signal, out } = context;
  const done = out.progress("Looking for a router in the local network");
  const search = AbortSignal.timeout(Math.ceil(Math.min(BEACON_TIMEOUT, timeLeft())));
  let failure: unknown;
  try {
    for await (const url of discover({ signal: AbortSignal.any([signal, search]) })) {
      failure = await attempt(context, router, url, how, timeLeft);
      if (failure === null) return;
    }
  } catch (error) {
    failure = error; // Such as a port that another program does not share.
  } finally {
    done();
  }
  signal.throwIfAborted();
  throw new UnconnectedError(
    `Cannot find a router: none at ${LOCAL_URL}, and no beacon of one in the local network` +
      (failure ? ` (${reasonOf(failure)})` : ""),
    "name one with --connect URL or in ALN_URL, or start one: `aln serve`",
  );
}

function unconnected(urls: string[], failures: unknown[]): Error {
  const wrong = failures.find((failure) => failure instanceof TypeError && isUrlError(failure));
  if (wrong) return new UsageError((wrong as Error).message);
  const [first] = failures;
  const reasons = urls.map((url, i) => `${url}: ${reasonOf(failures[i])}`);
  return new UnconnectedError(`Cannot connect to ${reasons.join("; ")}`, hintFor(first));
}

/** Whether it is the URL itself that cannot be used. */
function isUrlError({ message }: Error): boolean {
  return /^Cannot use /.test(message);
}

/**
 * Resolves when the tables are filled: when a neighbour has told of itself, and nothing has been
 * added for a while, or the time is up.
 */
export function settled(router: Router, timeout: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(quiet);
      clearTimeout(limit);
      router.removeEventListener("route", again as (event: Event) => void);
      router.removeEventListener("service", again as (event: Event) => void);
      signal.removeEventListener("abort", finish);
      resolve();
    };
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const again = () => {
      clearTimeout(quiet);
      quiet = setTimeout(finish, QUIET);
    };
    const limit = setTimeout(finish, timeout);
    router.addEventListener("route", again);
    router.addEventListener("service", again);
    signal.addEventListener("abort", finish);
    if (signal.aborted) finish();
    else if (router.routes().length > 0) again();
  });
}
