/**
 * What is wrong in a mesh, in words, from what routers count and what our own sees happen.
 *
 * Pure functions, but for {@linkcode ChangeCounter}, which is pure state.
 *
 * @module
 */

import type { DropReason } from "../../mesh/drop_reason.ts";
import type { RouterStats } from "../../router/stats.ts";
import type { Graph } from "./graph.ts";

/** How bad it is. */
export type Severity = "error" | "warning" | "note";

/** Something that is wrong. */
export interface Problem {
  /** Names it: the same problem has the same key. */
  key: string;
  /** How bad it is. */
  severity: Severity;
  /** What it is, in a word or two. */
  kind: string;
  /** Whom it is about. */
  subject: string;
  /** What is known of it. */
  detail: string;
  /** What can be done about it. */
  advice: string;
}

/** What problems are looked for in. */
export interface Findings {
  /** The picture of the mesh. */
  graph: Graph;
  /** What routers have counted, by address, our own included. */
  stats: ReadonlyMap<string, { now: RouterStats; before: RouterStats | null }>;
  /** Addresses that more than one router uses, and how often that was told. */
  conflicts: ReadonlyMap<string, number>;
  /** Routes that keep changing, and how often they have lately. */
  flapping: ReadonlyMap<string, number>;
  /** Why the page has no link; `null` if it has one. */
  offline: string | null;
}

/** From how many changes in a minute on something is said to flap. */
export const FLAPPING = 6;

/** How long changes count, in ms. */
const WINDOW = 60_000;

/** From how many packets a second on a link is said to be flooded. */
const FLOOD = 2_000;

/** From how many bytes in a queue on a link is said to be behind. */
const BEHIND = 65_536;

/** Counts how often things have changed in the last minute. */
export class ChangeCounter {
  readonly #changes: Map<string, number[]> = new Map();

  /** Counts a change. */
  add(name: string, now: number): void {
    const times = this.#changes.get(name);
    if (times) {
      times.push(now);
      if (times.length > 100) times.shift();
    } else this.#changes.set(name, [now]);
  }

  /** What has changed so often that it is said to flap. */
  flapping(now: number): Map<string, number> {
    const result = new Map<string, number>();
    for (const [name, times] of this.#changes) {
      while (times.length > 0 && times[0]! < now - WINDOW) times.shift();
      if (times.length === 0) this.#changes.delete(name);
      else if (times.length >= FLAPPING) result.set(name, times.length);
    }
    return result;
  }
}

/** What each reason of a drop means, and what can be done about it. */
const DROPS: Record<DropReason, [severity: Severity, meaning: string, advice: string]> = {
  parse: ["warning", "what came is no packet", "Look at the cable, or at the peer's encoder."],
  field: ["warning", "did not fit into a packet", "Names take 255 bytes, payloads 65,535."],
  queue: ["warning", "a queue was full", "The link is too slow for what is sent over it."],
  closed: ["note", "waited when a link closed", "Calls with `reliable` survive that."],
  rate: ["error", "more routing news than a neighbour may tell", "A neighbour floods."],
  table: ["error", "a table was full", "There are more routers or services than allowed."],
  protocol: ["error", "what no router should do", "Look at the neighbour's version."],
  peer: ["note", "a neighbour reports an error", "Look at the neighbour's own log."],
  "no-route": ["note", "no way led there", "The destination was gone, or never there."],
  "no-service": ["note", "nobody offered the service", "The service was gone, or never there."],
  "no-context": ["note", "a reply came too late", "The caller's timeout is too short."],
  hops: ["error", "forwarded too often", "Old routers form a circle."],
  loop: ["note", "came back to where it was", "A few are usual while routes change."],
  hold: ["warning", "too many waited for a route", "A route is lost and looked for."],
  stub: ["note", "for somebody else", "This router carries nothing for others."],
  refused: ["note", "a policy refused it", "That is what policies are for."],
  handler: ["error", "a handler threw", "Look at the program's log."],
};

const ORDER: Record<Severity, number> = { error: 0, warning: 1, note: 2 };

/** Everything that is wrong, the worst first. */
export function findProblems(findings: Findings): Problem[] {
  const { graph, stats, conflicts, flapping, offline } = findings;
  const found: Problem[] = [];
  if (offline !== null) {
    found.push({
      ...{ key: "offline", severity: "error", kind: "Not connected", subject: "This page" },
      ...{ detail: offline, advice: "It goes on trying; another URL can be chosen above." },
    });
  }
  for (const [address, count] of conflicts) {
    found.push({
      ...{ key: `conflict ${address}`, severity: "error", kind: "Duplicate address" },
      ...{ subject: address, detail: `told ${times(count)}` },
      advice: "Two routers use this address: rename one of them.",
    });
  }
  for (const [name, count] of flapping) {
    found.push({
      ...{ key: `flapping ${name}`, severity: "warning", kind: "Flapping", subject: name },
      detail: `came, went or moved ${times(count)} in a minute`,
      advice: "A link on the way there is not steady.",
    });
  }
  for (const { key, a, b, halfOpen } of graph.edges) {
    if (halfOpen === null) continue;
    const other = halfOpen === a ? b : a;
    found.push({
      ...{ key: `half-open ${key}`, severity: "warning", kind: "Half-open link" },
      ...{ subject: `${halfOpen} – ${other}`, detail: `only ${halfOpen} knows of it` },
      advice: "One side has not noticed that the link is gone.",
    });
  }
  for (const [address, { now, before }] of stats) {
    const seconds = before ? (now.uptime - before.uptime) / 1_000 : 0;
    for (const [reason, total] of Object.entries(now.drops)) {
      if (total === 0) continue;
      const [severity, meaning, advice] = DROPS[reason as DropReason] ?? ["note", reason, ""];
      const more = total - (before?.drops[reason as DropReason] ?? total);
      const rate = more > 0 && seconds > 0 ? `, ${(more / seconds).toFixed(1)}/s now` : "";
      found.push({
        ...{ key: `drop ${reason} ${address}`, severity, kind: `Dropped: ${reason}` },
        ...{ subject: address, detail: `${packets(total)}: ${meaning}${rate}`, advice },
      });
    }
    for (const channel of now.channels) {
      const { id, queuedBytes, repeats, errors } = channel;
      const far = channel.address || (channel.kind === "segment" ? channel.transport : null) || "?";
      const link = `${address} – ${far}`;
      if ((queuedBytes ?? 0) > BEHIND) {
        found.push({
          ...{ key: `queue ${address} ${id}`, severity: "warning", kind: "Link behind" },
          ...{ subject: link, detail: `${Math.round(queuedBytes! / 1_024)} KiB wait` },
          advice: "The link is slower than what is sent over it.",
        });
      }
      const corrupt = (errors.ERR_PACKET_CRC ?? 0) + (errors.ERR_PACKET_FRAME ?? 0);
      if (corrupt > 0) {
        found.push({
          ...{ key: `corrupt ${address} ${id}`, severity: "warning", kind: "Damaged packets" },
          ...{ subject: link, detail: `${packets(corrupt)} damaged on the way` },
          advice: "A noisy line: try a lower speed, or a shorter cable.",
        });
      }
      if (repeats > 100) {
        found.push({
          ...{ key: `repeats ${address} ${id}`, severity: "note", kind: "Repeated adverts" },
          ...{ subject: link, detail: `${repeats} said again` },
          advice: "An old router repeats itself; they are not read.",
        });
      }
      const then = before?.channels.find((it) => it.id === id);
      const rate = then && seconds > 0 ? (channel.packetsIn - then.packetsIn) / seconds : 0;
      if (rate > FLOOD) {
        found.push({
          ...{ key: `flood ${address} ${id}`, severity: "warning", kind: "Flood" },
          ...{ subject: link, detail: `${Math.round(rate)} packets/s from ${far}` },
          advice: "Limits of a link can be set with the option `limits`.",
        });
      }
    }
  }
  return found.sort((x, y) => ORDER[x.severity] - ORDER[y.severity] || (x.key < y.key ? -1 : 1));
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function packets(count: number): string {
  return count === 1 ? "1 packet" : `${count} packets`;
}
