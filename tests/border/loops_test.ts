import assert from "node:assert/strict";
import { test } from "node:test";
import type { Router } from "../../mod.ts";
import { Areas, type Joined } from "../support/areas.ts";
import { failureCode, record } from "../support/routers.ts";

const ALL = ["*"];

/** Which summaries a border offers, in words that are easy to compare. */
function summaries({ border }: Joined): string[] {
  return border.summaries().map(({ service, area, path }) => `${service} in ${area} by ${path}`)
    .toSorted();
}

test(
  "Of two borders that join the same areas, neither takes what the other offers for a service of that area",
  {
    timeout: 20_000,
  },
  async () => {
    const areas = new Areas();
    const { clock } = areas;
    const worker = areas.router("a", "worker");
    const desk = areas.router("b", "desk");
    const sides = [{ area: "a", exports: ALL }, { area: "b", exports: ALL }];
    const [one, two] = [areas.border("one", sides), areas.border("two", sides)];
    await areas.settle();
    const heard = record(areas.hub("a"));
    worker.registerService("resize", () => "done");
    await areas.settle();
    assert.deepEqual(areas.offers("b", "resize"), ["one", "two"]);
    assert.deepEqual(areas.offers("a", "resize"), ["worker"]);
    assert.deepEqual([summaries(one), summaries(two)], [
      ["resize in b by a"],
      ["resize in b by a"],
    ]);
    assert.deepEqual(
      heard,
      ["service resize at worker: 1"],
      "it never came back, not for a moment",
    );
    // One of them breaks: the other goes on.
    areas.link(two.at.b!)[0].close();
    await areas.settle();
    assert.equal((await clock.until(desk.request("resize"))).text(), "done");
    assert.deepEqual(areas.offers("b", "resize"), ["one"]);
    // With the last instance both summaries go: they do not keep each other alive.
    worker.unregisterService("resize");
    await areas.settle();
    assert.deepEqual([summaries(one), summaries(two)], [[], []]);
    assert.deepEqual([areas.offers("a", "resize"), areas.offers("b", "resize")], [[], []]);
    assert.equal(await failureCode(desk.request("resize")), "ERR_NO_SERVICE");
    await areas.close();
  },
);

test(
  "A service that both areas have is offered in both by a border, and goes from each with its own",
  {
    timeout: 20_000,
  },
  async () => {
    const areas = new Areas();
    const sides = [{ area: "a", exports: ALL }, { area: "b", exports: ALL }];
    const [one, two] = [areas.border("one", sides), areas.border("two", sides)];
    const inA = areas.router("a", "in-a").registerService("resize", () => "");
    const inB = areas.router("b", "in-b").registerService("resize", () => "");
    await areas.settle();
    assert.deepEqual(areas.offers("a", "resize"), ["in-a", "one", "two"]);
    assert.deepEqual(areas.offers("b", "resize"), ["in-b", "one", "two"]);
    inA[Symbol.dispose]();
    await areas.settle();
    assert.deepEqual(areas.offers("a", "resize"), ["one", "two"]);
    assert.deepEqual(areas.offers("b", "resize"), ["in-b"]);
    inB[Symbol.dispose]();
    await areas.settle();
    assert.deepEqual([summaries(one), summaries(two)], [[], []]);
    await areas.close();
  },
);

test("Along a chain of areas a service is carried from one to the next, and calls come through", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  const worker = areas.router("a", "worker");
  const desk = areas.router("c", "desk");
  const near = areas.border("near", [{ area: "a", exports: ALL }, { area: "b", exports: ALL }]);
  const far = areas.border("far", [{ area: "b", exports: ALL }, { area: "c", exports: ALL }]);
  const resize = worker.registerService("resize", (packet) => `${packet.text()} by ${packet.src}`);
  await clock.until(desk.waitForService("resize"));
  await areas.settle();
  assert.deepEqual([summaries(near), summaries(far)], [
    ["resize in b by a"],
    ["resize in c by b,a"],
  ]);
  assert.equal((await clock.until(desk.request("resize", "cat"))).text(), "cat by near");
  resize[Symbol.dispose]();
  await areas.settle();
  assert.deepEqual([areas.offers("b", "resize"), areas.offers("c", "resize")], [[], []]);
  await areas.close();
});

test("In a ring of three areas no summary comes back, and when the service goes, all of them go", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  const worker = areas.router("a", "worker");
  const desk = areas.router("c", "desk");
  const ring = [["a", "b"], ["b", "c"], ["c", "a"]].map(([one, other]) =>
    areas.border(`${one}${other}`, [
      { area: one!, exports: ALL },
      { area: other!, exports: ALL },
    ])
  );
  await areas.settle();
  const heard = record(areas.hub("a"));
  const resize = worker.registerService("resize", () => "done");
  await areas.settle();
  assert.deepEqual(ring.map(summaries), [
    ["resize in b by a"],
    ["resize in b by c,a", "resize in c by b,a"],
    ["resize in c by a"],
  ]);
  assert.equal((await clock.until(desk.request("resize"))).text(), "done");
  // The short way breaks: the long one is there.
  areas.link(ring[2]!.at.c!)[0].close();
  await areas.settle();
  assert.deepEqual(areas.offers("c", "resize"), ["bc"]);
  assert.equal((await clock.until(desk.request("resize"))).text(), "done");
  assert.deepEqual(ring.map(summaries).slice(0, 2), [["resize in b by a"], [
    "resize in c by b,a",
  ]]);
  resize[Symbol.dispose]();
  await areas.settle();
  assert.deepEqual(ring.map(summaries), [[], [], []]);
  const came = heard.filter((line) => line.startsWith("service"));
  assert.deepEqual(came, ["service resize at worker: 1", "service resize at worker: 0"]);
  await areas.close();
});

test("In a full mesh of five areas summaries come to rest, and end with the service", {
  timeout: 30_000,
}, async () => {
  const areas = new Areas();
  const names = ["a", "b", "c", "d", "e"];
  const worker = areas.router("a", "worker");
  const borders: Joined[] = [];
  for (const [i, one] of names.entries()) {
    for (const other of names.slice(i + 1)) {
      const sides = [{ area: one, exports: ALL }, { area: other, exports: ALL }];
      borders.push(areas.border(`${one}${other}`, sides));
    }
  }
  const resize = worker.registerService("resize", () => "done");
  await areas.settle();
  const before = borders.flatMap(summaries);
  await areas.settle();
  assert.deepEqual(borders.flatMap(summaries), before);
  for (const { border } of borders) {
    for (const { area, path } of border.summaries()) {
      assert.equal(path.at(-1), "a", `${path}`);
      assert(!path.includes(area) && new Set(path).size === path.length, `${path} in ${area}`);
    }
  }
  assert.deepEqual(areas.offers("a", "resize"), ["worker"]);
  resize[Symbol.dispose]();
  await areas.clock.pass(10_000);
  assert.deepEqual(borders.flatMap(summaries), []);
  await areas.close();
});

test(
  "Calls are carried no further than they have to be: an area's own instances go before what is behind it",
  {
    timeout: 20_000,
  },
  async () => {
    const areas = new Areas();
    const services = Array.from({ length: 10 }, (_, i) => `s${i}`);
    const [far, near] = ["a", "b"].map((area) => areas.router(area, `in-${area}`)) as [
      Router,
      Router,
    ];
    for (const router of [far, near]) {
      for (const service of services) router.registerService(service, () => router.address);
    }
    areas.border("ab", [{ area: "a", exports: ALL }, { area: "b" }]);
    const { border } = areas.border("bc", [{ area: "b", exports: ALL }, { area: "c" }]);
    await areas.settle();
    const ways = () => border.summaries().map(({ path, instances }) => `${path} ${instances}`);
    assert.deepEqual(ways(), services.map(() => "b 1"));
    assert.equal((await areas.clock.until(areas.hub("c").request("s3"))).text(), "in-b");
    for (const service of services) near.unregisterService(service);
    await areas.settle();
    assert.deepEqual(ways(), services.map(() => "b,a 1"));
    assert.equal((await areas.clock.until(areas.hub("c").request("s3"))).text(), "in-a");
    await areas.close();
  },
);

test(
  "Of areas that are equally far, borders use different ones, each with room, and another when that has gone",
  {
    timeout: 30_000,
  },
  async () => {
    const areas = new Areas();
    const makers = ["m1", "m2", "m3", "m4"];
    const offers = makers.map((area) =>
      areas.router(area, "maker").registerService("make", () => area)
    );
    for (const area of makers) {
      areas.border(`of-${area}`, [{ area, exports: ALL }, { area: "top" }]);
    }
    const users = Array.from({ length: 12 }, (_, i) => `u${i}`);
    const borders = users.map((area) =>
      areas.border(`of-${area}`, [{ area: "top", exports: ALL }, { area }])
    );
    await areas.settle();
    const used = () => borders.map(({ border }) => border.summaries()[0]?.path[1]);
    const before = used();
    assert.deepEqual([...new Set(before)].toSorted(), makers);
    offers[0]!.capacity = 65_535; // All of m1 are full.
    await areas.settle();
    const meanwhile = used();
    assert.deepEqual([...new Set(meanwhile)].toSorted(), makers.slice(1));
    for (const [i, area] of before.entries()) if (area !== "m1") assert.equal(meanwhile[i], area);
    for (const offer of offers.slice(1)) offer[Symbol.dispose]();
    await areas.settle();
    assert.deepEqual(new Set(used()), new Set(["m1"]));
    assert.equal((await areas.clock.until(areas.hub("u3").request("make"))).text(), "m1");
    await areas.close();
  },
);

test("One border that joins three areas carries from each into the others", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  for (const area of ["a", "b", "c"]) {
    areas.router(area, `in-${area}`).registerService(`from-${area}`, () => area);
  }
  const { border } = areas.border("door", [
    { area: "a", exports: ALL },
    { area: "b", exports: ALL },
    { area: "c", exports: ALL },
  ]);
  await areas.settle();
  assert.equal(border.summaries().length, 6);
  assert.equal((await clock.until(areas.hub("c").request("from-a"))).text(), "a");
  assert.equal((await clock.until(areas.hub("a").request("from-b"))).text(), "b");
  await areas.close();
});

test("Who does not say whether it is a border is not exported, until it does", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  areas.router("b", "desk");
  let silent = true;
  worker.registerReserved("aln.border", () => {
    if (silent) return new Promise(() => {});
    throw new Error("out of order");
  });
  const registration = worker.registerService("resize", () => "");
  const { border } = areas.border("door", [{ area: "a", exports: ALL }, { area: "b" }]);
  await areas.clock.pass(120_000);
  registration.capacity = 2; // It is looked at again.
  await areas.clock.pass(120_000);
  assert.deepEqual(border.summaries(), []);
  silent = false;
  await areas.clock.pass(120_000);
  assert.deepEqual(border.summaries(), []);
  worker.unregisterService("aln.border");
  await areas.clock.pass(120_000);
  assert.equal(border.summaries().length, 1);
  await areas.close();
});

test("What a border says that means nothing is not believed", { timeout: 20_000 }, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  areas.router("b", "desk");
  const said = [
    "",
    "{",
    "null",
    '{"area":"a"}',
    '{"area":"a","set":[["resize",["b","c",7]]],"gone":[]}',
    '{"area":"a","set":[["resize",[]]],"gone":[""]}',
    '{"area":"a","set":[["resize",["1","2","3","4","5","6","7","8","9"]]],"gone":[]}',
    '{"area":"a","set":[["resize",["1","2","3","4","5","6","7","8"]]],"gone":[]}',
    '{"area":"a","set":[["resize",["x","x"]]],"gone":[]}',
    '{"area":"a","set":[["resize",["b"]]],"gone":[]}',
    '{"area":"z","set":[["resize",[]]],"gone":[]}',
  ];
  let now = "";
  worker.registerReserved("aln.border", async function* (_packet, _reply, { signal }) {
    yield now;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  });
  const { border } = areas.border("door", [{ area: "a", exports: ALL }, { area: "b" }]);
  for (now of said) {
    const registration = worker.registerService("resize", () => "");
    await areas.settle();
    assert.deepEqual(border.summaries(), [], now);
    assert.deepEqual(border.stats().strangers, now.includes('"z"') ? ["worker"] : [], now);
    registration[Symbol.dispose]();
    await areas.settle();
  }
  now = '{"area":"a","set":[["resize",["x"]]],"gone":[]}';
  worker.registerService("resize", () => "");
  await areas.settle();
  assert.deepEqual(border.summaries().map(({ path }) => path), [["a", "x"]]);
  await areas.close();
});

test("A router that becomes a border without a pause is found out", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const far = areas.router("b", "far");
  far.registerService("resize", () => "far");
  const one = areas.border("one", [{ area: "a", exports: ALL }, { area: "b", exports: ALL }]);
  const { clock } = areas;
  // It serves the calls itself,
  const turncoat = one.at.a!;
  await clock.until(one.border.close());
  turncoat.registerService("resize", () => "own");
  const two = areas.border("two", [{ area: "a", exports: ALL }, { area: "b" }]);
  await areas.settle();
  assert.deepEqual(summaries(two), ["resize in b by a"]);
  // and then, in the same breath, says that it carries them on.
  turncoat.registerReserved("aln.border", async function* (_packet, _reply, { signal }) {
    yield '{"area":"a","set":[["resize",["b"]]],"gone":[]}';
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  });
  await clock.pass(70_000);
  assert.deepEqual(summaries(two), []);
  await areas.close();
});
