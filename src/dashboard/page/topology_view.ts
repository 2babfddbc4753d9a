/**
 * {@linkcode TopologyView}: the mesh as a picture that settles.
 *
 * @module
 */

import { find, html, setAttribute, setText, svg, VirtualList } from "./dom.ts";
import { edgesOfWay, type Graph, type GraphEdge, type GraphHub, type GraphNode } from "./graph.ts";
import { type Body, Layout } from "./layout.ts";
import { showTime } from "./payload.ts";
import type { Session } from "./session.ts";

/** More than this many routers are a table. */
const MAX_DRAWN = 500;

/** Up to how many links all are labelled. */
const MAX_EDGE_LABELS = 24;

/** How much room a name takes, in pixels²: where there is less, only those with the most links have one. */
const NAME_AREA = 6_400;
const MAX_LANDMARKS = 8;

/** How much room there is around the picture, in pixels, and how far it can be magnified. */
const MARGIN_X = 72;
const NARROW_MARGIN_X = 36;
const MARGIN_Y = 48;
const MIN_ZOOM = 0.15;
const MAX_ZOOM = 3;
const MAX_FIT = 1.6;

/** How large names are, in pixels on the screen; they grow only beyond these sizes of the picture. */
const NAME_SIZE = 12;
const LABEL_SIZE = 10.5;
const LEAST_SCALE = 0.42;
const MOST_SCALE = 1.6;

/** How wide a letter is at most, as a share of its size: a link that is shorter than its label has none. */
const LETTER = 0.62;

/** How fast the picture follows its frame, as a share of the way in a frame. */
const FOLLOW = 0.18;

/** From how far on a press is a drag, in pixels. */
const DRAG = 4;

/** How long a pulse takes along a link, in ms, how many there are on one, and in all. */
const PULSE = 900;
const MAX_PULSES = 4;
const MAX_ALL_PULSES = 80;

/** How long the layout may work at once, in ms, where nothing is to be seen moving. */
const SLICE = 12;

/** Letters of a name that are shown. */
const MAX_NAME = 24;

/** What a view tells of. */
export interface TopologyEvents {
  /** A router was chosen; `null` for none. */
  select(address: string | null): void;
  /** The way to a router is wanted. */
  trace(address: string): void;
}

interface NodeElement {
  group: SVGGElement;
  circle: SVGCircleElement;
  label: SVGTextElement;
  title: SVGTitleElement;
  body: Body | undefined;
}

interface EdgeElement {
  line: SVGPathElement;
  label: SVGTextElement;
  title: SVGTitleElement;
  edge: GraphEdge;
  from: Body | undefined;
  to: Body | undefined;
}

/** The picture. */
export class TopologyView {
  readonly #session: Session;
  readonly #events: TopologyEvents;
  readonly #frame: SVGSVGElement = find("map", SVGSVGElement);
  readonly #scene: SVGGElement = svg("g");
  readonly #edgeLayer: SVGGElement = svg("g", { class: "edges" });
  readonly #pulseLayer: SVGGElement = svg("g", { class: "pulses" });
  readonly #labelLayer: SVGGElement = svg("g", { class: "labels" });
  readonly #nodeLayer: SVGGElement = svg("g", { class: "nodes" });
  readonly #layout: Layout = new Layout();
  readonly #nodes: Map<string, NodeElement> = new Map();
  readonly #edges: Map<string, EdgeElement> = new Map();
  readonly #calm: MediaQueryList = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #crowd: HTMLElement = find("crowd", HTMLElement);
  readonly #crowdList: VirtualList;
  #graph: Graph = { nodes: [], edges: [], hubs: [] };
  #selected: string | null = null;
  #traced: Set<string> = new Set();
  #planned: boolean = false;
  #pulses: number = 0;
  #view: { x: number; y: number; zoom: number } = { x: 0, y: 0, zoom: 1 };
  #fitting: boolean = true;
  #scale: number = 0;
  #width: number = 0;
  #height: number = 0;
  /** Fingers and the mouse that are down: where, and what each holds. */
  readonly #pointers: Map<number, { x: number; y: number }> = new Map();
  #grab: { name: string | null; x: number; y: number; moved: boolean } | null = null;

  /** Constructs a new instance. */
  constructor(session: Session, events: TopologyEvents) {
    this.#session = session;
    this.#events = events;
    this.#scene.append(this.#edgeLayer, this.#pulseLayer, this.#labelLayer, this.#nodeLayer);
    this.#frame.append(this.#scene);
    this.#crowdList = new VirtualList(
      this.#crowd,
      28,
      () => html("button", { type: "button", class: "crowd-row" }),
      (index, row) => {
        const node = this.#graph.nodes[index]!;
        setText(row, `${node.address} · ${hopsOf(node)} · ${servicesOf(node)}`);
        row.dataset.address = node.address;
      },
    );
    this.#crowd.addEventListener("click", ({ target }) => {
      const address = (target as HTMLElement).dataset.address;
      if (address !== undefined) this.#events.select(address);
    });
    new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width === 0 || height === 0) return;
      this.#width = width;
      this.#height = height;
      if (this.#fitting) this.#jump();
      this.#draw();
    }).observe(this.#frame);
    this.#listen();
  }

  /** Marks a router; `null` for none. */
  select(address: string | null): void {
    this.#selected = address;
    this.#mark();
  }

  /** Marks the links of a way. */
  showWay(addresses: readonly string[]): void {
    this.#traced = new Set(edgesOfWay(this.#graph, addresses));
    this.#mark();
  }

  /** Shows what is so now. */
  update(): void {
    const graph = this.#session.graph;
    if (graph === this.#graph) return;
    this.#graph = graph;
    const { nodes, edges, hubs } = graph;
    const crowded = nodes.length > MAX_DRAWN;
    this.#frame.toggleAttribute("hidden", crowded);
    this.#crowd.hidden = !crowded;
    if (crowded) {
      this.#crowdList.show(nodes.length, false);
      return;
    }
    const changed = this.#layout.set(
      [...nodes.map(({ address }) => address), ...hubs.map(({ name }) => name)],
      edges.map(({ a, b }) => [a, b] as const),
    );
    for (const [address, { group }] of this.#nodes) {
      if (this.#layout.bodies.has(address)) continue;
      group.remove();
      this.#nodes.delete(address);
    }
    for (const node of nodes) this.#showNode(node);
    for (const hub of hubs) this.#showHub(hub);
    const kept = new Set(edges.map(({ key }) => key));
    for (const [key, { line, label }] of this.#edges) {
      if (kept.has(key)) continue;
      line.remove();
      label.remove();
      this.#edges.delete(key);
    }
    for (const edge of edges) this.#showEdge(edge);
    const degree = (address: string) => this.#layout.bodies.get(address)?.degree ?? 0;
    const most = nodes.map(({ address }) => degree(address)).sort((x, y) => y - x);
    const least = Math.max(3, most[MAX_LANDMARKS - 1] ?? 0);
    for (const [address, { group }] of this.#nodes) {
      group.classList.toggle("landmark", degree(address) > least);
    }
    this.#frame.classList.toggle("many-links", edges.length > MAX_EDGE_LABELS);
    this.#mark();
    if (changed) this.#move();
  }

  /** Lets packets be seen that have passed since the last time. */
  pulse(): void {
    if (this.#calm.matches || document.hidden || this.#layout.moving) return;
    for (const { edge, from, to } of this.#edges.values()) {
      if (edge.rate === 0 || !from || !to) continue;
      const count = Math.min(MAX_PULSES, 1 + Math.floor(Math.log10(1 + edge.rate)));
      for (let i = 0; i < count; i++) this.#pulseAlong(from, to, i * PULSE / count, i % 2 === 1);
    }
  }

  /** Shows all of it. */
  fit(): void {
    this.#fitting = true;
    this.#jump();
    this.#draw();
  }

  /** Makes it larger or smaller. */
  zoom(factor: number, x: number = this.#width / 2, y: number = this.#height / 2): void {
    this.#fitting = false;
    const view = this.#view;
    const zoom = Math.min(MAX_ZOOM, Math.max(MIN_ZOOM, view.zoom * factor));
    view.x = x - (x - view.x) * zoom / view.zoom;
    view.y = y - (y - view.y) * zoom / view.zoom;
    view.zoom = zoom;
    this.#draw();
  }

  // ── what is drawn ─────────────────────────────────────────────────────────

  #showNode(node: GraphNode): void {
    const { address, services, tells, hops } = node;
    let element = this.#nodes.get(address);
    if (!element) {
      element = this.#makeNode(address, hops === 0);
      this.#nodes.set(address, element);
      this.#nodeLayer.append(element.group);
    }
    element.body = this.#layout.bodies.get(address);
    const radius = Math.min(20, 7 + 2.4 * Math.sqrt(services));
    setAttribute(element.circle, "r", radius.toFixed(1));
    this.#placeName(element);
    element.group.classList.toggle("silent", !tells);
    const words = `${address}, ${hopsOf(node)}, ${servicesOf(node)}`;
    setText(element.title, words);
    setAttribute(element.group, "aria-label", words);
  }

  /** A segment: there is nothing to choose in it. */
  #showHub({ name, transport, members }: GraphHub): void {
    let element = this.#nodes.get(name);
    if (!element) {
      const circle = svg("circle", { r: 5 });
      const label = svg("text", { class: "name" }, shorten(transport || "segment"));
      const title = svg("title");
      const group = svg("g", { class: "hub" }, circle, label, title);
      element = { group, circle, label, title, body: undefined };
      this.#nodes.set(name, element);
      this.#nodeLayer.append(group);
    }
    element.body = this.#layout.bodies.get(name);
    this.#placeName(element);
    setText(element.title, `${transport || "segment"}: ${members} routers share it`);
  }

  #makeNode(address: string, isSelf: boolean): NodeElement {
    const circle = svg("circle");
    const label = svg("text", { class: "name" }, shorten(address));
    const title = svg("title");
    const group = svg(
      "g",
      { class: isSelf ? "node self" : "node", role: "button", tabindex: isSelf ? "0" : "-1" },
      svg("circle", { class: "halo", r: 26 }),
      circle,
      label,
      title,
    );
    group.dataset.address = address;
    return { group, circle, label, title, body: undefined };
  }

  #showEdge(edge: GraphEdge): void {
    let element = this.#edges.get(edge.key);
    if (!element) {
      const title = svg("title");
      const line = svg("path", { class: "edge" }, title);
      const label = svg("text", { class: "link-label" });
      element = { line, label, title, edge, from: undefined, to: undefined };
      this.#edges.set(edge.key, element);
      this.#edgeLayer.append(line);
      this.#labelLayer.append(label);
    }
    element.edge = edge;
    element.from = this.#layout.bodies.get(edge.a);
    element.to = this.#layout.bodies.get(edge.b);
    element.line.classList.toggle("learned", !edge.direct);
    element.line.classList.toggle("half-open", edge.halfOpen !== null);
    const hub = this.#graph.hubs.find(({ name }) => name === edge.a || name === edge.b);
    const shown = (end: string) => end === hub?.name ? "all on it" : end;
    setText(element.label, hub ? "" : edgeLabel(edge));
    setText(element.title, edgeTitle({ ...edge, a: shown(edge.a), b: shown(edge.b) }));
  }

  /** Shows what is selected, traced and near to it. */
  #mark(): void {
    const selected = this.#selected;
    for (const [address, { group }] of this.#nodes) {
      group.classList.toggle("selected", address === selected);
      if (address !== selected) group.classList.remove("near");
    }
    for (const { edge, line, label } of this.#edges.values()) {
      const near = edge.a === selected || edge.b === selected;
      const traced = this.#traced.has(edge.key);
      line.classList.toggle("near", near);
      line.classList.toggle("traced", traced);
      label.classList.toggle("near", near || traced);
      if (near || traced) {
        this.#nodes.get(edge.a)?.group.classList.add("near");
        this.#nodes.get(edge.b)?.group.classList.add("near");
      }
    }
  }

  /** Lets the layout settle: in frames that can be seen; or, for who wants no motion, in none. */
  #move(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#frame.classList.add("moving");
    const settled = () => {
      this.#planned = false;
      this.#frame.classList.remove("moving");
      if (this.#fitting) this.#jump();
      this.#draw();
    };
    if (this.#calm.matches) {
      const work = () => {
        const end = performance.now() + SLICE;
        while (this.#layout.step()) {
          if (performance.now() > end) return void setTimeout(work);
        }
        settled();
      };
      return work();
    }
    const frame = () => {
      const moving = this.#layout.step();
      if (!moving && this.#isFramed()) return settled();
      if (this.#fitting) this.#follow();
      this.#draw();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  #draw(): void {
    const { x, y, zoom } = this.#view;
    setAttribute(
      this.#scene,
      "transform",
      `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${zoom.toFixed(3)})`,
    );
    this.#sizeText();
    for (const { group, body } of this.#nodes.values()) {
      if (body) {
        group.setAttribute("transform", `translate(${body.x.toFixed(1)} ${body.y.toFixed(1)})`);
      }
    }
    const labels = !this.#planned;
    for (const { line, label, from, to } of this.#edges.values()) {
      if (!from || !to) continue;
      const start = `${from.x.toFixed(1)} ${from.y.toFixed(1)}`;
      line.setAttribute("d", `M${start}L${to.x.toFixed(1)} ${to.y.toFixed(1)}`);
      if (!labels) continue;
      const room = Math.hypot(to.x - from.x, to.y - from.y) - 44;
      const width = label.textContent.length * LETTER * LABEL_SIZE / this.#scale;
      label.classList.toggle("short", room < width);
      setAttribute(label, "x", ((from.x + to.x) / 2).toFixed(1));
      setAttribute(label, "y", ((from.y + to.y) / 2 - 4).toFixed(1));
    }
  }

  /** Names stay legible when the picture is small, and do not shout when it is large. */
  #sizeText(): void {
    const small = this.#view.zoom < LEAST_SCALE;
    const full = this.#nodes.size > this.#width * this.#height / NAME_AREA;
    this.#frame.classList.toggle("dense", small || full);
    const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.#view.zoom));
    if (Math.abs(scale / this.#scale - 1) < 0.08) return; // Not in every frame.
    this.#scale = scale;
    this.#nodeLayer.setAttribute("font-size", (NAME_SIZE / scale).toFixed(1));
    this.#labelLayer.setAttribute("font-size", (LABEL_SIZE / scale).toFixed(1));
    for (const element of this.#nodes.values()) this.#placeName(element);
  }

  #placeName({ circle, label }: NodeElement): void {
    const size = NAME_SIZE / (this.#scale || 1);
    setAttribute(label, "y", (Number(circle.getAttribute("r")) + size + 2).toFixed(1));
  }

  #pulseAlong(from: Body, to: Body, delay: number, back: boolean): void {
    if (this.#pulses >= MAX_ALL_PULSES) return;
    this.#pulses++;
    const [a, b] = back ? [to, from] : [from, to];
    const dot = svg("circle", { class: "pulse", r: 3 });
    this.#pulseLayer.append(dot);
    const place = ({ x, y }: Body) => `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    const steps = { transform: [place(a), place(b)], opacity: [0, 1, 1, 0] };
    const animation = dot.animate(steps, { duration: PULSE, delay, fill: "both" });
    const end = () => {
      this.#pulses--;
      dot.remove();
    };
    animation.finished.then(end, end);
  }

  // ── the frame ─────────────────────────────────────────────────────────────

  /** How all of it fits. */
  #target(): { x: number; y: number; zoom: number } {
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { x, y } of this.#layout.bodies.values()) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    if (left > right || this.#width === 0) return this.#view;
    const margin = this.#width < 600 ? NARROW_MARGIN_X : MARGIN_X;
    const zoom = Math.min(
      MAX_FIT,
      Math.max(1, this.#width - 2 * margin) / Math.max(1, right - left),
      Math.max(1, this.#height - 2 * MARGIN_Y) / Math.max(1, bottom - top),
    );
    return {
      x: this.#width / 2 - zoom * (left + right) / 2,
      y: this.#height / 2 - zoom * (top + bottom) / 2,
      zoom,
    };
  }

  #jump(): void {
    Object.assign(this.#view, this.#target());
  }

  #follow(): void {
    const target = this.#target();
    const view = this.#view;
    for (const name of ["x", "y", "zoom"] as const) {
      view[name] += (target[name] - view[name]) * FOLLOW;
    }
  }

  #isFramed(): boolean {
    if (!this.#fitting) return true;
    const target = this.#target();
    const { x, y, zoom } = this.#view;
    const near = Math.abs(target.x - x) < 0.5 && Math.abs(target.y - y) < 0.5;
    return near && Math.abs(target.zoom - zoom) < 0.002;
  }

  // ── hands ─────────────────────────────────────────────────────────────────

  #listen(): void {
    const frame = this.#frame;
    const addressOf = (event: Event) =>
      (event.target as Element).closest<SVGGElement>(".node")?.dataset.address ?? null;
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      frame.setPointerCapture(event.pointerId);
      this.#grab = {
        ...{ name: addressOf(event), x: event.clientX, y: event.clientY, moved: false },
      };
    });
    frame.addEventListener("pointermove", (event) => this.#drag(event));
    const up = (event: PointerEvent) => {
      if (!this.#pointers.delete(event.pointerId)) return;
      const grab = this.#grab;
      if (this.#pointers.size > 0 || grab === null) return;
      this.#grab = null;
      if (grab.moved) {
        if (grab.name !== null) this.#layout.release(grab.name);
      } else if (event.type === "pointerup") {
        this.#events.select(grab.name);
        if (grab.name !== null) this.#focus(grab.name);
      }
    };
    frame.addEventListener("pointerup", up);
    frame.addEventListener("pointercancel", up);
    frame.addEventListener("dblclick", ({ clientX, clientY }) => {
      // The pointer was captured: what is below it says who is meant.
      const target = document.elementFromPoint(clientX, clientY);
      const address = target?.closest<SVGGElement>(".node")?.dataset.address;
      if (address !== undefined) this.#events.trace(address);
    });
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { left, top } = frame.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 400), event.clientX - left, event.clientY - top);
    }, { passive: false });
    frame.addEventListener("keydown", (event) => {
      const address = addressOf(event);
      if (address === null) return;
      if (event.key === "Enter" || event.key === " ") this.#events.select(address);
      else if (event.key === "t") this.#events.trace(address);
      else if (event.key === "Escape") this.#events.select(null);
      else if (event.key.startsWith("Arrow")) this.#walk(address, event.key.slice(5));
      else return;
      event.preventDefault();
    });
  }

  #drag(event: PointerEvent): void {
    const last = this.#pointers.get(event.pointerId);
    const grab = this.#grab;
    if (!last || !grab) return;
    const { clientX: x, clientY: y } = event;
    if (!grab.moved && Math.hypot(x - grab.x, y - grab.y) < DRAG) return;
    grab.moved = true;
    const view = this.#view;
    const { left, top } = this.#frame.getBoundingClientRect();
    if (this.#pointers.size === 2) {
      const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId)
        .map(([, at]) => at);
      const before = Math.hypot(last.x - other!.x, last.y - other!.y);
      const after = Math.hypot(x - other!.x, y - other!.y);
      if (before > 0) this.zoom(after / before, other!.x - left, other!.y - top);
    } else if (grab.name !== null) {
      this.#layout.hold(
        grab.name,
        (x - left - view.x) / view.zoom,
        (y - top - view.y) / view.zoom,
      );
      this.#fitting = false; // The picture is not to slip away from under the hand.
      this.#move();
    } else {
      this.#fitting = false;
      view.x += x - last.x;
      view.y += y - last.y;
      this.#draw();
    }
    this.#pointers.set(event.pointerId, { x, y });
  }

  /** Goes to the nearest router in a direction. */
  #walk(address: string, direction: string): void {
    const from = this.#layout.bodies.get(address);
    if (!from) return;
    const vertical = direction === "Up" || direction === "Down";
    const sign = direction === "Up" || direction === "Left" ? -1 : 1;
    let best: string | null = null;
    let least = Infinity;
    for (const [name, { x, y }] of this.#layout.bodies) {
      const along = sign * (vertical ? y - from.y : x - from.x);
      const across = Math.abs(vertical ? x - from.x : y - from.y);
      if (along <= 1 || along + 2 * across >= least) continue;
      if (!this.#nodes.get(name)?.group.dataset.address) continue;
      [best, least] = [name, along + 2 * across];
    }
    if (best !== null) this.#focus(best);
  }

  /** One of them is in the order of the tab key: the one that had the focus last. */
  #focus(address: string): void {
    for (const [name, { group }] of this.#nodes) {
      setAttribute(group, "tabindex", name === address ? "0" : "-1");
    }
    this.#nodes.get(address)?.group.focus({ preventScroll: true });
  }
}

function shorten(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 1)}…` : name;
}

/** How far away a router is, in words. */
export function hopsOf({ hops }: GraphNode): string {
  return hops === 0 ? "this page" : hops === 1 ? "1 hop" : `${hops} hops`;
}

function servicesOf({ services }: GraphNode): string {
  return services === 1 ? "1 service" : `${services} services`;
}

function edgeLabel({ direct, transport, cost, roundTrip }: GraphEdge): string {
  if (!direct) return cost > 1 ? `${cost} hops` : "";
  const time = roundTrip === null ? "" : showTime(roundTrip);
  return [transport, cost > 1 ? `cost ${cost}` : "", time].filter(Boolean).join(" · ");
}

function edgeTitle(
  { a, b, direct, transport, cost, roundTrip, rate, halfOpen }: GraphEdge,
): string {
  if (!direct) return `${a} – ${b}: some way, which nobody has told`;
  const words = [
    transport || "link",
    `cost ${cost}`,
    roundTrip === null ? "round trip not known" : `round trip ${showTime(roundTrip)}`,
    rate === 0 ? "" : `${rate.toFixed(0)} packets/s`,
    halfOpen === null ? "" : `only ${halfOpen} knows of it`,
  ];
  return `${a} – ${b}: ${words.filter(Boolean).join(", ")}`;
}
