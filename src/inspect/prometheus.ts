/**
 * Statistics for Prometheus, in its text format, version 0.0.4.
 *
 * Pure functions.
 *
 * @module
 */

import type { ChannelStats, RouterStats } from "../router/stats.ts";

/** Names and values, in their order. */
type Labels = Record<string, string>;

/** One value, and what tells it from the others of its family. */
type Sample = [labels: Labels, value: number];

/**
 * Writes statistics as Prometheus wants to read them: `text/plain; version=0.0.4`. Every sample has
 * the label `router`; those of channels have also `channel`, `neighbour`, `kind` and `transport`.
 * Durations are in seconds. What is not known is left out, and so are drops that a channel has not
 * had.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { prometheus } from "@aln/mesh/inspect";
 * import assert from "node:assert/strict";
 *
 * const router = new Router("a");
 * const text = prometheus(router.stats());
 * assert.match(text, /^aln_drops_total\{router="a",reason="no-route"\} 0$/m);
 * await router.close();
 * ```
 */
export function prometheus(stats: RouterStats): string {
  const router: Labels = { router: stats.address };
  const lines: string[] = [];
  const family = (name: string, type: "counter" | "gauge", help: string, samples: Sample[]) => {
    if (samples.length === 0) return;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of samples) {
      lines.push(`${name}{${labelled({ ...router, ...labels })}} ${number(value)}`);
    }
  };
  const ofChannels = (samplesOf: (channel: ChannelStats) => [Labels, number | null][]): Sample[] =>
    stats.channels.flatMap((channel) => {
      const { id, address: neighbour, kind, transport } = channel;
      const labels = { channel: `${id}`, neighbour, kind, transport: transport ?? "" };
      return samplesOf(channel).flatMap(([more, value]): Sample[] =>
        value === null ? [] : [[{ ...labels, ...more }, value]]
      );
    });

  family("aln_uptime_seconds", "gauge", "How long the router has been there.", [
    [{}, stats.uptime / 1_000],
  ]);
  family("aln_routes", "gauge", "Routers that can be reached now.", [[{}, stats.routes]]);
  family("aln_services", "gauge", "Instances of services that can be called now.", [
    [{}, stats.services],
  ]);
  family("aln_contexts", "gauge", "Contexts that are open, calls in flight included.", [
    [{}, stats.contexts],
  ]);
  family("aln_channels", "gauge", "Channels that are attached.", [[{}, stats.channels.length]]);
  family(
    "aln_drops_total",
    "counter",
    "Packets that were dropped, by reason, channels that are gone included.",
    Object.entries(stats.drops).map(([reason, count]) => [{ reason }, count]),
  );
  family(
    "aln_channel_uptime_seconds",
    "gauge",
    "How long the channel has been attached.",
    ofChannels(({ uptime }) => [[{}, uptime / 1_000]]),
  );
  family(
    "aln_channel_cost",
    "gauge",
    "What a hop over the channel counts for.",
    ofChannels(({ cost }) => [[{}, cost]]),
  );
  family(
    "aln_channel_round_trip_seconds",
    "gauge",
    "How long a packet and its answer take, smoothed.",
    ofChannels(({ roundTrip }) => [[{}, roundTrip === null ? null : roundTrip / 1_000]]),
  );
  family(
    "aln_channel_packets_total",
    "counter",
    "Packets that have arrived, and that the transport has taken.",
    ofChannels(({ packetsIn, packetsOut }) => [
      [{ direction: "in" }, packetsIn],
      [{ direction: "out" }, packetsOut],
    ]),
  );
  family(
    "aln_channel_bytes_total",
    "counter",
    "Bytes that have arrived, and that the transport has taken.",
    ofChannels(({ bytesIn, bytesOut }) => [
      [{ direction: "in" }, bytesIn],
      [{ direction: "out" }, bytesOut],
    ]),
  );
  family(
    "aln_channel_queued_bytes",
    "gauge",
    "Bytes that wait to be sent.",
    ofChannels(({ queuedBytes }) => [[{}, queuedBytes]]),
  );
  family(
    "aln_channel_repeats_total",
    "counter",
    "Adverts of an old router that said again what it had just said.",
    ofChannels(({ repeats }) => [[{}, repeats]]),
  );
  family(
    "aln_channel_drops_total",
    "counter",
    "Packets that came over the channel, or were to go, and were dropped, by reason.",
    ofChannels(({ drops }) =>
      Object.entries(drops).filter(([, count]) => count > 0)
        .map(([reason, count]) => [{ reason }, count])
    ),
  );
  family(
    "aln_channel_errors_total",
    "counter",
    "The same by the code of the error.",
    ofChannels(({ errors }) => Object.entries(errors).map(([code, count]) => [{ code }, count])),
  );
  return lines.join("\n") + "\n";
}

function labelled(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`).join(",");
}

const ESCAPES: Record<string, string> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

/** A label's value as the format wants it. */
function escape(value: string): string {
  return value.replaceAll(/[\\"\n]/g, (char) => ESCAPES[char]!);
}

function number(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : `${value}`;
}
