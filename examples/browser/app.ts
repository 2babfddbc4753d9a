/**
 * A page as a node of the mesh: it joins over a WebSocket, shows what it finds, calls it, and offers
 * a service of its own.
 *
 * `examples/server.ts` serves it from these sources, with the types stripped. In its URL,
 * `?name=kitchen` is the page's address in the mesh, and `?url=ws://host:port` another way in.
 *
 * What others are called and what they say is theirs to choose: here it becomes text, never markup.
 *
 * @module
 */

// Served as /app/app.ts, where "../.." is "/": the same paths are right for a page and on disk.
import { type RouteInfo, Router, type ServiceInfo } from "../../mod.ts";
import { inspectable } from "../../src/inspect/mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { LiveTable } from "./live_table.ts";

const RETRY_FIRST = 250; // ms
const RETRY_MOST = 5_000; // ms

/** Calls and notes that are shown, and letters of each. */
const MAX_LINES = 20;
const MAX_TEXT = 1_000;

const query = new URL(location.href).searchParams;
const url = query.get("url") ?? `${location.protocol.replace("http", "ws")}//${location.host}/`;
const state = find("state", HTMLElement);
const router = newRouter();
inspectable(router); // For `aln trace` and its like.

// ── the link ────────────────────────────────────────────────────────────────

tell("joining", `${router.address} joins ${url} …`);
dial(router, url, { minDelay: RETRY_FIRST, maxDelay: RETRY_MOST })
  .addEventListener("status", ({ state, error }) => {
    const why = (error as Error)?.message ?? "the link was lost";
    const lost = `${router.address} is not joined: ${why}`;
    if (state === "connected") tell("joined", `This page is ${router.address}, joined over ${url}`);
    else if (state === "waiting") tell("lost", `${lost}. It goes on trying ${url}`);
    else if (state === "closed") tell("lost", lost);
  });

function tell(name: "joining" | "joined" | "lost", text: string): void {
  state.dataset.state = name;
  state.textContent = text;
}

/** A router of the name in the URL, or of any. */
function newRouter(): Router {
  // Not crypto.randomUUID(), which only pages over HTTPS and from this machine have.
  const random = crypto.getRandomValues(new Uint16Array(1))[0]!.toString(16).padStart(4, "0");
  try {
    return new Router(query.get("name") || `page-${random}`);
  } catch (error) {
    tell("lost", (error as Error).message);
    throw error;
  }
}

// ── what is known ───────────────────────────────────────────────────────────

const routes = new LiveTable(find("routes", HTMLTableSectionElement));
const services = new LiveTable(find("services", HTMLTableSectionElement));

let planned = false;
router.addEventListener("route", refresh);
router.addEventListener("service", refresh);

/** Shows all that the router knows; a burst of events costs it once. */
function refresh(): void {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    const nearest = (a: RouteInfo, b: RouteInfo) => a.cost - b.cost || order(a.address, b.address);
    routes.show(
      router.routes().sort(nearest).map(({ address, cost, via }) => ({
        key: address,
        cells: [address, cost === 1 ? "1 hop" : `${cost} hops`, via],
      })),
    );
    const byName = (a: ServiceInfo, b: ServiceInfo) =>
      order(a.service, b.service) || order(a.address, b.address);
    services.show(
      router.services().sort(byName).map(({ service, address, capacity }) => ({
        key: JSON.stringify([service, address]),
        cells: [service, address, `${capacity}`],
        call: () => call(service, address),
      })),
    );
  });
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// ── calling others, and being called ────────────────────────────────────────

const payload = find("payload", HTMLInputElement);
const calls = find("calls", HTMLElement);

/** Calls an instance of a service, and shows what came of it. */
async function call(service: string, dst: string): Promise<void> {
  const line = newLine(calls, `${service} at ${dst} …`);
  const start = performance.now();
  const ended = (text: string) => {
    const took = document.createElement("small");
    took.textContent = ` ${(performance.now() - start).toFixed(1)} ms`;
    line.textContent = short(`${service} at ${dst}: ${text}`);
    line.append(took);
  };
  try {
    const answer = await router.request(service, payload.value, { dst });
    ended(answer.text());
  } catch (error) {
    line.className = "error";
    ended((error as Error).message);
  }
}

const offer = find("offer", HTMLButtonElement);
const notes = find("notes", HTMLElement);

offer.addEventListener("click", () => {
  const offered = offer.ariaPressed === "true";
  if (offered) router.unregisterService("note");
  else {
    router.registerService("note", (packet, reply) => {
      newLine(notes, `${packet.src}: ${packet.text()}`);
      if (packet.ctx !== 0) reply("noted");
    });
  }
  offer.ariaPressed = `${!offered}`;
  offer.textContent = offered ? "Offer note" : "Withdraw note";
});

/** Adds a line to the top of a list, which forgets the oldest ones. */
function newLine(list: HTMLElement, text: string): HTMLElement {
  const line = document.createElement("li");
  line.textContent = short(text);
  list.prepend(line);
  while (list.children.length > MAX_LINES) list.lastElementChild!.remove();
  return line;
}

function short(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text;
}

function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new TypeError(`Cannot find "${id}" in this page`);
}
