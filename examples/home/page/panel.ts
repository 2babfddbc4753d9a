/**
 * A panel of a home, as a node of the mesh: it finds devices by what they offer, and hears each of
 * them for itself. What they say becomes text, never markup.
 *
 * @module
 */

// Served as /app/panel.ts, where "../../.." is "/": the same paths are right for a page and on disk.
import { Router } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { addToCurve } from "./curve.ts";

const MAX_CARDS = 48;
const router = new Router(`panel-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`);
const cards = document.querySelector<HTMLElement>("main")!;
const link = document.querySelector<HTMLElement>("#state")!;
const followed = new Set<HTMLElement>();

dial(router, location.origin.replace("http", "ws"), { maxDelay: 2_000 })
  .addEventListener("status", ({ state }) => {
    link.dataset.state = state === "connected" ? "joined" : "lost";
    link.textContent = state === "connected" ? "Live" : "The hub does not answer. Trying again …";
  });

router.addEventListener("service", ({ service, address, capacity }) => {
  if (capacity > 0 && (service === "temperature" || service === "light")) follow(service, address);
});

/** Shows what a device says, for as long as it can be heard. */
async function follow(service: string, address: string): Promise<void> {
  const card = cardOf(service, address);
  if (card === null || followed.has(card)) return;
  followed.add(card);
  try {
    // The first reply is what it says now: nobody waits for the next change.
    const words = router.stream(service, "watch", { dst: address, idle: Infinity });
    for await (const packet of words) show(card, packet.text().slice(0, 20));
  } catch {
    // The way there is lost, or it has started anew.
  }
  followed.delete(card);
  tell(card, "gone", `silent since ${new Date().toTimeString().slice(0, 5)}`);
  if (router.serviceAddresses(service).includes(address)) setTimeout(follow, 500, service, address);
}

function tell(card: HTMLElement, state: "live" | "gone", note: string): void {
  card.dataset.state = state;
  card.querySelector("small")!.textContent = note;
}

function show(card: HTMLElement, value: string): void {
  tell(card, "live", "live");
  card.querySelector("p")!.textContent = value;
  card.querySelector("button")?.setAttribute("aria-checked", `${value === "on"}`);
  const line = card.querySelector("polyline");
  if (line && parseFloat(value) < Infinity) addToCurve(line, parseFloat(value));
}

/** The card of a device, a new one if need be; `null` if there are too many. */
function cardOf(service: string, address: string): HTMLElement | null {
  const all = [...cards.children] as HTMLElement[];
  const key = JSON.stringify([service, address]);
  const known = all.find((card) => card.dataset.key === key);
  if (known || all.length === MAX_CARDS) return known ?? null;
  const { content } = document.querySelector<HTMLTemplateElement>(`template#${service}`)!;
  const card = content.firstElementChild!.cloneNode(true) as HTMLElement;
  card.dataset.key = key;
  card.querySelector("h2")!.textContent = address;
  card.querySelector("button")?.setAttribute("aria-label", address);
  card.querySelector("button")?.addEventListener("click", () => turn(card, address));
  cards.insertBefore(card, all.find((other) => other.dataset.key! > key) ?? null);
  return card;
}

/** Switches a light. Every panel shows what comes of it, for they all watch it. */
async function turn(card: HTMLElement, address: string): Promise<void> {
  const wish = card.querySelector("p")!.textContent === "on" ? "off" : "on";
  const answer = await router.request("light", wish, { dst: address }).catch((error) => error);
  if (answer instanceof Error) card.querySelector("small")!.textContent = answer.message;
}
