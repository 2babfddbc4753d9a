/**
 * {@linkcode LogView}: the packets that this page's router sees.
 *
 * @module
 */

import { find, html, KeyedList, setText, VirtualList } from "./dom.ts";
import {
  fieldsOf,
  jsonLine,
  type LoggedPacket,
  type PacketFilter,
  parseFilter,
  routingOf,
} from "./packets.ts";
import { hexDump, previewPayload, readableText, showPayload, showSize } from "./payload.ts";
import type { Session } from "./session.ts";

/** How high a row is, in pixels. */
const ROW = 24;

/** Letters of a payload in a row. */
const PREVIEW = 60;

/** The log. */
export class LogView {
  readonly #session: Session;
  readonly #filter: HTMLInputElement = find("log-filter", HTMLInputElement);
  readonly #routing: HTMLInputElement = find("log-routing", HTMLInputElement);
  readonly #inspection: HTMLInputElement = find("log-inspection", HTMLInputElement);
  readonly #pause: HTMLButtonElement = find("log-pause", HTMLButtonElement);
  readonly #view: HTMLElement = find("log", HTMLElement);
  readonly #details: HTMLElement = find("packet", HTMLElement);
  readonly #fields: KeyedList<[string, string]>;
  readonly #list: VirtualList;
  /** Numbers of the packets that are shown. */
  #shown: number[] = [];
  #next: number = 0;
  /** Whether the latest packet is kept in view: until somebody scrolls away from it. */
  #follows: boolean = true;
  #holds: PacketFilter = () => true;
  #selected: number | null = null;

  /** Constructs a new instance. */
  constructor(session: Session) {
    this.#session = session;
    this.#list = new VirtualList(this.#view, ROW, makeRow, (index, row) => {
      const number = this.#shown[index]!;
      const packet = session.packets.get(number);
      row.classList.toggle("selected", number === this.#selected);
      if (row.dataset.number === `${number}` || !packet) return;
      row.dataset.number = `${number}`;
      drawRow(row, packet);
    });
    this.#fields = new KeyedList(find("packet-fields", HTMLElement), ([name]) => name, ([name]) => {
      const value = html("dd", { class: "name" });
      return {
        element: html("div", {}, html("dt", {}, name), value),
        update: ([, text]) => setText(value, text),
      };
    });
    for (const input of [this.#filter, this.#routing, this.#inspection]) {
      input.addEventListener("input", () => this.#choose());
    }
    this.#pause.addEventListener("click", () => {
      session.recording = !session.recording;
      this.#pause.ariaPressed = `${!session.recording}`;
      setText(this.#pause, session.recording ? "Pause" : "Resume");
    });
    this.#view.addEventListener("scroll", () => {
      if (this.#view.clientHeight > 0) this.#follows = this.#list.atEnd;
    }, { passive: true });
    find("log-clear", HTMLElement).addEventListener("click", () => {
      session.packets.clear();
      this.#select(null);
      this.#choose();
    });
    find("log-export", HTMLElement).addEventListener("click", () => this.#export());
    find("packet-close", HTMLElement).addEventListener("click", () => this.#select(null));
    this.#view.addEventListener("click", ({ target }) => {
      const index = (target as Element).closest<HTMLElement>(".packet-row")?.dataset.index;
      if (index !== undefined) this.#select(Number(index));
    });
    this.#view.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const at = this.#selected === null ? -1 : this.#shown.indexOf(this.#selected);
      const next = at < 0 ? this.#shown.length - 1 : at + step;
      if (next < 0 || next >= this.#shown.length) return;
      this.#select(next);
      this.#list.reveal(next);
    });
    this.#choose();
  }

  /** Shows what has come. */
  update(): void {
    const { packets } = this.#session;
    const follow = this.#follows;
    this.#next = Math.max(this.#next, packets.first);
    for (; this.#next < packets.end; this.#next++) {
      const packet = packets.get(this.#next);
      if (packet && this.#holds(packet)) this.#shown.push(this.#next);
    }
    let gone = 0;
    while (gone < this.#shown.length && this.#shown[gone]! < packets.first) gone++;
    if (gone > 0) {
      this.#shown.splice(0, gone);
      if (!follow) this.#view.scrollTop = Math.max(0, this.#view.scrollTop - gone * ROW);
    }
    this.#list.show(this.#shown.length, follow);
    setText(
      find("log-count", HTMLElement),
      this.#shown.length === packets.length
        ? `${packets.length}`
        : `${this.#shown.length} of ${packets.length}`,
    );
    find("log-empty", HTMLElement).hidden = this.#shown.length > 0;
  }

  /** Goes through all of them again. */
  #choose(): void {
    this.#holds = parseFilter(this.#filter.value, {
      routing: !this.#routing.checked,
      inspection: !this.#inspection.checked,
    });
    this.#shown = [];
    this.#next = 0;
    this.#follows = true;
    this.update();
  }

  #select(index: number | null): void {
    const number = index === null ? null : this.#shown[index] ?? null;
    const packet = number === null ? undefined : this.#session.packets.get(number);
    this.#selected = packet ? number : null;
    this.#details.hidden = !packet;
    this.#list.draw();
    if (!packet) return;
    this.#fields.show(fieldsOf(packet));
    setText(find("packet-time", HTMLElement), time(packet.at));
    setText(find("packet-text", HTMLElement), contentOf(packet));
    setText(find("packet-hex", HTMLElement), hexDump(packet.data));
  }

  #export(): void {
    const lines = this.#shown.map((number) => this.#session.packets.get(number))
      .filter((packet) => packet !== undefined)
      .map((packet) => `${jsonLine(packet)}\n`);
    const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
    html("a", { href: url, download: "packets.jsonl" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000); // The browser has begun to read it by then.
  }
}

/** The parts of a row, in their order. */
const PARTS = ["time", "way", "who", "what", "size", "preview"] as const;

function makeRow(): HTMLElement {
  return html(
    "div",
    { class: "packet-row" },
    ...PARTS.map((part) => html("span", { class: `p-${part}` })),
  );
}

function drawRow(row: HTMLElement, packet: LoggedPacket): void {
  const { direction, src, dst, net, service, role, size } = packet;
  const to = dst || (net === 0 ? "all" : "neighbour");
  const texts: Record<typeof PARTS[number], string> = {
    time: time(packet.at),
    way: direction === "in" ? "←" : "→",
    who: `${src || "neighbour"} → ${to}`,
    what: service === "" ? role : `${service} ${role}`,
    size: size === 0 ? "" : showSize(size),
    preview: preview(packet),
  };
  row.dataset.direction = direction;
  PARTS.forEach((part, i) => setText(row.children[i]!, texts[part]));
}

function preview(packet: LoggedPacket): string {
  if (packet.net === 0) return previewPayload(packet.data, PREVIEW);
  const lines = routingOf(packet) ?? [];
  return lines.length > 1 ? `${lines[0]}, and ${lines.length - 1} more` : lines[0] ?? "";
}

function contentOf(packet: LoggedPacket): string {
  if (packet.net !== 0) return routingOf(packet)?.join("\n") ?? "";
  return readableText(packet.data) === null ? "" : showPayload(packet.data);
}

function time(at: number): string {
  const date = new Date(at);
  return `${date.toTimeString().slice(0, 8)}.${`${date.getMilliseconds()}`.padStart(3, "0")}`;
}
