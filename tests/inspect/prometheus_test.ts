import assert from "node:assert/strict";
import { test } from "node:test";
import { Router, type RouterStats } from "../../mod.ts";
import { prometheus } from "../../src/inspect/mod.ts";
import { chain, ForeignChannel } from "../support/routers.ts";

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const HELP = new RegExp(`^# HELP (${NAME}) [^\\n]+$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`);
const SAMPLE = new RegExp(
  `^(${NAME})\\{(${LABEL}(?:,${LABEL})*)\\} ([+-]?\\d+(?:\\.\\d+)?(?:e[+-]\\d+)?|[+-]Inf|NaN)$`,
);

/** Reads the format as its specification says; values by name and labels. */
function read(text: string): Map<string, string> {
  assert(text.endsWith("\n"));
  const values = new Map<string, string>();
  const families = new Set<string>();
  let helped = "";
  let typed = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, help] = HELP.exec(line) ?? [];
    const [, type, kind] = TYPE.exec(line) ?? [];
    const [, name, labels, value] = SAMPLE.exec(line) ?? [];
    if (help !== undefined) {
      assert(!families.has(help), `${help} comes twice`);
      families.add(helped = help);
    } else if (type !== undefined) {
      assert.equal(type, helped);
      assert.equal(kind === "counter", type.endsWith("_total"), type);
      typed = type;
    } else {
      assert(name !== undefined, `unreadable: ${line}`);
      assert.equal(name, typed);
      assert(!values.has(`${name} ${labels}`), `${line} comes twice`);
      values.set(`${name} ${labels}`, value!);
    }
  }
  return values;
}

test("prometheus() writes what Router.stats() says, in the text format", async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("ping", () => "pong");
  await clock.rest();
  await clock.until(a.request("ping"));
  await clock.pass(15_000);
  const stats = a.stats();
  const [channel] = stats.channels;
  const values = read(prometheus(stats));
  const one = (name: string, labels: string) => values.get(`${name} router="a"${labels}`);
  const own = ',channel="1",neighbour="b",kind="modern",transport="memory"';
  assert.equal(one("aln_uptime_seconds", ""), `${stats.uptime / 1_000}`);
  assert.equal(one("aln_routes", ""), "1");
  assert.equal(one("aln_services", ""), "1");
  assert.equal(one("aln_contexts", ""), "0");
  assert.equal(one("aln_channels", ""), "1");
  for (const [reason, count] of Object.entries(stats.drops)) {
    assert.equal(one("aln_drops_total", `,reason="${reason}"`), `${count}`);
  }
  assert.equal(one("aln_channel_cost", own), "1");
  assert.equal(one("aln_channel_packets_total", `${own},direction="in"`), `${channel!.packetsIn}`);
  assert.equal(
    one("aln_channel_packets_total", `${own},direction="out"`),
    `${channel!.packetsOut}`,
  );
  assert.equal(one("aln_channel_bytes_total", `${own},direction="in"`), `${channel!.bytesIn}`);
  assert.equal(one("aln_channel_bytes_total", `${own},direction="out"`), `${channel!.bytesOut}`);
  assert.equal(one("aln_channel_queued_bytes", own), "0");
  assert.equal(one("aln_channel_round_trip_seconds", own), `${channel!.roundTrip! / 1_000}`);
  await Promise.all([a.close(), b.close()]);
});

test("prometheus() leaves out what is not known", async () => {
  const router = new Router("a");
  router.addChannel(new ForeignChannel());
  const text = prometheus(router.stats());
  for (const name of ["bytes_total", "queued_bytes", "round_trip_seconds", "drops_total"]) {
    assert(!text.includes(`aln_channel_${name}`), name);
  }
  assert(
    read(text).has(
      'aln_channel_cost router="a",channel="1",neighbour="",kind="unknown",transport=""',
    ),
  );
  await router.close();
  read(prometheus(router.stats()));
});

test("prometheus() escapes names, whatever is in them", async () => {
  const router = new Router('a"b\\c\nd}e');
  const values = read(prometheus(router.stats()));
  assert.equal(values.get('aln_routes router="a\\"b\\\\c\\nd}e"'), "0");
  await router.close();
});

test("prometheus() writes numbers that are none, of a router that lies", async () => {
  const router = new Router("a");
  const stats: RouterStats = {
    ...router.stats(),
    routes: NaN,
    services: Infinity,
    contexts: 1e300,
  };
  const values = read(prometheus(stats));
  assert.deepEqual(
    ["routes", "services", "contexts"].map((name) => values.get(`aln_${name} router="a"`)),
    ["NaN", "+Inf", "1e+300"],
  );
  await router.close();
});

test("prometheus() counts drops of a channel by reason and by code", async () => {
  const router = new Router("a");
  const channel = new ForeignChannel();
  router.addChannel(channel, { policy: { stub: true } });
  const stats = router.stats();
  stats.channels[0]!.drops.loop = 3;
  stats.channels[0]!.errors.ERR_NO_ROUTE = 3;
  const values = read(prometheus(stats));
  const own = 'router="a",channel="1",neighbour="",kind="unknown",transport=""';
  assert.equal(values.get(`aln_channel_drops_total ${own},reason="loop"`), "3");
  assert.equal(values.get(`aln_channel_errors_total ${own},code="ERR_NO_ROUTE"`), "3");
  await router.close();
});
