import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import {
  type MeterLike,
  type ObservableResultLike,
  observe,
  type TelemetryAttributes,
  type TracerLike,
} from "../../src/inspect/mod.ts";
import { texts, turns } from "../support/calls.ts";
import { chain, rejection } from "../support/routers.ts";

/** A tracer that notes each span, and whether it has ended. */
class Tracer implements TracerLike {
  readonly spans: { name: string; kind: number; ended: number; attributes: TelemetryAttributes }[] =
    [];

  startSpan(name: string, options: { kind: number; attributes: TelemetryAttributes }) {
    const { kind, attributes } = options;
    const span = { name, kind, ended: 0, attributes: { ...attributes } };
    this.spans.push(span);
    return {
      setAttribute: (key: string, value: string) => void (span.attributes[key] = value),
      setStatus: ({ code, message = "" }: { code: number; message?: string }) => {
        span.attributes.status = `${code} ${message}`;
      },
      end: () => void span.ended++,
    };
  }

  /** The spans in words. */
  get words(): string[] {
    return this.spans.map(({ name, kind, ended, attributes }) => {
      const error = attributes["error.type"] ? ` ${attributes["error.type"]}` : "";
      return `${kind} ${name} ${attributes["aln.peer"]} ended ${ended}${error}`;
    });
  }
}

/** A meter that can be read. */
class Meter implements MeterLike {
  readonly callbacks: Map<string, Set<(result: ObservableResultLike) => void>> = new Map();
  readonly records: { name: string; value: number; attributes: TelemetryAttributes }[] = [];

  createObservableCounter(name: string) {
    const callbacks = new Set<(result: ObservableResultLike) => void>();
    this.callbacks.set(name, callbacks);
    return {
      addCallback: (callback: (result: ObservableResultLike) => void) =>
        void callbacks.add(callback),
      removeCallback: (callback: (result: ObservableResultLike) => void) =>
        void callbacks.delete(callback),
    };
  }

  createObservableGauge(name: string) {
    return this.createObservableCounter(name);
  }

  createHistogram(name: string) {
    return {
      record: (value: number, attributes: TelemetryAttributes = {}) =>
        void this.records.push({ name, value, attributes }),
    };
  }

  /** All that is said of a metric. */
  read(name: string): [number, TelemetryAttributes][] {
    const said: [number, TelemetryAttributes][] = [];
    for (const callback of this.callbacks.get(name)!) {
      callback({ observe: (value, attributes = {}) => void said.push([value, attributes]) });
    }
    return said;
  }

  /** Callbacks that are attached. */
  get attached(): number {
    return [...this.callbacks.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

async function pair() {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("echo", (packet) => packet.data);
  b.registerService("fail", () => {
    throw new RangeError("no luck");
  });
  b.registerService("reject", () => Promise.reject(new RangeError("no luck")));
  b.registerService("count", async function* () {
    yield "1";
    await Promise.resolve();
    yield "2";
  });
  b.registerService("burst", function () {
    return (async function* () {
      yield "1";
      await Promise.resolve();
      throw new RangeError("no luck");
    })();
  });
  b.registerService("never", () => new Promise(() => {}));
  await clock.rest();
  const caller = new Tracer();
  const service = new Tracer();
  const close = () => Promise.all([a.close(), b.close()]);
  return { a, b, clock, caller, service, close };
}

test("observe() makes a span of each call, on both sides, and ends it once", async () => {
  const { a, b, clock, caller, service, close } = await pair();
  observe(a, { tracer: caller });
  observe(b, { tracer: service });
  await clock.until(a.request("echo", "x"));
  await clock.until(a.request("echo", "x".repeat(200_000)));
  await clock.until(texts(a.stream("count")));
  await clock.until(a.gather("echo", "x"));
  await turns();
  const names = ["echo", "echo", "count", "echo"];
  assert.deepEqual(caller.words, names.map((name) => `2 ${name} b ended 1`));
  assert.deepEqual(service.words, names.map((name) => `1 ${name} a ended 1`));
  assert.deepEqual(caller.spans[0]!.attributes, {
    "rpc.system": "aln",
    "rpc.service": "echo",
    "aln.router": "a",
    "aln.side": "caller",
    "aln.peer": "b",
  });
  await close();
});

test("observe() says how calls fail, on both sides", async () => {
  const { a, b, clock, caller, service, close } = await pair();
  observe(a, { tracer: caller });
  observe(b, { tracer: service });
  await rejection(clock.until(a.request("fail")));
  await rejection(clock.until(a.request("reject")));
  await rejection(clock.until(texts(a.stream("burst"))));
  await rejection(clock.until(a.request("never", "", { timeout: 100 })));
  await turns();
  assert.deepEqual(caller.words, [
    "2 fail b ended 1 ERR_CALL_HANDLER",
    "2 reject b ended 1 ERR_CALL_HANDLER",
    "2 burst b ended 1 ERR_CALL_HANDLER",
    "2 never b ended 1 TimeoutError",
  ]);
  assert.deepEqual(service.words, [
    "1 fail a ended 1 RangeError",
    "1 reject a ended 1 RangeError",
    "1 burst a ended 1 RangeError",
    "1 never a ended 1",
  ]);
  assert.equal(service.spans[0]!.attributes.status, "2 no luck");
  await close();
});

test("observe() measures calls, and answers a meter from Router.stats()", async () => {
  const { a, clock, close } = await pair();
  const meter = new Meter();
  observe(a, { meter });
  await clock.until(a.request("echo", "x"));
  await rejection(clock.until(a.request("fail")));
  const { value, attributes } = meter.records[0]!;
  assert(value > 0 && value < 60, `${value} s`);
  assert.equal(attributes["rpc.service"], "echo");
  assert.deepEqual(meter.records.map(({ name, attributes: of }) => [name, of["error.type"]]), [
    ["aln.call.duration", undefined],
    ["aln.call.duration", "ERR_CALL_HANDLER"],
  ]);
  const { channels: [channel], drops, services } = a.stats();
  const own = { "aln.router": "a" };
  assert.deepEqual(meter.read("aln.routes"), [[1, own]]);
  assert.deepEqual(meter.read("aln.services"), [[services, own]]);
  assert.deepEqual(meter.read("aln.channels"), [[1, own]]);
  assert.deepEqual(meter.read("aln.queued"), [[0, own]]);
  assert.deepEqual(
    meter.read("aln.drops"),
    Object.entries(drops).map(([reason, count]) => [count, { ...own, reason }]),
  );
  const link = { ...own, "aln.channel": 1, "aln.neighbour": "b", "aln.transport": "memory" };
  assert.deepEqual(meter.read("aln.packets"), [
    [channel!.packetsIn, { ...link, direction: "in" }],
    [channel!.packetsOut, { ...link, direction: "out" }],
  ]);
  assert.deepEqual(meter.read("aln.bytes").map(([bytes]) => bytes), [
    channel!.bytesIn,
    channel!.bytesOut,
  ]);
  await close();
});

test("observe() is over when it is disposed of, or the router closes", async () => {
  const { a, b, clock, caller, service, close } = await pair();
  const meter = new Meter();
  const first = observe(a, { tracer: caller, meter });
  observe(b, { tracer: service, meter });
  assert.throws(() => observe(a, { tracer: caller }), TypeError);
  const attached = meter.attached;
  const never = rejection(a.request("never", "", { timeout: 60_000 }));
  await turns();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.deepEqual(caller.words, ["2 never b ended 1"]); // It is seen no more.
  await clock.until(a.request("echo", "x"));
  assert.equal(caller.spans.length, 1);
  observe(a, { tracer: caller, meter });
  assert.equal(meter.attached, attached);
  await close();
  await never;
  assert.deepEqual(service.words, ["1 never a ended 1", "1 echo a ended 1"]);
  assert.equal(meter.attached, 0);
  observe(a, { tracer: caller, meter })[Symbol.dispose](); // Closed already: nothing to see.
  assert.equal(meter.attached, 0);
});

test("A tracer and a meter that throw harm no call", async () => {
  const { a, b, clock, close } = await pair();
  const fault = () => {
    throw new Error("a fault of the tracer's");
  };
  const span = { setAttribute: fault, setStatus: fault, end: fault };
  observe(a, { tracer: { startSpan: fault } });
  observe(b, {
    tracer: { startSpan: () => span },
    meter: Object.assign(new Meter(), { createHistogram: () => ({ record: fault }) }),
  });
  assert.equal((await clock.until(a.request("echo", "x"))).text(), "x");
  const error = await rejection(clock.until(a.request("fail"))) as { code: string };
  assert.equal(error.code, "ERR_CALL_HANDLER");
  await close();
});

test("Nothing is watched unless it is asked for", async () => {
  const router = new Router("a");
  observe(router, {})[Symbol.dispose]();
  const tracer = new Tracer();
  observe(router, { tracer });
  assert.throws(() => observe(router, { tracer }), TypeError);
  await router.close();
});
