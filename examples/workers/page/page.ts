/**
 * A page that asks a pool of workers, as a node of the mesh: it sees who is there and what each has
 * to do, chooses one, and streams the answer from there. What they say becomes text, never markup.
 *
 * @module
 */

// Served as /app/page.ts, where "../../.." is "/": the same paths are right for a page and on disk.
import { Router } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { answer } from "./answer.ts";

const MAX_WORKERS = 32; // Shown, and dots of each.
const MAX_ANSWERS = 20;
const LEAVES = 65_535; // The load of who takes no more.

const router = new Router(`page-${crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)}`);
const find = <T extends Element>(selector: string, within: ParentNode = document): T =>
  within.querySelector<T>(selector)!;

dial(router, location.origin.replace("http", "ws"), { maxDelay: 2_000 })
  .addEventListener("status", ({ state }) => {
    const joined = state === "connected";
    find<HTMLElement>("#state").dataset.state = joined ? "joined" : "lost";
    find("#state").textContent = joined ? "Joined" : "The front does not answer. Trying again …";
  });

router.addEventListener("service", () => {
  const workers = router.services().filter(({ service }) => service === "llm");
  workers.sort((a, b) => a.address < b.address ? -1 : 1);
  const items = workers.slice(0, MAX_WORKERS).map(({ address, capacity }) => {
    const item = document.createElement("li");
    item.textContent = capacity === LEAVES ? `${address} leaves` : address;
    item.dataset.dots = capacity === LEAVES ? "" : "●".repeat(Math.min(capacity - 1, MAX_WORKERS));
    return item;
  });
  find("#workers").replaceChildren(...items);
});

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const answers = find("#answers");
  const box = find<HTMLTemplateElement>("template").content.firstElementChild!
    .cloneNode(true) as HTMLElement;
  answers.prepend(box);
  const oldest = answers.children[MAX_ANSWERS];
  oldest?.querySelector("button")?.click(); // Nobody sees what comes of it.
  oldest?.remove();
  ask(box, find<HTMLInputElement>("input").value);
});

/** Shows an answer as it comes. */
async function ask(box: HTMLElement, question: string): Promise<void> {
  const [text, note, button] = [find("p", box), find("small", box), find("button", box)];
  const stop = new AbortController();
  button.addEventListener("click", () => stop.abort());
  find("h2", box).textContent = question;
  box.ariaBusy = "true";
  let who = "";
  try {
    const words = answer(router, question, {
      signal: stop.signal,
      onWorker: (name) => note.textContent = who += who === "" ? name : `, then ${name}`,
      onRetry: ({ message }) => note.textContent = message,
    });
    for await (const word of words) text.append(word);
  } catch (error) {
    note.textContent = stop.signal.aborted ? `${who}, stopped` : (error as Error).message;
  }
  box.ariaBusy = "false";
  button.remove();
}
