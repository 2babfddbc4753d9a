/**
 * {@linkcode ServicesView}: who offers what, and calling it.
 *
 * @module
 */

import type { Packet } from "../../wire/packet.ts";
import { find, html, KeyedList, setAttribute, setText } from "./dom.ts";
import { parsePayload, type PayloadFormat, showPayload, showSize, showTime } from "./payload.ts";
import type { Session } from "./session.ts";

/** Calls that are remembered, replies of each that are shown, and letters of a reply. */
const MAX_CALLS = 50;
const MAX_REPLIES = 200;
const MAX_TEXT = 20_000;

/** Rows that are shown at once: beyond it there is the filter. */
const MAX_ROWS = 400;

/** How many instances are asked for their reply, in ms of waiting. */
const MODES = ["call", "stream", "gather"] as const;
type Mode = typeof MODES[number];

/** A call as somebody wants it. */
interface Wanted {
  service: string;
  /** The instance; `""` for any. */
  dst: string;
  mode: Mode;
  payload: string;
  format: PayloadFormat;
  /** ms. */
  timeout: number;
}

interface Instance {
  address: string;
  capacity: number;
  hops: number | null;
}

interface Offered {
  service: string;
  instances: Instance[];
}

/** The services, a form, and what became of the calls. */
export class ServicesView {
  readonly #session: Session;
  readonly #filter: HTMLInputElement = find("service-filter", HTMLInputElement);
  readonly #form: HTMLFormElement = find("call-form", HTMLFormElement);
  readonly #service: HTMLInputElement = find("call-service", HTMLInputElement);
  readonly #instance: HTMLInputElement = find("call-instance", HTMLInputElement);
  readonly #payload: HTMLTextAreaElement = find("call-payload", HTMLTextAreaElement);
  readonly #timeout: HTMLInputElement = find("call-timeout", HTMLInputElement);
  readonly #error: HTMLElement = find("call-error", HTMLElement);
  readonly #history: HTMLElement = find("calls", HTMLElement);
  readonly #list: KeyedList<Offered>;
  readonly #calls: (() => void)[] = [];
  #opened: boolean = false;

  /** Constructs a new instance. */
  constructor(session: Session) {
    this.#session = session;
    this.#list = new KeyedList(
      find("services", HTMLElement),
      ({ service }) => service,
      ({ service }) => this.#makeService(service),
    );
    this.#filter.addEventListener("input", () => this.update());
    this.#service.addEventListener("input", () => this.#markChosen());
    this.#instance.addEventListener("input", () => this.#markChosen());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#payload.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    find("calls-clear", HTMLElement).addEventListener("click", () => {
      for (const stop of this.#calls.splice(0)) stop();
      this.#history.replaceChildren();
    });
  }

  /** Puts a service into the form. */
  choose(service: string, address: string): void {
    this.#service.value = service;
    this.#instance.value = address;
    this.#markChosen();
    this.#payload.focus();
  }

  /** Shows what is so now. */
  update(): void {
    const { router } = this.#session;
    const hops = new Map(router.routes().map(({ address, cost }) => [address, cost]));
    hops.set(router.address, 0);
    const wanted = this.#filter.value.trim().toLowerCase();
    const offered = new Map<string, Instance[]>();
    let rows = 0;
    const services = router.services();
    for (const { service, address, capacity } of services) {
      if (!`${service} ${address}`.toLowerCase().includes(wanted)) continue;
      if (++rows > MAX_ROWS) continue;
      const instance = { address, capacity, hops: hops.get(address) ?? null };
      const list = offered.get(service);
      if (list) list.push(instance);
      else offered.set(service, [instance]);
    }
    const lists = [...offered].map(([service, instances]) => ({
      service,
      instances: instances.sort((x, y) => x.capacity - y.capacity || order(x.address, y.address)),
    })).sort((x, y) => order(x.service, y.service));
    this.#list.show(lists);
    const shown = Math.min(rows, MAX_ROWS);
    const more = rows > shown ? `${shown} of ${rows}: filter to see the rest` : "";
    setText(find("services-more", HTMLElement), more);
    find("services-empty", HTMLElement).hidden = lists.length > 0;
    setText(
      find("services-empty", HTMLElement),
      services.length === 0 ? "No router offers a service yet." : "No service matches.",
    );
    if (!this.#opened && lists.length > 0 && this.#service.value === "") {
      this.#opened = true;
      this.#service.value = lists[0]!.service;
    }
    this.#markChosen();
  }

  #makeService(service: string) {
    const count = html("small");
    const name = html(
      "button",
      {
        type: "button",
        class: "pick",
        onclick: () => this.choose(service, ""),
      },
      html("span", { class: "name" }, service),
      count,
    );
    const list = html("ul");
    const instances = new KeyedList<Instance>(list, ({ address }) => address, ({ address }) => {
      const bar = html("span", { class: "bar" });
      const load = html("span", { class: "number" });
      const hops = html("span", { class: "number dim" });
      const button = html(
        "button",
        {
          type: "button",
          class: "instance",
          onclick: () => this.choose(service, address),
        },
        html("span", { class: "name" }, address),
        html("span", { class: "load" }, bar),
        load,
        hops,
      );
      button.dataset.service = service;
      button.dataset.address = address;
      return {
        element: html("li", {}, button),
        update: (item) => {
          bar.style.width = `${loadShare(item.capacity)}%`;
          setText(load, `${item.capacity}`);
          setText(
            hops,
            item.hops === null
              ? "?"
              : item.hops === 0
              ? "here"
              : `${item.hops} hop${item.hops === 1 ? "" : "s"}`,
          );
          setAttribute(button, "title", `load ${item.capacity} of 65535`);
        },
      };
    });
    return {
      element: html("li", { class: "service" }, name, list),
      update: (offered: Offered) => {
        const { length } = offered.instances;
        setText(count, length === 1 ? "" : `${length} instances`);
        instances.show(offered.instances);
      },
    };
  }

  #markChosen(): void {
    const [service, address] = [this.#service.value, this.#instance.value];
    for (const button of document.querySelectorAll<HTMLElement>("#services .instance")) {
      const is = button.dataset.service === service && button.dataset.address === address;
      setAttribute(button, "aria-pressed", is ? "true" : "false");
    }
    const known = this.#session.router.services().filter((it) => it.service === service);
    const options = new Set(known.map((it) => it.address));
    const list = find("instances", HTMLDataListElement);
    const shown = [...list.options].map(({ value }) => value);
    if (shown.length !== options.size || shown.some((it) => !options.has(it))) {
      list.replaceChildren(...[...options].map((value) => html("option", { value })));
    }
  }

  #send(): void {
    const data = new FormData(this.#form);
    setText(this.#error, "");
    const timeout = Number(this.#timeout.value) * 1_000;
    this.#run({
      service: this.#service.value,
      dst: this.#instance.value,
      mode: MODES.find((mode) => mode === data.get("mode")) ?? "call",
      payload: this.#payload.value,
      format: (data.get("format") ?? "text") as PayloadFormat,
      timeout: timeout > 0 ? timeout : 5_000,
    });
  }

  /** Makes a call, and shows what comes of it as it comes. */
  #run(wanted: Wanted): void {
    let bytes: Uint8Array;
    try {
      bytes = parsePayload(wanted.payload, wanted.format);
    } catch (error) {
      setText(this.#error, `Cannot read the payload: ${(error as Error).message}`);
      this.#payload.focus();
      return;
    }
    const { service, dst, mode } = wanted;
    const call = new CallElement(
      mode === "gather" ? `all of ${service}` : dst === "" ? service : `${service} at ${dst}`,
      mode,
      bytes,
      () => this.#run(wanted),
    );
    this.#history.prepend(call.element);
    this.#calls.push(() => call.stop());
    if (this.#calls.length > MAX_CALLS) this.#calls.shift()!();
    while (this.#history.children.length > MAX_CALLS) this.#history.lastElementChild!.remove();
    void this.#perform(wanted, bytes, call);
  }

  async #perform({ service, dst, mode, timeout }: Wanted, bytes: Uint8Array, call: CallElement) {
    const { router } = this.#session;
    const { signal } = call;
    const hops = ({ src }: Packet) =>
      src === router.address ? 0 : router.routes().find((it) => it.address === src)?.cost ?? null;
    const to = dst === "" ? {} : { dst };
    try {
      if (mode === "stream") {
        const replies = router.stream(service, bytes, { ...to, signal, idle: Infinity });
        for await (const packet of replies) call.reply(packet, hops(packet));
      } else if (mode === "gather") {
        const replies = await router.gather(service, bytes, {
          timeout,
          signal,
          onFailure: (address, error) => call.failure(address, error),
        });
        for (const packet of replies) call.reply(packet, hops(packet));
      } else {
        const packet = await router.request(service, bytes, { ...to, timeout, signal });
        call.reply(packet, hops(packet));
      }
      call.end("done");
    } catch (error) {
      if (signal.aborted) call.end("stopped");
      else {
        call.failure("", error);
        call.end("failed");
      }
    }
  }
}

type CallState = "running" | "done" | "stopped" | "failed";

/** One call in the history. */
class CallElement {
  readonly element: HTMLElement;
  readonly #abort: AbortController = new AbortController();
  readonly #start: number = performance.now();
  readonly #state: HTMLElement = html("span", { class: "call-state", role: "status" });
  readonly #replies: HTMLElement = html("ol");
  readonly #stop: HTMLElement;
  readonly #mode: Mode;
  #count: number = 0;
  #size: number = 0;

  constructor(what: string, mode: Mode, bytes: Uint8Array, again: () => void) {
    this.#mode = mode;
    this.#stop = html(
      "button",
      { type: "button", class: "small stop", onclick: () => this.stop() },
      "Stop",
    );
    const sent = bytes.length === 0 ? "nothing" : cut(showPayload(bytes), 200);
    this.element = html(
      "article",
      { class: "call" },
      html(
        "header",
        {},
        html("strong", { class: "name" }, what),
        this.#state,
        this.#stop,
        html("button", { type: "button", class: "small", onclick: again }, "Again"),
      ),
      html("p", { class: "sent", title: "What was sent" }, sent),
      this.#replies,
    );
    this.element.dataset.state = "running";
    this.#tell("running");
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Shows a reply. */
  reply(packet: Packet, hops: number | null): void {
    this.#count++;
    this.#size += packet.data.length;
    const way = hops === null ? "" : hops === 0 ? "here" : hops === 1 ? "1 hop" : `${hops} hops`;
    const meta = [packet.src, way, showTime(this.#elapsed)];
    this.#add("reply", meta, cut(showPayload(packet.data), MAX_TEXT) || "(empty)");
    this.#tell("running");
  }

  /** Shows why there is no reply. */
  failure(address: string, error: unknown): void {
    this.#add("failure", [address, showTime(this.#elapsed)], (error as Error).message);
  }

  /** The call is over. */
  end(state: CallState): void {
    this.element.dataset.state = state;
    this.#stop.remove();
    this.#tell(state);
  }

  get #elapsed(): number {
    return performance.now() - this.#start;
  }

  #add(kind: string, meta: string[], text: string): void {
    const words = meta.filter(Boolean).join(" · ");
    const line = html(
      "li",
      { class: kind },
      html("pre", {}, text),
      html("small", { class: "name" }, words),
    );
    if (this.#mode === "stream") this.#replies.prepend(line);
    else this.#replies.append(line);
    while (this.#replies.children.length > MAX_REPLIES) this.#replies.lastElementChild!.remove();
  }

  #tell(state: CallState): void {
    const many = this.#mode === "call" && this.#count === 1
      ? ""
      : `${this.#count} ${this.#count === 1 ? "reply" : "replies"}, ${showSize(this.#size)} · `;
    setText(
      this.#state,
      `${many}${state === "running" ? "…" : `${state}, ${showTime(this.#elapsed)}`}`,
    );
  }
}

/** How full an instance is, in percent: logarithmic, for most loads are small. */
function loadShare(capacity: number): number {
  return Math.round(100 * Math.log2(1 + capacity) / 16);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)} …` : text;
}
