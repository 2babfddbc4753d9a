/**
 * {@linkcode observe}: a router's calls and statistics for OpenTelemetry. The types are the parts of
 * its API that are used, so that nobody needs it who does not have it.
 *
 * @module
 */

import { systemClock } from "../router/clock.ts";
import type { Router } from "../router/router.ts";
import type { ChannelStats, RouterStats } from "../router/stats.ts";

/** Attributes of a span, or of a measurement. */
export type TelemetryAttributes = Record<string, string | number | boolean>;

/** The part of OpenTelemetry's `Span` that is used here. */
export interface SpanLike {
  /** Says how it went. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Sets an attribute. */
  setAttribute(key: string, value: string): unknown;
  /** Ends it. */
  end(): void;
}

/** The part of OpenTelemetry's `Tracer` that is used here. */
export interface TracerLike {
  /** Begins a span. */
  startSpan(name: string, options?: { kind?: number; attributes?: TelemetryAttributes }): SpanLike;
}

/** What a meter asks us for, when it wants to know. */
export interface ObservableLike {
  /** Asks this function, too. */
  addCallback(callback: (result: ObservableResultLike) => void): void;
  /** Asks it no more. */
  removeCallback(callback: (result: ObservableResultLike) => void): void;
}

/** Where we say it. */
export interface ObservableResultLike {
  /** Says one value. */
  observe(value: number, attributes?: TelemetryAttributes): void;
}

/** The part of OpenTelemetry's `Histogram` that is used here. */
export interface HistogramLike {
  /** Adds one value. */
  record(value: number, attributes?: TelemetryAttributes): void;
}

/** What a measurement is. */
export interface MetricOptionsLike {
  /** In words. */
  description?: string;
  /** Of what its values are. */
  unit?: string;
}

/** The part of OpenTelemetry's `Meter` that is used here. */
export interface MeterLike {
  /** Makes something that only grows, of which we are asked. */
  createObservableCounter(name: string, options?: MetricOptionsLike): ObservableLike;
  /** Makes something that we are asked of. */
  createObservableGauge(name: string, options?: MetricOptionsLike): ObservableLike;
  /** Makes something that values are added to. */
  createHistogram(name: string, options?: MetricOptionsLike): HistogramLike;
}

/** Options of {@linkcode observe}. */
export interface ObserveOptions {
  /** Given a span for each call, on both sides: each attempt, if a call has several. */
  tracer?: TracerLike;
  /** Given the router's statistics whenever it asks, and how long calls take. */
  meter?: MeterLike;
}

/** OpenTelemetry's numbers. */
const KIND = { service: 1, caller: 2 }; // SpanKind.SERVER, SpanKind.CLIENT.
const STATUS_ERROR = 2;

/** A call that is in flight. */
interface Watched {
  span: SpanLike | undefined;
  start: number;
  attributes: TelemetryAttributes;
}

/**
 * Tells OpenTelemetry of a router, until that closes, or until what is returned is disposed of.
 *
 * Spans, named as the service, are of kind `CLIENT` and `SERVER`, with the attributes `rpc.system`,
 * `rpc.service`, `aln.router`, `aln.peer`, and `error.type`. They do not go over the wire: those of
 * the two sides are not joined. Metrics are `aln.call.duration`, `aln.routes`, `aln.services`,
 * `aln.contexts`, `aln.channels`, `aln.drops`, `aln.packets`, `aln.bytes` and `aln.queued`, with the
 * attribute `aln.router`.
 *
 * @throws {TypeError} If the router is observed already.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { observe } from "@aln/mesh/inspect";
 *
 * // import { metrics, trace } from "@opentelemetry/api";
 * // const [tracer, meter] = [trace.getTracer("aln"), metrics.getMeter("aln")];
 * const tracer = { startSpan: () => ({ setStatus() {}, setAttribute() {}, end() {} }) };
 *
 * const router = new Router("a");
 * router.registerService("ping", () => "pong");
 * observe(router, { tracer });
 * await router.request("ping"); // Two spans: it is called, and calls.
 * await router.close();
 * ```
 */
export function observe(router: Router, options: ObserveOptions): Disposable {
  const { tracer, meter } = options;
  const endings: (() => void)[] = [];
  if (tracer !== undefined || meter !== undefined) {
    endings.push(watchCalls(router, tracer, meter));
    if (meter !== undefined) endings.push(measure(router, meter));
  }
  const end = () => {
    router.signal.removeEventListener("abort", end);
    for (const ending of endings.splice(0)) ending();
  };
  if (router.signal.aborted) end();
  else router.signal.addEventListener("abort", end, { once: true });
  return { [Symbol.dispose]: end };
}

/** Makes spans of calls, and measures how long they take. */
function watchCalls(
  router: Router,
  tracer: TracerLike | undefined,
  meter: MeterLike | undefined,
): () => void {
  const duration = meter?.createHistogram("aln.call.duration", {
    description: "How long calls take, attempt by attempt.",
    unit: "s",
  });
  const calls = new Map<object, Watched>();
  const finish = (call: object): void => {
    const watched = calls.get(call);
    if (watched === undefined) return; // It began before we were there.
    calls.delete(call);
    const { span, start, attributes } = watched;
    safely(() => span?.end());
    safely(() => duration?.record((systemClock.now() - start) / 1_000, attributes));
  };
  router.watchCalls({
    began(call, side, service, peer) {
      const attributes: TelemetryAttributes = {
        "rpc.system": "aln",
        "rpc.service": service,
        "aln.router": router.address,
        "aln.side": side,
      };
      const ofSpan = { ...attributes, "aln.peer": peer };
      const span = safely(() =>
        tracer?.startSpan(service, { kind: KIND[side], attributes: ofSpan })
      );
      calls.set(call, { span, start: systemClock.now(), attributes });
    },
    failed(call, reason) {
      const watched = calls.get(call);
      if (watched === undefined) return;
      const { name, message, code } = Object(reason) as { [key: string]: unknown };
      const type = typeof code === "string" ? code : typeof name === "string" ? name : "_OTHER";
      watched.attributes["error.type"] = type;
      safely(() => watched.span?.setAttribute("error.type", type));
      const text = typeof message === "string" ? message : undefined;
      safely(() => watched.span?.setStatus({ code: STATUS_ERROR, message: text }));
    },
    ended: finish,
  });
  return () => {
    router.watchCalls(null);
    for (const call of [...calls.keys()]) finish(call);
  };
}

/** Answers a meter. */
function measure(router: Router, meter: MeterLike): () => void {
  const own = { "aln.router": router.address };
  const endings: (() => void)[] = [];
  const answer = (observable: ObservableLike, callback: (result: ObservableResultLike) => void) => {
    observable.addCallback(callback);
    endings.push(() => observable.removeCallback(callback));
  };
  const gauge = (name: string, description: string, read: () => number, unit?: string) =>
    answer(meter.createObservableGauge(name, { description, unit }), (result) => {
      result.observe(read(), own);
    });

  let known: RouterStats | null = null;
  /** One snapshot for all that is asked at once. */
  const stats = (): RouterStats => {
    if (known === null) queueMicrotask(() => known = null);
    return known ??= router.stats();
  };
  gauge("aln.routes", "Routers that can be reached now.", () => stats().routes);
  gauge("aln.services", "Instances of services that can be called now.", () => stats().services);
  gauge("aln.contexts", "Contexts that are open, calls included.", () => stats().contexts);
  gauge("aln.channels", "Channels that are attached.", () => stats().channels.length);
  const queued = () => stats().channels.reduce((sum, one) => sum + (one.queuedBytes ?? 0), 0);
  gauge("aln.queued", "Bytes that wait to be sent.", queued, "By");
  const counter = (
    name: string,
    description: string,
    tell: (say: (value: number, attributes: TelemetryAttributes) => void) => void,
    unit?: string,
  ) =>
    answer(meter.createObservableCounter(name, { description, unit }), (result) => {
      tell((value, attributes) => result.observe(value, { ...own, ...attributes }));
    });
  counter("aln.drops", "Packets that were dropped, by reason.", (say) => {
    for (const [reason, count] of Object.entries(stats().drops)) say(count, { reason });
  });
  const channels = (
    say: (value: number, attributes: TelemetryAttributes) => void,
    read: (channel: ChannelStats) => [number | null, number | null],
  ) => {
    for (const channel of stats().channels) {
      const attributes = {
        "aln.channel": channel.id,
        "aln.neighbour": channel.address,
        "aln.transport": channel.transport ?? "",
      };
      const [received, sent] = read(channel);
      if (received !== null) say(received, { ...attributes, direction: "in" });
      if (sent !== null) say(sent, { ...attributes, direction: "out" });
    }
  };
  counter(
    "aln.packets",
    "Packets that a channel has carried.",
    (say) => channels(say, ({ packetsIn, packetsOut }) => [packetsIn, packetsOut]),
  );
  counter(
    "aln.bytes",
    "Bytes that a channel has carried.",
    (say) => channels(say, ({ bytesIn, bytesOut }) => [bytesIn, bytesOut]),
    "By",
  );
  return () => {
    for (const ending of endings) ending();
  };
}

/** What a tracer or a meter does wrong is no fault of the call. */
function safely<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
