/**
 * {@linkcode ConnectView}: where the page connects to, and how others find it.
 *
 * @module
 */

import { find, html, KeyedList, setText, svg } from "./dom.ts";
import { encodeQr } from "./qr.ts";
import type { Session } from "./session.ts";

/** Where known URLs are kept, and how many. */
const STORE = "aln.urls";
const MAX_URLS = 12;

/** The quiet zone around a QR code, in modules. */
const QUIET = 4;

/** Letters that a beacon may have, and how many beacons are shown. */
const MAX_BEACON = 300;
const MAX_BEACONS = 50;

/** A dialog. */
export class ConnectView {
  readonly #session: Session;
  readonly #home: string;
  readonly #dialog: HTMLDialogElement = find("connect", HTMLDialogElement);
  readonly #url: HTMLInputElement = find("connect-url", HTMLInputElement);
  readonly #key: HTMLInputElement = find("connect-key", HTMLInputElement);
  readonly #error: HTMLElement = find("connect-error", HTMLElement);
  readonly #known: KeyedList<string>;
  readonly #beacons: KeyedList<string>;

  /**
   * Constructs a new instance.
   *
   * @param home The URL that the page came from, as one to join.
   */
  constructor(session: Session, home: string) {
    this.#session = session;
    this.#home = home;
    this.#known = new KeyedList(find("known", HTMLElement), (url) => url, (url) => {
      const forget = html("button", {
        type: "button",
        class: "small",
        "aria-label": `Forget ${url}`,
        onclick: () => {
          keepUrls(knownUrls().filter((it) => it !== url));
          this.update();
        },
      }, "Forget");
      return this.#row(url, url === home ? html("small", {}, "this server") : forget);
    });
    this.#beacons = new KeyedList(
      find("beacons", HTMLElement),
      (url) => url,
      (url) =>
        /^wss?:/.test(url) ? this.#row(url, null) : {
          element: html(
            "li",
            {},
            html("span", { class: "name" }, url),
            html("small", {}, "not from a page"),
          ),
          update() {},
        },
    );
    find("connect-open", HTMLElement).addEventListener("click", () => this.open());
    find("connect-close", HTMLElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", ({ target }) => {
      if (target === this.#dialog) this.#dialog.close(); // Beside it.
    });
    find("connect-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#connect(this.#url.value.trim());
    });
    for (const input of document.querySelectorAll<HTMLInputElement>("input[name=qr]")) {
      input.addEventListener("change", () => this.#showQr());
    }
  }

  /** Opens it. */
  open(): void {
    this.#url.value = this.#session.url;
    setText(this.#error, "");
    this.update();
    this.#showQr();
    this.#dialog.showModal();
    void this.#hearBeacons();
  }

  /** Shows what is so now. */
  update(): void {
    if (!this.#dialog.open && this.#known === undefined) return;
    this.#known.show([...new Set([this.#home, ...knownUrls()])]);
  }

  #row(url: string, extra: Node | null) {
    const button = html(
      "button",
      { type: "button", class: "link name", onclick: () => this.#connect(url) },
      url,
    );
    return {
      element: html("li", {}, button, extra),
      update: () => {
        button.ariaCurrent = url === this.#session.url ? "true" : "false";
      },
    };
  }

  #connect(url: string): void {
    try {
      this.#session.connect(url, this.#key.value);
    } catch (error) {
      setText(this.#error, (error as Error).message);
      return;
    }
    keepUrls([this.#session.url, ...knownUrls().filter((it) => it !== this.#session.url)]);
    this.#dialog.close();
  }

  /** Asks the server that served the page for the beacons that it hears: a page hears none itself. */
  async #hearBeacons(): Promise<void> {
    const heading = find("beacons-heading", HTMLElement);
    try {
      const response = await fetch("beacons");
      const urls: unknown = response.ok ? await response.json() : [];
      const texts = Array.isArray(urls)
        ? urls.filter((it) => typeof it === "string" && it.length <= MAX_BEACON)
        : [];
      heading.hidden = texts.length === 0;
      this.#beacons.show(texts.slice(0, MAX_BEACONS));
    } catch {
      heading.hidden = true; // The server is gone, or a file.
      this.#beacons.show([]);
    }
  }

  #showQr(): void {
    const isPage =
      document.querySelector<HTMLInputElement>("input[name=qr]:checked")?.value === "page";
    const text = isPage ? location.origin + location.pathname : this.#session.url;
    const matrix = encodeQr(text);
    const picture = find("qr", SVGSVGElement);
    setText(find("qr-text", HTMLElement), matrix ? text : "This URL is too long for a code.");
    picture.replaceChildren();
    if (!matrix) return;
    const size = matrix.length + 2 * QUIET;
    picture.setAttribute("viewBox", `0 0 ${size} ${size}`);
    const path = matrix.flatMap((row, r) =>
      row.flatMap((dark, c) => dark ? [`M${c + QUIET} ${r + QUIET}h1v1h-1z`] : [])
    );
    picture.append(svg("title", {}, text), svg("path", { d: path.join("") }));
  }
}

/** The URLs that were connected to, the latest first. */
export function knownUrls(): string[] {
  try {
    const urls: unknown = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    return Array.isArray(urls) ? urls.filter((url) => typeof url === "string") : [];
  } catch {
    return []; // Storage is forbidden, or somebody else has written there.
  }
}

function keepUrls(urls: string[]): void {
  try {
    localStorage.setItem(STORE, JSON.stringify(urls.slice(0, MAX_URLS)));
  } catch {
    // They are forgotten with the page.
  }
}
