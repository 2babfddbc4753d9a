/**
 * `aln doctor`: whether everything is there that a mesh needs, and what to do if not.
 *
 * @module
 */

import { runtimeName } from "../../inspect/runtime_name.ts";
import { Router } from "../../router/router.ts";
import { announce, type Beacon, connect, listen, type UrlListener } from "../../runtime/net.ts";
import {
  connectOptions,
  givenUrls,
  join,
  LOCAL_URL,
  makeRouter,
  settled,
  TIMEOUT,
} from "../connection.ts";
import { EXIT, hintFor, reasonOf } from "../exit.ts";
import { platform } from "../platform.ts";
import { printable } from "../text.ts";
import { formatTime } from "../units.ts";
import { Arguments, type Context, type Verb } from "../verb.ts";

/** Checks this machine, and the way to routers. */
export const doctor: Verb = {
  name: "doctor",
  usage: "[URL]...",
  summary: "Check the runtime, its permissions, ports, beacons, the clock, and the way to routers",
  arity: [0, 64],
  joins: true,
  options: {},
  examples: ["aln doctor", "aln doctor wss://mesh.example.org/"],
  run: runDoctor,
};

/** What came of a check: it is well; it may be; it is not. */
type State = "ok" | "note" | "fail";

/** A finding, and what to do about it. */
interface Finding {
  check: string;
  state: State;
  what: string;
  hint?: string;
}

/** How long a beacon of our own may take to come back to us, in ms. */
const BEACON_TIMEOUT = 1_000;

/** How much later than it should a timer may fire, in ms. */
const TIMER_SLACK = 250;

async function runDoctor(context: Context): Promise<number> {
  const { args, out, options, signal } = context;
  connectOptions(options);
  const checks: (() => Finding | Promise<Finding>)[] = [
    checkRuntime,
    ...checkPermissions(),
    checkSockets,
    ...[8_001, 8_080].map((port) => () => checkPort(port)),
    checkBeacon,
    checkClock,
  ];
  const urls = args.length > 0 ? args : givenUrls(options);
  for (const url of urls) checks.push(() => checkUrl(url, context));
  if (urls.length === 0) checks.push(() => checkAny(context));
  const counts: Record<State, number> = { ok: 0, note: 0, fail: 0 };
  for (const check of checks) {
    signal.throwIfAborted();
    const finding = await check();
    counts[finding.state]++;
    if (out.json) {
      out.value(finding);
      continue;
    }
    const color = ({ ok: "green", note: "yellow", fail: "red" } as const)[finding.state];
    const head = out.paint(color, finding.state.padEnd(4));
    out.line(`${head}  ${finding.check.padEnd(11)}  ${printable(finding.what)}`);
    if (finding.hint) out.line(`${" ".repeat(19)}${finding.hint}`);
  }
  return counts.fail === 0 ? EXIT.ok : EXIT.failed;
}

function checkRuntime(): Finding {
  const name = runtimeName();
  const [, runtime = "", major = "0", minor = "0"] = /^(\w+) (\d+)\.(\d+)/.exec(name) ?? [];
  const least =
    ({ Deno: [2, 9], Bun: [1, 4], Node: [20, 16] } as Record<string, number[]>)[runtime];
  const [wantedMajor = 0, wantedMinor = 0] = least ?? [];
  const enough = Number(major) > wantedMajor ||
    (Number(major) === wantedMajor && Number(minor) >= wantedMinor);
  if (!enough) {
    const hint = `get ${runtime} ${wantedMajor}.${wantedMinor} or newer`;
    return { check: "runtime", state: "fail", what: `${name} is too old`, hint };
  }
  if (typeof WebSocket === "undefined") {
    const hint = "use tcp+aln: URLs, or Node 22";
    return { check: "runtime", state: "note", what: `${name} cannot connect to ws: URLs`, hint };
  }
  return { check: "runtime", state: "ok", what: name };
}

/** The part of Deno that is used here. */
interface DenoPermissions {
  permissions: { querySync(descriptor: { name: string }): { state: string } };
}

/** What Deno allows; the other runtimes allow everything. */
function checkPermissions(): (() => Finding)[] {
  const { Deno } = globalThis as { Deno?: DenoPermissions };
  if (Deno === undefined) return [];
  const needs = {
    net: "to connect to anybody",
    env: "to read ALN_URL, ALN_KEY and NO_COLOR",
    read: "for --file, --ca, and recordings",
    sys: "for beacons (--allow-sys=networkInterfaces)",
    run: "for `aln handle --exec`",
  };
  return Object.entries(needs).map(([name, why]) => () => {
    const granted = Deno.permissions.querySync({ name }).state === "granted";
    const what = `--allow-${name}${granted ? "" : ` is not given: it is needed ${why}`}`;
    if (granted) return { check: "permission", state: "ok", what };
    const state = name === "net" ? "fail" : "note";
    return {
      check: "permission",
      state,
      what,
      hint: "run it with `deno run -A …`, or with this one",
    };
  });
}

/** Whether a router can be listened for and connected to at all, on this machine. */
async function checkSockets(): Promise<Finding> {
  const check = "sockets";
  const [a, b] = [new Router("doctor-a"), new Router("doctor-b")];
  let listener: UrlListener | null = null;
  try {
    a.registerService("doctor", () => "well");
    listener = await listen("tcp+aln://127.0.0.1:0", a);
    b.addChannel(await connect(listener.url));
    const start = performance.now();
    await b.waitForService("doctor", { signal: AbortSignal.timeout(TIMEOUT) });
    await b.request("doctor");
    const took = formatTime(performance.now() - start);
    return { check, state: "ok", what: `two routers found each other over TCP in ${took}` };
  } catch (error) {
    return { check, state: "fail", what: reasonOf(error), hint: hintFor(error) };
  } finally {
    await Promise.all([listener?.close(), a.close(), b.close()]);
  }
}

/** Whether a port is free on which routers listen by default. */
async function checkPort(port: number): Promise<Finding> {
  const check = "port";
  try {
    const listener = await listen(`tcp+aln://127.0.0.1:${port}`, (channel) => channel.close());
    await listener.close();
    return { check, state: "ok", what: `${port} is free: nobody serves there` };
  } catch (error) {
    const what = `${port}: ${reasonOf(error)}`;
    const hint = "if that is no router of yours, use other ports with --listen";
    return { check, state: "note", what, hint };
  }
}

/** Whether beacons can be sent and heard, on this machine at least. */
async function checkBeacon(): Promise<Finding> {
  const check = "beacon";
  let beacon: Beacon | null = null;
  const socket = platform("node:dgram").createSocket({ type: "udp4", reuseAddr: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, () => resolve());
    });
    const heard = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), BEACON_TIMEOUT);
      socket.once("message", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
    const { port } = socket.address();
    beacon = await announce("tcp+aln://0.0.0.0:8001", { port, interval: 200 });
    if (await heard) return { check, state: "ok", what: "UDP broadcasts are sent and heard" };
    const hint = "let UDP port 8082 through the firewall, or name routers with --connect";
    return { check, state: "fail", what: "a UDP broadcast of our own was not heard", hint };
  } catch (error) {
    const hint = hintFor(error) ?? "name routers with --connect: that needs no beacons";
    return { check, state: "note", what: `no beacons: ${reasonOf(error)}`, hint };
  } finally {
    await beacon?.close();
    await new Promise<void>((resolve) => void socket.close(() => resolve()));
  }
}

/** Whether the clock is right enough for restarts to be told apart, and timers fire in time. */
async function checkClock(): Promise<Finding> {
  const check = "clock";
  if (Date.now() < Date.UTC(2026, 0, 1)) {
    const what = `it is ${new Date().toISOString()} here`;
    const hint = "set the clock: others take a restarted router for its older self otherwise";
    return { check, state: "fail", what, hint };
  }
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const late = performance.now() - start - 50;
  if (late > TIMER_SLACK) {
    const hint = "the machine is busy: links may be taken for dead";
    return { check, state: "note", what: `a timer was ${formatTime(late)} late`, hint };
  }
  return { check, state: "ok", what: "the clock is set, and timers fire in time" };
}

/** Whether a router can be connected to, and who it is. */
async function checkUrl(url: string, context: Context): Promise<Finding> {
  const { options, signal } = context;
  const timeout = options.time("timeout", TIMEOUT);
  const router = makeRouter(context, "doctor");
  try {
    const start = performance.now();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const channel = await connect(url, { ...connectOptions(options), signal: limit });
    const took = formatTime(performance.now() - start);
    let closed: unknown;
    router.addEventListener("channel", ({ open, reason }) => {
      if (!open) closed = reason ?? "it closed the connection";
    });
    router.addChannel(channel);
    await settled(router, timeout, signal);
    const [link] = router.stats().channels;
    if (closed !== undefined) throw closed;
    if (link === undefined || link.address === "") {
      const hint = "is it a router that listens there, and with the same scheme?";
      return { check: "router", state: "fail", what: `${url} is open, but silent`, hint };
    }
    const kind = link.kind === "modern" ? "of our kind" : "an older one";
    const known =
      `it knows ${router.routes().length} routers, ${router.services().length} services`;
    return {
      check: "router",
      state: "ok",
      what: `${url} is "${link.address}", ${kind}, connected to in ${took}; ${known}`,
    };
  } catch (error) {
    return {
      check: "router",
      state: "fail",
      what: `${url}: ${reasonOf(error)}`,
      hint: hintFor(error) ?? "start it, or look whether the URL is right",
    };
  }
}

/** Whether verbs find a router by themselves. */
async function checkAny(context: Context): Promise<Finding> {
  const check = "router";
  try {
    const member = await join({ ...context, options: new Arguments({}) });
    await settled(member.router, TIMEOUT, context.signal);
    const [link] = member.router.stats().channels;
    return { check, state: "ok", what: `"${link?.address ?? "?"}" is found without --connect` };
  } catch (error) {
    context.signal.throwIfAborted();
    const what = `none at ${LOCAL_URL}, and no beacon: ${reasonOf(error)}`;
    return { check, state: "note", what, hint: hintFor(error) };
  }
}
