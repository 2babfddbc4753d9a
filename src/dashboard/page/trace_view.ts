/**
 * {@linkcode TraceView}: which way packets take.
 *
 * @module
 */

import type { TraceReport } from "../../inspect/reports.ts";
import { find, html, setText } from "./dom.ts";
import { showTime } from "./payload.ts";
import type { Session } from "./session.ts";

/** A form, and the last way that was found. */
export class TraceView {
  readonly #session: Session;
  readonly #target: HTMLInputElement = find("trace-target", HTMLInputElement);
  readonly #result: HTMLElement = find("trace-result", HTMLElement);
  readonly #showWay: (addresses: string[]) => void;
  #asked: AbortController = new AbortController();

  /**
   * Constructs a new instance.
   *
   * @param showWay Is told of the routers on the way.
   */
  constructor(session: Session, showWay: (addresses: string[]) => void) {
    this.#session = session;
    this.#showWay = showWay;
    find("trace-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.trace(this.#target.value);
    });
  }

  /** Shows who can be traced. */
  update(): void {
    const list = find("addresses", HTMLDataListElement);
    const routes = this.#session.router.routes();
    const shown = new Set([...list.options].map(({ value }) => value));
    if (shown.size === routes.length && routes.every(({ address }) => shown.has(address))) return;
    list.replaceChildren(...routes.map(({ address }) => html("option", { value: address })));
  }

  /** Traces the way to a router. */
  async trace(address: string): Promise<void> {
    if (address === "") return;
    this.#target.value = address;
    this.#asked.abort();
    const { signal } = this.#asked = new AbortController();
    this.#result.replaceChildren(html("p", { class: "dim" }, "On the way …"));
    const start = performance.now();
    try {
      const report = await this.#session.inspector.trace(address, { signal });
      this.#show(address, report, performance.now() - start);
    } catch (error) {
      if (signal.aborted) return;
      this.#result.replaceChildren(html("p", { class: "failure" }, (error as Error).message));
    }
  }

  #show(target: string, { hops, reached, reason }: TraceReport, took: number): void {
    const links = hops.length - 1;
    const verdict = html("p", { class: reached ? "verdict" : "verdict failure" });
    const way = links === 1 ? "1 hop" : `${links} hops`;
    setText(
      verdict,
      reached
        ? `${target} is ${way} away. Asking took ${showTime(took)}.`
        : `${target} is not reached: ${reason ?? "nobody says why"}.`,
    );
    const list = html("ol", { class: "hops" });
    hops.forEach((hop, i) => {
      const { address, transport, roundTrip, at } = hop;
      const isLast = i === hops.length - 1;
      const trip = roundTrip === null ? "" : showTime(roundTrip);
      const link = [transport ?? "", trip].filter(Boolean).join(" · ");
      list.append(html(
        "li",
        { class: at === null && !reached && isLast ? "hop silent" : "hop" },
        html("span", { class: "hop-number" }, `${i}`),
        html("strong", { class: "name" }, address),
        html(
          "small",
          {},
          at === null
            ? "silent"
            : i === 0
            ? "here"
            : at === 0
            ? "answered"
            : `answered in ${showTime(at)}`,
        ),
        isLast ? null : html("span", { class: "hop-link" }, link || "link"),
      ));
    });
    this.#result.replaceChildren(verdict, list);
    this.#showWay(hops.map(({ address }) => address));
  }
}
