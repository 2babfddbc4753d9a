/**
 * `observe` with the OpenTelemetry of npm: its types are ours, and its collectors get what we tell.
 * Only this test uses it, in a folder of its own.
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "../support/toolchain.ts";
import { needing, ROOT, succeed, temporaryFolder } from "./support.ts";

const PACKAGES = [
  "@opentelemetry/api@1",
  "@opentelemetry/sdk-metrics@2",
  "@opentelemetry/sdk-trace-base@2",
];

const there = (await run("npm", ["view", PACKAGES[0]!, "version"])).code === 0 ||
  "npm's registry, which has OpenTelemetry, cannot be reached";

const root = pathToFileURL(ROOT).href;

/** Types alone decide about the first lines; the rest says what came of it. */
const PROGRAM = `
import { type Meter, metrics, type Tracer, trace } from "@opentelemetry/api";
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader }
  from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor }
  from "@opentelemetry/sdk-trace-base";
import { Router } from "${root}mod.ts";
import { type MeterLike, observe, type TracerLike } from "${root}src/inspect/mod.ts";

const plain: { tracer: Tracer; meter: Meter } = {
  tracer: trace.getTracer("aln"),
  meter: metrics.getMeter("aln"),
};
const like: { tracer: TracerLike; meter: MeterLike } = plain;
const quiet = new Router("quiet");
observe(quiet, like);
await quiet.close();

const spans = new InMemorySpanExporter();
const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
const values = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({
  exporter: values,
  exportIntervalMillis: 3_600_000,
});
const meters = new MeterProvider({ readers: [reader] });

const router = new Router("a");
router.registerService("ping", () => "pong");
router.registerService("fail", () => {
  throw new RangeError("no luck");
});
observe(router, { tracer: tracers.getTracer("aln"), meter: meters.getMeter("aln") });
await router.request("ping");
await router.request("fail").catch(() => {});
await meters.forceFlush();
await router.close();
console.log(JSON.stringify({
  spans: spans.getFinishedSpans()
    .map(({ name, kind, status, attributes }) => [name, kind, status.code, attributes["aln.side"]])
    .sort(),
  metrics: values.getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .map(({ descriptor }) => descriptor.name).sort(),
}));
await meters.shutdown();
`;

const MISTAKE = `
import { type Span } from "@opentelemetry/api";
import { type MeterLike, type SpanLike } from "${root}src/inspect/mod.ts";
const meter: MeterLike = null! as Span;
const span: SpanLike = null! as Span;
console.log(meter, span);
`;

test(...needing(there, "observe() takes the tracer and the meter of OpenTelemetry"), async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const config = { type: "module", private: true };
  await writeFile(join(path, "package.json"), JSON.stringify(config));
  await writeFile(join(path, "program.ts"), PROGRAM);
  await writeFile(join(path, "mistake.ts"), MISTAKE);
  await succeed(path, "npm", "install", "--no-audit", "--no-fund", ...PACKAGES);
  const ended = await run(Deno.execPath(), ["run", "-A", "--check", "program.ts"], { cwd: path });
  assert.equal(ended.code, 0, ended.stderr);
  assert.deepEqual(JSON.parse(ended.stdout), {
    spans: [
      ["fail", 1, 2, "service"],
      ["fail", 2, 2, "caller"],
      ["ping", 1, 0, "service"],
      ["ping", 2, 0, "caller"],
    ],
    metrics: [
      ...["aln.call.duration", "aln.channels", "aln.contexts", "aln.drops"],
      ...["aln.queued", "aln.routes", "aln.services"],
    ],
  });
  const wrong = await run(Deno.execPath(), ["check", "mistake.ts"], { cwd: path });
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /'Span' is missing the following properties from type 'MeterLike'/);
  assert(!wrong.stderr.includes("SpanLike"), wrong.stderr);
});
