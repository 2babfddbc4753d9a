/**
 * A panel of a home, as a node of the mesh: it finds devices by what they offer, and hears each of
 * them for itself. What they say becomes text, never markup.
 *
 * @module
 */

// Served as /app/panel.ts, where "../../.." is "/": the same paths are right for a page and on disk.
import { Router } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { cardOf, show, tell } from "./cards.ts";

const router = new Router(`panel-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`);
const link = document.querySelector<HTMLElement>("#state")!;
const followed = new Set<HTMLElement>();

dial(router, location.origin.replace("http", "ws"), { maxDelay: 2_000 })
  .addEventListener("status", ({ state }) => {
    link.dataset.state = state === "connected" ? "joined" : "lost";
    link.textContent = state === "connected" ? "Live" : "The hub does not answer. Trying again …";
  });

router.addEventListener("service", ({ service, address, capacity }) => {
  if (capacity === 0) return;
  if (service === "temperature" || service === "light") follow(service, address);
  else if (service === "kept") recall(address).catch(() => {}); // Then it is away again.
});

/** Shows what a device says, for as long as it can be heard. */
async function follow(service: string, address: string): Promise<void> {
  const card = cardOf(service, address, turn);
  if (card === null || followed.has(card)) return;
  followed.add(card);
  try {
    // The first reply is what it says now: nobody waits for the next change.
    const words = router.stream(service, "watch", { dst: address, idle: Infinity });
    for await (const packet of words) {
      show(card, packet.text().slice(0, 20));
      tell(card, "live", "live");
    }
  } catch {
    // The way there is lost, or it has started anew.
  }
  followed.delete(card);
  tell(card, "gone", `silent since ${new Date().toTimeString().slice(0, 5)}`);
  if (router.serviceAddresses(service).includes(address)) setTimeout(follow, 500, service, address);
}

/** Shows what devices have said last that are away: a hub may know, as in examples/backbone. */
async function recall(hub: string): Promise<void> {
  const reply = await router.request("kept", "", { dst: hub });
  for (const [service, device, value] of JSON.parse(reply.text())) {
    if (service !== "temperature" && service !== "light") continue;
    const card = cardOf(service, `${device}`, turn);
    if (card === null || card.dataset.state !== undefined) continue; // It has been heard itself.
    show(card, `${value}`.slice(0, 20));
    tell(card, "gone", "away, its last value");
  }
}

/** Switches a light. Every panel shows what comes of it, for they all watch it. */
async function turn(card: HTMLElement, address: string): Promise<void> {
  const wish = card.querySelector("p")!.textContent === "on" ? "off" : "on";
  const answer = await router.request("light", wish, { dst: address }).catch((error) => error);
  if (answer instanceof Error) card.querySelector("small")!.textContent = answer.message;
}
