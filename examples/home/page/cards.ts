/**
 * The cards of a panel, one for each device, in the order of their names.
 *
 * @module
 */

import { addToCurve } from "./curve.ts";

const MAX_CARDS = 48;
const cards = document.querySelector<HTMLElement>("main")!;

/** Says whether a device can be heard, and a note. */
export function tell(card: HTMLElement, state: "live" | "gone", note: string): void {
  card.dataset.state = state;
  card.querySelector("small")!.textContent = note;
}

/** Shows a value. */
export function show(card: HTMLElement, value: string): void {
  card.querySelector("p")!.textContent = value;
  card.querySelector("button")?.setAttribute("aria-checked", `${value === "on"}`);
  const line = card.querySelector("polyline");
  if (line && parseFloat(value) < Infinity) addToCurve(line, parseFloat(value));
}

/**
 * The card of a device, a new one if need be; `null` if there are too many.
 *
 * @param turn Called for each press of its switch.
 */
export function cardOf(
  service: string,
  address: string,
  turn: (card: HTMLElement, address: string) => void,
): HTMLElement | null {
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
