/**
 * The dashboard: a page that is a node of the mesh, and shows what that can see.
 *
 * In its URL, `?name=desk` is the page's address in the mesh, and `?url=ws://host:port` another way
 * in.
 *
 * @module
 */

import { ConnectView } from "./connect_view.ts";
import { find, setAttribute, setText, svg } from "./dom.ts";
import { LogView } from "./log_view.ts";
import { NodeCard } from "./node_card.ts";
import { showTime } from "./payload.ts";
import { ProblemsView, RoutesView } from "./routes_view.ts";
import { ServicesView } from "./services_view.ts";
import { SAMPLES, Session } from "./session.ts";
import { TopologyView } from "./topology_view.ts";
import { TraceView } from "./trace_view.ts";

/** How often pulses are started, in ms. */
const PULSE_EVERY = 1_000;

/** The size of the curve in the header, in pixels. */
const CURVE = { width: 72, height: 20 };

const query = new URL(location.href).searchParams;
const path = document.querySelector<HTMLMetaElement>("meta[name=join]")?.content ?? "/";
const home = new URL(path, location.href.replace(/^http/, "ws"));
home.search = home.hash = "";
const session = openSession();

// ── the parts of the page ───────────────────────────────────────────────────

const topology = new TopologyView(session, { select, trace });
const card = new NodeCard(session, {
  close: () => select(null),
  trace,
  call(service, address) {
    openTab("services");
    services.choose(service, address);
  },
});
const services = new ServicesView(session);
const routes = new RoutesView(session, select);
const log = new LogView(session);
const traces = new TraceView(session, (addresses) => topology.showWay(addresses));
const problems = new ProblemsView();
const connecting = new ConnectView(session, home.href);
const state = find("state", HTMLElement);
const curve = svg("path");
find("curve", SVGSVGElement).append(curve);

/** The tabs by name: in a narrow window the map is one of them. */
const TABS = ["map", "services", "routes", "packets", "trace", "problems"] as const;
type Tab = typeof TABS[number];
const tabs = TABS.map((name) => find(`tab-${name}`, HTMLButtonElement));
let current: Tab = "services";
const narrow = matchMedia("(max-width: 899px)");

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => openTab(TABS[i]!));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step === undefined) return;
    const shown = tabs.filter((it) => it.offsetParent !== null);
    const next = shown[(shown.indexOf(tab) + step + shown.length) % shown.length]!;
    next.focus();
    next.click();
  });
});
narrow.addEventListener("change", () => openTab(narrow.matches ? "map" : "services"));
find("map-fit", HTMLElement).addEventListener("click", () => topology.fit());
find("map-in", HTMLElement).addEventListener("click", () => topology.zoom(1.3));
find("map-out", HTMLElement).addEventListener("click", () => topology.zoom(1 / 1.3));
find("retry", HTMLElement).addEventListener("click", () => session.retry());

session.subscribe(update);
setInterval(() => topology.pulse(), PULSE_EVERY);
openTab(narrow.matches ? "map" : "services");
connect();

// ── what they do together ───────────────────────────────────────────────────

function select(address: string | null): void {
  topology.select(address);
  card.show(address);
  if (address !== null && narrow.matches && current !== "map") openTab("map");
}

function trace(address: string): void {
  openTab("trace");
  void traces.trace(address);
}

function openTab(name: Tab): void {
  current = name;
  TABS.forEach((tab, i) => {
    tabs[i]!.ariaSelected = `${tab === name}`;
    tabs[i]!.tabIndex = tab === name ? 0 : -1;
    find(`panel-${tab}`, HTMLElement).classList.toggle("open", tab === name);
  });
  update();
}

/** Shows what is so now, where it can be seen. */
function update(): void {
  if (document.hidden) return;
  showState();
  if (!narrow.matches || current === "map") {
    topology.update();
    card.update();
  }
  if (current === "services") services.update();
  else if (current === "routes") routes.update();
  else if (current === "packets") log.update();
  else if (current === "trace") traces.update();
  showProblems();
}

function showState(): void {
  const { router, url } = session;
  const texts = {
    joining: `joining ${url}`,
    joined: `joined ${url}`,
    lost: `no link to ${url}: ${session.reason}`,
  };
  setAttribute(state, "data-state", session.state);
  setText(find("state-text", HTMLElement), texts[session.state]);
  find("retry", HTMLElement).hidden = session.state !== "lost";
  setText(find("count-routers", HTMLElement), `${session.graph.nodes.length}`);
  setText(find("count-services", HTMLElement), `${router.services().length}`);
  const [link] = session.report(router.address)?.links ?? [];
  const trip = link && (session.roundTrip(link.address) ?? link.roundTrip);
  setText(find("round-trip", HTMLElement), trip ? showTime(trip) : "–");
  const samples = [...new Array(SAMPLES).fill(0), ...session.samples].slice(-SAMPLES);
  setText(find("rate", HTMLElement), `${samples.at(-1) ?? 0}`);
  const most = Math.max(10, ...samples);
  const step = CURVE.width / (SAMPLES - 1);
  const points = samples.map((value, i) => {
    return `${(i * step).toFixed(1)} ${
      (CURVE.height - 1 - value / most * (CURVE.height - 3)).toFixed(1)
    }`;
  });
  setAttribute(curve, "d", `M${points.join("L")}`);
}

function showProblems(): void {
  const found = session.problems;
  const serious = found.filter(({ severity }) => severity !== "note").length;
  const badge = find("count-problems", HTMLElement);
  badge.hidden = serious === 0;
  setText(badge, `${serious}`);
  if (current === "problems") problems.update(found);
}

/** Joins as the URL says, or else where the page came from. */
function connect(): void {
  try {
    session.connect(query.get("url") ?? home.href);
  } catch (error) {
    session.state = "lost";
    session.reason = (error as Error).message;
    session.url = query.get("url") ?? "";
  }
  setText(find("own-name", HTMLElement), session.router.address);
  document.title = `${session.router.address} – ALN mesh`;
  connecting.update();
  update();
}

/** A session of the name in the URL, or of any. */
function openSession(): Session {
  // Not crypto.randomUUID(), which only pages over HTTPS and from this machine have.
  const random = crypto.getRandomValues(new Uint16Array(1))[0]!.toString(16).padStart(4, "0");
  try {
    return new Session(query.get("name") || `dashboard-${random}`);
  } catch {
    return new Session(`dashboard-${random}`); // The name does not fit.
  }
}
