/**
 * What a verb needs that stays in the mesh: listeners, links that come back, and what is told of
 * both.
 *
 * @module
 */

import { announce, dial, listen, type ListenOptions, type UrlListener } from "../runtime/net.ts";
import type { Router } from "../router/router.ts";
import { connectOptions } from "./connection.ts";
import { FailedError, hintFor, reasonOf, UsageError } from "./exit.ts";
import type { Output } from "./output.ts";
import { platform } from "./platform.ts";
import { printable } from "./text.ts";
import type { Arguments, Context, OptionSpecs } from "./verb.ts";

/** The longest pause between two attempts to connect, in ms. */
const MAX_DELAY = 10_000;

/** The longest that a timer can wait, in ms. */
const MAX_TIMER = 0x7fff_ffff;

/** The options of verbs that listen. */
export const LISTENING: OptionSpecs = {
  listen: {
    value: "URL",
    short: "l",
    multiple: true,
    help: "where to take connections; port 0: any that is free",
  },
};

/**
 * Listens on URLs, one after another. Of `tcp+maln://host:port/network` the path is the name of our
 * network there.
 *
 * @throws {UsageError} If a URL is of no use.
 * @throws {FailedError} If one cannot be listened on.
 */
export async function listenAll(
  router: Router,
  urls: string[],
  { options, atEnd }: Context,
  respond?: ListenOptions["respond"],
): Promise<UrlListener[]> {
  const listeners: UrlListener[] = [];
  for (const url of urls) {
    try {
      const given = { ...connectOptions(options), ...(respond ? { respond } : {}) };
      const shared = /^(tcp|tls)\+maln:/.test(url) ? new URL(url) : null;
      const network = decodeURIComponent(shared?.pathname.replace(/^\/|\/$/g, "") ?? "");
      if (shared && network === "") {
        throw new TypeError(`Cannot listen on ${url}: it names no network`);
      }
      if (shared) shared.pathname = "";
      const listener = shared
        ? await listen(shared, { networks: { [network]: router } }, given)
        : await listen(url, router, given);
      const named = shared ? `${listener.url.replace(/\/$/, "")}/${network}` : listener.url;
      listeners.push({ ...listener, url: new URL(named).href });
      atEnd(() => listener.close());
    } catch (error) {
      if (error instanceof TypeError && /^Cannot (use|listen)/.test(error.message)) {
        throw new UsageError(error.message);
      }
      throw new FailedError(`Cannot listen on ${url}: ${reasonOf(error)}`, hintFor(error));
    }
  }
  return listeners;
}

/** Keeps links to URLs, as long as the router lives; tells when one is lost, and comes back. */
export function dialAll(
  router: Router,
  urls: string[],
  options: Arguments,
  tell: (event: LinkNews) => void,
): void {
  for (const url of urls) {
    try {
      const dialer = dial(router, url, {
        maxDelay: MAX_DELAY,
        minDelay: 500,
        connect: connectOptions(options),
      });
      let told: string | undefined;
      dialer.addEventListener("status", ({ state, error }) => {
        if (router.signal.aborted || state === "connecting") return;
        const reason = error === undefined ? undefined : reasonOf(error);
        if (state === "waiting" && reason === told) return; // Once is enough for each reason.
        told = reason;
        tell({ event: state, url, ...(reason === undefined ? {} : { reason }) });
      });
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }
}

/** What is told of a link to a URL. */
export interface LinkNews {
  /** It is connected; it is waiting for another attempt; or there will be none. */
  event: "connected" | "waiting" | "closed";
  /** Where to. */
  url: string;
  /** Why it is not connected. */
  reason?: string;
}

/** Tells others in the local network where we listen. */
export async function announceAll(
  listeners: UrlListener[],
  { atEnd }: Context,
): Promise<string[]> {
  const urls = listeners.map(({ url }) => url).filter((url) => /^(tcp|tls)\+m?aln:/.test(url));
  if (urls.length === 0) {
    throw new UsageError("Cannot announce: beacons tell of tcp+aln: and tls+aln: URLs alone");
  }
  for (const url of urls) {
    try {
      const beacon = await announce(url);
      atEnd(() => beacon.close());
    } catch (error) {
      const unfit = error instanceof TypeError || error instanceof RangeError;
      throw unfit ? new UsageError(reasonOf(error)) : error;
    }
  }
  return urls;
}

/** Prints what happens to a router, one line for each event, or one JSON object. */
export function narrate(router: Router, out: Output): void {
  const tell = (event: string, fields: Record<string, unknown>, text: string) => {
    if (out.full) return; // Nobody reads so slowly and wants all of it.
    if (out.json) out.value({ at: Date.now(), event, ...fields });
    else out.line(`${timeOfDay()} ${event.padEnd(9)} ${printable(text)}`);
  };
  router.addEventListener("channel", ({ open, reason }) => {
    const why = reason === undefined ? undefined : reasonOf(reason);
    tell("link", { open, reason: why }, open ? "open" : `closed${why ? `: ${why}` : ""}`);
  });
  router.addEventListener("route", ({ address, cost, via }) => {
    const hops = cost === 1 ? "1 hop" : `${cost} hops via ${via}`;
    tell("route", { address, cost, via }, cost === 0 ? `${address} lost` : `${address} in ${hops}`);
  });
  router.addEventListener("service", ({ service, address, capacity }) => {
    const what = capacity === 0 ? "gone" : `load ${capacity}`;
    tell("service", { service, address, capacity }, `${service} at ${address}, ${what}`);
  });
  router.addEventListener("conflict", ({ address }) => {
    tell("conflict", { address }, `two routers are called ${address}`);
  });
  router.addEventListener("drop", ({ reason, count, error }) => {
    tell("drop", { reason, count, code: error.code }, `${error.code}: ${error.message}`);
  });
}

/** The time of day, to the second. */
export function timeOfDay(): string {
  return new Date().toTimeString().slice(0, 8);
}

/** Resolves when the signal aborts, or after so long. */
export function until(signal: AbortSignal, time: number = Infinity): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    // A program with nothing else to do must not end before its user says so: there is a timer.
    const endless = time > MAX_TIMER;
    const timer = endless ? setInterval(() => {}, MAX_TIMER) : setTimeout(end, time);
    signal.addEventListener("abort", end);
  });
}

/** What a file or the standard input holds. */
export async function readInput(path: string | null, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of inputChunks(path)) {
    size += chunk.length;
    if (size > most) {
      throw new UsageError(`Cannot read more than ${most} bytes at once: give it with --upload`);
    }
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The same piece by piece. */
export async function* inputChunks(path: string | null): AsyncGenerator<Uint8Array, void> {
  const stream = path === null
    ? platform("node:process").stdin
    : platform("node:fs").createReadStream(path);
  for await (const chunk of stream) yield typeof chunk === "string" ? encoder.encode(chunk) : chunk;
}

const encoder = new TextEncoder();
