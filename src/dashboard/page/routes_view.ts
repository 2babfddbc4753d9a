/**
 * {@linkcode RoutesView}: the ways that our router knows, and {@linkcode ProblemsView}: what is wrong.
 *
 * @module
 */

import type { RouteInfo } from "../../mesh/effects.ts";
import { find, html, KeyedList, setText } from "./dom.ts";
import { showAge, showTime } from "./payload.ts";
import type { Problem } from "./problems.ts";
import type { Session } from "./session.ts";

/** Rows that are shown at once: beyond it there is the filter. */
const MAX_ROWS = 500;

/** The table of routes. */
export class RoutesView {
  readonly #session: Session;
  readonly #filter: HTMLInputElement = find("route-filter", HTMLInputElement);
  readonly #list: KeyedList<RouteInfo>;

  /**
   * Constructs a new instance.
   *
   * @param select Is told of the router that was clicked.
   */
  constructor(session: Session, select: (address: string) => void) {
    this.#session = session;
    this.#filter.addEventListener("input", () => this.update());
    this.#list = new KeyedList(
      find("routes", HTMLElement),
      ({ address }) => address,
      ({ address }) => {
        const cell = () => html("td");
        const cells = [cell(), cell(), cell(), cell(), cell()] as const;
        const [via, hops, link, time, age] = cells;
        via.className = "name";
        const name = html("button", {
          type: "button",
          class: "link name",
          onclick: () => select(address),
        }, address);
        return {
          element: html("tr", {}, html("td", {}, name), ...cells),
          update: (route) => {
            setText(via, route.via === address ? "direct" : route.via || "?");
            via.classList.toggle("dim", route.via === address);
            setText(hops, `${route.cost}`);
            const channel = this.#session.report(this.#session.router.address)?.links
              .find((it) => it.address === route.via);
            setText(link, channel?.transport ?? "");
            const trip = this.#session.roundTrip(address);
            setText(time, trip === undefined ? "–" : showTime(trip));
            const changed = this.#session.age(address)?.changed ?? Date.now();
            setText(age, showAge(Date.now() - changed));
          },
        };
      },
    );
  }

  /** Shows what is so now. */
  update(): void {
    const wanted = this.#filter.value.trim().toLowerCase();
    const all = this.#session.router.routes();
    const routes = all
      .filter(({ address, via }) => `${address} ${via}`.toLowerCase().includes(wanted))
      .sort((x, y) => x.cost - y.cost || (x.address < y.address ? -1 : 1));
    this.#list.show(routes.slice(0, MAX_ROWS));
    const more = routes.length > MAX_ROWS
      ? `${MAX_ROWS} of ${routes.length}: filter to see more`
      : "";
    setText(find("routes-more", HTMLElement), more);
    const empty = find("routes-empty", HTMLElement);
    empty.hidden = routes.length > 0;
    setText(empty, all.length === 0 ? "No other router can be reached." : "No route matches.");
  }
}

/** What is wrong, in cards. */
export class ProblemsView {
  readonly #list: KeyedList<Problem>;

  /** Constructs a new instance. */
  constructor() {
    this.#list = new KeyedList(find("problems", HTMLElement), ({ key }) => key, (problem) => {
      const detail = html("p");
      const advice = html("p", { class: "dim" });
      const element = html(
        "li",
        { class: "problem" },
        html(
          "header",
          {},
          html("strong", {}, problem.kind),
          html("span", { class: "name" }, problem.subject),
        ),
        detail,
        advice,
      );
      element.dataset.severity = problem.severity;
      return {
        element,
        update: (now) => {
          setText(detail, now.detail);
          setText(advice, now.advice);
        },
      };
    });
  }

  /** Shows these. */
  update(problems: readonly Problem[]): void {
    this.#list.show(problems);
    find("problems-empty", HTMLElement).hidden = problems.length > 0;
  }
}
