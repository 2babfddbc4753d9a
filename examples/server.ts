/**
 * A mesh server: routers connect to it over TCP, browsers and others over WebSocket. On the same
 * HTTP port is a page that shows the mesh, and joins it; and, at `/dashboard/`, the dashboard.
 *
 *     deno task start --tcp 8001 --http 8080 --address hub --join tcp+aln://other-host:8001
 *     bun run examples/server.ts --address hub
 *     node examples/server.ts --address hub
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { Router } from "../mod.ts";
import { dashboard } from "../src/dashboard/mod.ts";
import { inspectable } from "../src/inspect/mod.ts";
import { dial, listen, type UrlListener } from "../src/runtime/net.ts";
import { printable } from "./printable.ts";
import { readProjectFile, serveFile } from "./static_files.ts";

const USAGE = `usage: server.ts [--address NAME] [--tcp PORT] [--http PORT] [--host HOST]
                 [--join URL]...

  --address  name of this router in the mesh; by default one made up at each start
  --tcp      port for routers over TCP; default 8001
  --http     port for WebSocket and the page; default 8080
  --host     interface to listen on; default 0.0.0.0, which is all of them
  --join     another router to connect to, tcp+aln://HOST:PORT or ws://HOST:PORT,
             retried until it holds; any number of them`;

const RETRY_FIRST = 500; // ms
const RETRY_MOST = 10_000; // ms

const options = readArguments();
const { router } = options;
const pages = dashboard({ path: "/dashboard/" });
let stopping = false;

// ── services ────────────────────────────────────────────────────────────────

router.registerService("ping", (packet, reply) => {
  reply(packet.data.length > 0 ? `pong:${packet.text()}` : "pong");
});
router.registerService("echo", (packet, reply) => void reply(packet.data));
router.registerService("time", (_packet, reply) => void reply(new Date().toISOString()));
router.registerService("log", (packet, reply) => {
  say("log", `${packet.src || "?"}: ${packet.text()}`);
  if (packet.ctx !== 0) reply("logged"); // Whoever calls it waits for an answer.
});

inspectable(router); // The dashboard, and whoever else asks, may know its links.

// ── one line per event ──────────────────────────────────────────────────────

function say(what: string, text: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  console.log(`${time} ${what.padEnd(8)} ${printable(text)}`);
}

router.addEventListener("channel", ({ open, reason }) => {
  say("channel", open ? "open" : `closed${reason ? `: ${reason}` : ""}`);
});
router.addEventListener("route", ({ address, cost, via }) => {
  say("route", cost === 0 ? `${address} lost` : `${address} in ${hops(cost)} via ${via}`);
});
router.addEventListener("service", ({ service, address, capacity }) => {
  say("service", `${service} at ${address}${capacity === 0 ? " gone" : `, capacity ${capacity}`}`);
});
router.addEventListener("drop", ({ error }) => say("drop", `${error.code}: ${error.message}`));

// ── ways in and out ─────────────────────────────────────────────────────────

const tcp = await open("tcp+aln", options.tcp);
const http = await open("ws", options.http);
process.on("SIGINT", end);
process.on("SIGTERM", end);
say("ready", `${router.address} on tcp+aln://${options.host}:${tcp.address.port}`);
say("ready", `${router.address} on ws://${options.host}:${http.address.port}`);
say("ready", `page at http://localhost:${http.address.port}/`);
for (const url of options.join) join(url);

/** Listens on a port, or says why that cannot be and ends. */
async function open(scheme: string, port: number): Promise<UrlListener> {
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  try {
    return await listen(`${scheme}://${host}:${port}`, router, { respond });
  } catch (error) {
    console.error(`Cannot listen on ${host}:${port}: ${reason(error)}`);
    process.exit(1);
  }
}

/** Keeps a connection to another router, until ours is closed. */
function join(url: URL): void {
  const dialer = dial(router, url, { minDelay: RETRY_FIRST, maxDelay: RETRY_MOST });
  dialer.addEventListener("status", ({ state, error }) => {
    if (state === "connected") say("join", `connected to ${url.host}`);
    else if (error !== undefined && !stopping) say("join", `${url.host}: ${reason(error)}`);
  });
}

/** Why a socket failed. What happens most, every runtime says in other words. */
function reason(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  if (code === "EADDRINUSE") return "Address already in use";
  if (code === "ECONNREFUSED") return "Connection refused";
  return message;
}

// ── the page ────────────────────────────────────────────────────────────────

async function respond(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  try {
    const shown = await pages(request);
    if (shown) return shown;
    if (pathname !== "/") return await serveFile(pathname);
    const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" };
    return new Response(await page(), { headers });
  } catch (error) {
    say("page", (error as Error).message); // Such as a permission that was not given.
    return new Response(`${(error as Error).message}\n`, { status: 500 });
  }
}

/** The page with what is known now already in it: it is of use before, and without, its script. */
async function page(): Promise<string> {
  const routes = router.routes().map(({ address, cost, via }) => [address, hops(cost), via]);
  const services = router.services()
    .map(({ service, address, capacity }) => [service, address, `${capacity}`]);
  return (await readProjectFile("examples/browser/index.html"))
    .replaceAll(">ALN mesh<", () => `>${escape(router.address)}<`)
    .replace(/<tbody id="routes".*?>/, (tag) => tag + tableRows(routes))
    .replace(/<tbody id="services".*?>/, (tag) => tag + tableRows(services));
}

function tableRows(rows: string[][]): string {
  const cells = (row: string[]) => row.map((cell) => `<td>${escape(cell)}</td>`).join("");
  return rows.map((row) => `<tr>${cells(row)}</tr>`).join("");
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function hops(cost: number): string {
  return cost === 1 ? "1 hop" : `${cost} hops`;
}

// ── beginning and end ───────────────────────────────────────────────────────

async function end(): Promise<void> {
  if (stopping) return;
  stopping = true;
  say("end", "closing");
  await tcp.close();
  await http.close();
  await router.close();
  process.exit(0);
}

interface Options {
  router: Router;
  host: string;
  tcp: number;
  http: number;
  join: URL[];
}

function readArguments(): Options {
  try {
    const { values } = parseArgs({
      options: {
        address: { type: "string" },
        host: { type: "string", default: "0.0.0.0" },
        tcp: { type: "string", default: "8001" },
        http: { type: "string", default: "8080" },
        join: { type: "string", multiple: true, default: [] },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const random = crypto.getRandomValues(new Uint16Array(1))[0]!.toString(16).padStart(4, "0");
    return {
      router: new Router(values.address ?? `server-${random}`),
      host: values.host,
      tcp: port("--tcp", values.tcp),
      http: port("--http", values.http),
      join: values.join.map(target),
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

function port(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new Error(`Cannot use ${option}: "${text}" is not a port in 0-65535`);
}

function target(text: string): URL {
  const url = URL.parse(text);
  const known = /^((tcp|tls)\+aln|wss?):$/.test(url?.protocol ?? "");
  if (url && known && url.hostname && (url.port || url.protocol.startsWith("ws"))) return url;
  throw new Error(`Cannot use --join: "${text}" is not tcp+aln://HOST:PORT or ws://HOST:PORT`);
}
