/**
 * A mesh server: routers connect to it over TCP, browsers and others over WebSocket; on the same
 * HTTP port a small page shows what it knows.
 *
 *     deno task start --tcp 8001 --http 8080 --address hub --join tcp+aln://other-host:8001
 *
 * @module
 */

import { parseArgs } from "node:util";
import { Router } from "../mod.ts";
import { connectTcp, listenTcp, upgradeWebSocket } from "../src/runtime/deno.ts";

const USAGE = `usage: server.ts [--address NAME] [--tcp PORT] [--http PORT] [--host HOST]
                 [--join tcp+aln://HOST:PORT]...

  --address  name of this router in the mesh; default server-XXXX
  --tcp      port for routers over TCP; default 8001
  --http     port for WebSocket and the page; default 8080
  --host     interface to listen on; default 0.0.0.0, which is all of them
  --join     another router to connect to, retried until it holds; any number of them`;

const RETRY_FIRST = 500; // ms
const RETRY_MOST = 10_000; // ms

const options = readArguments();
const { router } = options;
const stop = new AbortController();

// ── services ────────────────────────────────────────────────────────────────

router.registerService("ping", (packet, reply) => {
  reply(packet.data.length > 0 ? `pong:${packet.text()}` : "pong");
});
router.registerService("echo", (packet, reply) => void reply(packet.data));
router.registerService("time", (_packet, reply) => void reply(new Date().toISOString()));
router.registerService("log", (packet) => say("log", `${packet.src || "?"}: ${packet.text()}`));

// ── one line per event ──────────────────────────────────────────────────────

function say(what: string, text: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  // deno-lint-ignore no-control-regex -- What peers say must not steer the terminal.
  console.log(`${time} ${what.padEnd(8)} ${text.replace(/[\x00-\x1f\x7f-\x9f]/g, "·")}`);
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

const { host } = options;
const tcp = await listen(options.tcp, (address) => {
  return listenTcp(address, (channel) => router.addChannel(channel));
});
const http = await listen(
  options.http,
  (address) => Deno.serve({ ...address, onListen() {} }, serve),
);
say("ready", `${router.address} on tcp+aln://${host}:${tcp.address.port}`);
say("ready", `${router.address} on ws://${host}:${http.addr.port}`);
say("ready", `page at http://localhost:${http.addr.port}/`);
for (const url of options.join) join(url);

/** Listens on a port, or says why that cannot be and ends. */
async function listen<T>(
  port: number,
  open: (address: { hostname: string; port: number }) => T | Promise<T>,
): Promise<T> {
  try {
    return await open({ hostname: host, port });
  } catch (error) {
    console.error(`Cannot listen on ${host}:${port}: ${(error as Error).message}`);
    Deno.exit(1);
  }
}

function serve(request: Request): Response {
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    const { response, channel } = upgradeWebSocket(request);
    router.addChannel(channel);
    return response;
  }
  const headers = { "content-type": "text/html; charset=utf-8" };
  return new URL(request.url).pathname === "/"
    ? new Response(page(), { headers })
    : new Response("Not found", { status: 404 });
}

/** Keeps a connection to another router: made again, with growing pauses, whenever it is lost. */
async function join(url: URL): Promise<void> {
  for (let pause = RETRY_FIRST; !stop.signal.aborted; pause = Math.min(2 * pause, RETRY_MOST)) {
    try {
      const address = { hostname: url.hostname, port: Number(url.port) };
      const channel = await connectTcp(address);
      router.addChannel(channel);
      say("join", `connected to ${url.host}`);
      pause = RETRY_FIRST / 2;
      await channel.closed;
    } catch (error) {
      if (!stop.signal.aborted) say("join", `${url.host}: ${(error as Error).message}`);
    }
    await sleep(pause);
  }
}

/** Waits, unless the end comes first. */
function sleep(duration: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, duration);
    const wake = () => (clearTimeout(timer), resolve());
    if (stop.signal.aborted) wake();
    else stop.signal.addEventListener("abort", wake, { once: true });
  });
}

// ── the page ────────────────────────────────────────────────────────────────

function page(): string {
  const routes = router.routes().map(({ address, cost, via }) => [address, hops(cost), via]);
  const services = router.services()
    .map(({ service, address, capacity }) => [service, address, String(capacity)]);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>${escape(router.address)}</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 40rem; padding: 0 1rem }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #8884 }
  :root { color-scheme: light dark }
</style>
<h1>${escape(router.address)}</h1>
<h2>Routes</h2>
${table(["Router", "Distance", "By way of"], routes, "No other router is connected yet.")}
<h2>Services</h2>
${table(["Service", "At", "Capacity"], services, "No services.")}
</html>`;
}

function table(head: string[], rows: string[][], nothing: string): string {
  if (rows.length === 0) return `<p>${nothing}</p>`;
  const row = (tag: string) => (cells: string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>${row("th")(head)}${rows.map(row("td")).join("")}</table>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function hops(cost: number): string {
  return cost === 1 ? "1 hop" : `${cost} hops`;
}

// ── beginning and end ───────────────────────────────────────────────────────

Deno.addSignalListener("SIGINT", end);
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", end);

async function end(): Promise<void> {
  if (stop.signal.aborted) return;
  stop.abort(new Error("the server ends"));
  say("end", "closing");
  await tcp.close();
  await router.close();
  await http.shutdown();
  Deno.exit(0);
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
      args: Deno.args,
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
      Deno.exit(0);
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
    Deno.exit(2);
  }
}

function port(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= 65_535) return value;
  throw new Error(`Cannot use ${option}: "${text}" is not a port in 0-65535`);
}

function target(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "tcp+aln:" && url.hostname && url.port) return url;
  throw new Error(`Cannot use --join: "${text}" is not tcp+aln://HOST:PORT`);
}
