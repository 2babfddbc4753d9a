/**
 * {@linkcode NodeCard}: one router in detail.
 *
 * @module
 */

import { find, html, KeyedList, setText } from "./dom.ts";
import { showTime } from "./payload.ts";
import type { Session } from "./session.ts";
import { hopsOf } from "./topology_view.ts";

/** What is known of one router, beside the picture. */
export class NodeCard {
  readonly #session: Session;
  readonly #card: HTMLElement = find("card", HTMLElement);
  readonly #name: HTMLElement = find("card-name", HTMLElement);
  readonly #facts: KeyedList<[string, string]>;
  readonly #links: KeyedList<{ key: string; cells: string[] }>;
  readonly #services: KeyedList<string>;
  #address: string | null = null;
  #info: [string, string][] = [];
  #asked: AbortController = new AbortController();

  /** Constructs a new instance. */
  constructor(
    session: Session,
    events: {
      close(): void;
      trace(address: string): void;
      call(service: string, address: string): void;
    },
  ) {
    this.#session = session;
    this.#facts = new KeyedList(find("card-facts", HTMLElement), ([name]) => name, () => {
      const [name, value] = [html("dt"), html("dd")];
      const element = html("div", {}, name, value);
      return {
        element,
        update: ([word, text]) => {
          setText(name, word);
          setText(value, text);
        },
      };
    });
    this.#links = new KeyedList(find("card-links", HTMLElement), ({ key }) => key, ({ cells }) => {
      const parts = cells.map(() => html("td"));
      return {
        element: html("tr", {}, ...parts),
        update: (item) => item.cells.forEach((text, i) => setText(parts[i]!, text)),
      };
    });
    this.#services = new KeyedList(
      find("card-services", HTMLElement),
      (service) => service,
      (service) => ({
        element: html(
          "li",
          {},
          html("button", {
            type: "button",
            class: "chip name",
            onclick: () => this.#address !== null && events.call(service, this.#address),
          }, service),
        ),
        update() {},
      }),
    );
    find("card-close", HTMLElement).addEventListener("click", events.close);
    find("card-trace", HTMLElement).addEventListener("click", () => {
      if (this.#address !== null) events.trace(this.#address);
    });
    find("card-ping", HTMLElement).addEventListener("click", () => void this.#ping());
  }

  /** Shows a router; `null` for none. */
  show(address: string | null): void {
    if (address !== this.#address) {
      this.#asked.abort();
      this.#info = [];
      this.#address = address;
      setText(find("card-pong", HTMLElement), "");
      if (address !== null) void this.#ask(address);
    }
    this.update();
  }

  /** Shows what is so now. */
  update(): void {
    const address = this.#address;
    const node = this.#session.graph.nodes.find((it) => it.address === address);
    this.#card.hidden = address === null;
    if (address === null) return;
    setText(this.#name, address);
    this.#card.classList.toggle("gone", !node);
    const facts: [string, string][] = node
      ? [
        ["Distance", hopsOf(node)],
        ...(node.hops > 1 ? [["By way of", node.via] as [string, string]] : []),
      ]
      : [["Distance", "gone"]];
    this.#facts.show([...facts, ...this.#info]);
    const report = node ? this.#session.report(address) : undefined;
    this.#links.show((report?.links ?? []).map((link) => ({
      key: `${link.id}`,
      cells: [
        link.neighbours ? `${link.neighbours.length} on it` : link.address || "?",
        link.transport ?? "",
        `${link.cost}`,
        link.roundTrip === null ? "–" : showTime(link.roundTrip),
      ],
    })));
    const services = this.#session.router.services()
      .filter((it) => it.address === address)
      .map(({ service }) => service)
      .sort();
    this.#services.show(services);
  }

  async #ask(address: string): Promise<void> {
    this.#asked = new AbortController();
    try {
      const { signal } = this.#asked;
      const { runtime, version, uptime } = await this.#session.inspector.info(address, { signal });
      this.#info = [["Runs in", runtime], ["Version", version], ["Up for", showTime(uptime)]];
    } catch {
      if (this.#address !== address) return;
      this.#info = [["Says", "nothing of itself"]];
    }
    if (this.#address === address) this.update();
  }

  async #ping(): Promise<void> {
    const address = this.#address;
    if (address === null) return;
    const pong = find("card-pong", HTMLElement);
    setText(pong, "…");
    try {
      const time = showTime(await this.#session.inspector.ping(address));
      if (this.#address === address) setText(pong, time);
    } catch (error) {
      if (this.#address === address) setText(pong, (error as Error).message);
    }
  }
}
