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
import { Router } from "../../mod.ts";
import { connect } from "../../src/runtime/net.ts";

const RETRY_FIRST = 250; // ms
const RETRY_MOST = 5_000; // ms

/** Rows of a table and lines of a list that are shown; a mesh may be larger than a screen. */
const MAX_ROWS = 200;
const MAX_LINES = 20;

/** Letters of a message that are shown. */
const MAX_TEXT = 1_000;

const query = new URL(location.href).searchParams;
const url = query.get("url") ?? `${location.protocol.replace("http", "ws")}//${location.host}/`;
const router = new Router(query.get("name") || `page-${randomDigits()}`);

const state = find("state", HTMLElement);
const payload = find("payload", HTMLInputElement);
const calls = find("calls", HTMLElement);
const notes = find("notes", HTMLElement);
const offer = find("offer", HTMLButtonElement);

// ── the link ────────────────────────────────────────────────────────────────

/** Keeps a link to the mesh: made again, with growing pauses, whenever it is lost. */
async function stayJoined(): Promise<never> {
  for (let pause = RETRY_FIRST;; pause = Math.min(2 * pause, RETRY_MOST)) {
    show("joining", `${router.address} joins ${url} …`);
    let why = "the link is lost";
    try {
      const channel = await connect(url);
      router.addChannel(channel);
      pause = RETRY_FIRST / 2;
      show("joined", `This page is ${router.address}, joined over ${url}`);
      await channel.closed;
    } catch (error) {
      why = (error as Error).message;
    }
    show("lost", `${router.address} will try ${url} again: ${why}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function show(name: "joining" | "joined" | "lost", text: string): void {
  if (name === "joining" && state.dataset.state === "lost") return; // It would only flicker.
  state.dataset.state = name;
  state.textContent = text;
}

// ── what is known ───────────────────────────────────────────────────────────

const routes = new LiveTable(find("routes", HTMLTableSectionElement));
const services = new LiveTable(find("services", HTMLTableSectionElement));

/** Shows everything that the router knows; a burst of events costs it once. */
let planned = false;
function refresh(): void {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    routes.show(
      router.routes().map(({ address, cost, via }) => ({ cells: [address, hops(cost), via] })),
    );
    services.show(
      router.services().map(({ service, address, capacity }) => ({
        cells: [service, address, `${capacity}`],
        act: () => call(service, address),
      })),
    );
  });
}
