/**
 * A page as a node of the mesh over a serial port: it opens the port that you choose, shows what is
 * at the other end of the line, and calls it.
 *
 * Needs a browser with Web Serial (Chrome, Edge, Opera) and a page from `https:` or `localhost`.
 * Without a board, put `?simulate` into the URL: then a router in this page plays its part.
 *
 * What a board says is its to choose: here it becomes text, never markup.
 *
 * @module
 */

// Served as /app/serial/serial.ts, where "../../.." is "/": right for a page, and on disk.
import { Router, type StreamChannel } from "../../../mod.ts";
import { openSerial, type SerialPortLike } from "../../../src/channel/mod.ts";
import { LiveTable } from "../live_table.ts";
import { simulatePort } from "./simulated_port.ts";

/** Calls that are shown. */
const MAX_CALLS = 20;

const state = find("state", HTMLElement);
const button = find("open", HTMLButtonElement);
const baud = find("baud", HTMLInputElement);
const calls = find("calls", HTMLElement);
const router = new Router("serial-page");

// ── the port ────────────────────────────────────────────────────────────────

/** Web Serial, which TypeScript does not know. */
const { serial } = navigator as { serial?: { requestPort(): Promise<SerialPortLike> } };
const simulated = new URL(location.href).searchParams.has("simulate");
const requestPort = simulated ? simulatePort : serial && (() => serial.requestPort());

let channel: StreamChannel | null = null;

if (requestPort) {
  tell("closed", simulated ? "Open the simulated board." : "Choose the port that a board is on.");
  button.addEventListener("click", () => channel ? channel.close() : open(requestPort));
} else {
  tell("lost", "This browser has no Web Serial. Try ?simulate at the end of the URL.");
  button.disabled = baud.disabled = true;
}

/** Opens a port, and stays until it is closed or unplugged. */
async function open(request: () => Promise<SerialPortLike>): Promise<void> {
  button.disabled = true;
  try {
    const baudRate = baud.valueAsNumber;
    channel = await openSerial(await request(), { baudRate });
    router.addChannel(channel);
    show(true);
    tell("joined", `This page is ${router.address}, on a line of ${baudRate} bits per second`);
    const reason = await channel.closed as Error | undefined;
    tell(reason ? "lost" : "closed", reason ? reason.message : "The port is closed.");
  } catch (error) {
    tell("lost", (error as Error).message);
  }
  channel = null;
  show(false);
}

function show(opened: boolean): void {
  button.disabled = false;
  baud.disabled = opened;
  button.ariaPressed = `${opened}`;
  button.textContent = opened ? "Close" : "Open";
}

function tell(name: "closed" | "joined" | "lost", text: string): void {
  state.dataset.state = name;
  state.textContent = text;
}

// ── what is known ───────────────────────────────────────────────────────────

const routes = new LiveTable(find("routes", HTMLTableSectionElement));
const services = new LiveTable(find("services", HTMLTableSectionElement));
for (const type of ["route", "service"] as const) router.addEventListener(type, refresh);

function refresh(): void {
  routes.show(
    router.routes().map(({ address, cost, via }) => ({
      key: address,
      cells: [address, cost === 1 ? "1 hop" : `${cost} hops`, via],
    })),
  );
  services.show(
    router.services().map(({ service, address, capacity }) => ({
      key: JSON.stringify([service, address]),
      cells: [service, address, `${capacity}`],
      call: () => call(service, address),
    })),
  );
}

async function call(service: string, dst: string): Promise<void> {
  const line = document.createElement("li");
  line.textContent = `${service} at ${dst} …`;
  calls.prepend(line);
  while (calls.children.length > MAX_CALLS) calls.lastElementChild!.remove();
  try {
    const answer = await router.request(service, "hello", { dst });
    line.textContent = `${service} at ${dst}: ${answer.text()}`;
  } catch (error) {
    line.className = "error";
    line.textContent = `${service} at ${dst}: ${(error as Error).message}`;
  }
}

function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new TypeError(`Cannot find "${id}" in this page`);
}
