import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { joinAreas } from "../../src/border/mod.ts";
import { Areas } from "../support/areas.ts";
import { OldPeer } from "../support/old_peer.ts";
import { turn } from "../support/routers.ts";

test(
  "A service that is exported can be called in the other area, and nobody learns a route or an address from there",
  {
    timeout: 10_000,
  },
  async () => {
    const areas = new Areas();
    const worker = areas.router("a", "worker");
    const desk = areas.router("b", "desk");
    const callers: string[] = [];
    worker.registerService("resize", (packet) => {
      callers.push(packet.src);
      return `small ${packet.text()}`;
    });
    areas.border("door", [{ area: "a", exports: ["resize"] }, { area: "b" }]);
    const { clock } = areas;
    await clock.until(desk.waitForService("resize"));
    assert.equal((await clock.until(desk.request("resize", "cat"))).text(), "small cat");
    assert.deepEqual(callers, ["door"], "the handler sees the border");
    assert.deepEqual(desk.routes().map(({ address }) => address).toSorted(), ["b", "door"]);
    assert.deepEqual(desk.serviceAddresses("resize"), ["door"]);
    await areas.close();
  },
);

test(
  "Nothing crosses a border that is not named; a name that ends in * stands for all that begin so; aln. never crosses",
  {
    timeout: 10_000,
  },
  async () => {
    const areas = new Areas();
    const worker = areas.router("a", "worker");
    const desk = areas.router("b", "desk");
    for (const name of ["log.web", "log.db", "secret", "resize"]) {
      worker.registerService(name, () => name);
    }
    const old = new OldPeer("old", areas.clock); // It knows nothing of names that are reserved.
    old.join(areas.hub("a"));
    old.offer("aln.info");
    areas.border("silent", [{ area: "a" }, { area: "b" }]);
    areas.border("some", [{ area: "a", exports: ["log.*", "resize"] }, { area: "b" }]);
    areas.border("all", [{ area: "a", exports: ["*"] }, { area: "b" }]);
    areas.border("picky", [
      { area: "a", exports: (service, host) => service === "secret" && host === "worker" },
      { area: "b" },
    ]);
    areas.border("shy", [
      { area: "a", exports: ["*"] },
      { area: "b", imports: (service, area) => service === "resize" && area === "a" },
    ]);
    await areas.settle();
    const offered = (address: string) =>
      desk.services().filter((one) => one.address === address).map(({ service }) => service)
        .toSorted();
    assert.deepEqual(offered("silent"), []);
    assert.deepEqual(offered("some"), ["log.db", "log.web", "resize"]);
    assert.deepEqual(offered("all"), ["log.db", "log.web", "resize", "secret"]);
    assert.deepEqual(offered("picky"), ["secret"]);
    assert.deepEqual(offered("shy"), ["resize"]);
    assert.deepEqual(areas.offers("a", "aln.info"), ["old"]);
    assert(areas.hub("a").services().every(({ address }) => ["worker", "old"].includes(address)));
    await areas.close();
  },
);

test("Many instances are one summary, which goes with the last of them", {
  timeout: 10_000,
}, async () => {
  const areas = new Areas();
  const workers = ["w1", "w2", "w3"].map((address) => areas.router("a", address));
  areas.router("b", "desk");
  const offers = workers.map((worker, i) =>
    worker.registerService("resize", () => "", { capacity: 10 * (i + 1) })
  );
  const { border } = areas.border("door", [{ area: "a", exports: ["resize"] }, { area: "b" }], {
    cost: 5,
  });
  await areas.settle();
  const load = () => areas.hub("b").services().map(({ capacity }) => capacity);
  assert.deepEqual(border.summaries(), [
    { service: "resize", area: "b", path: ["a"], instances: 3, load: 15 },
  ]);
  assert.deepEqual(load(), [15], "the least load, and what the border costs");
  offers[0]!.capacity = 65_535;
  await areas.settle();
  assert.deepEqual(load(), [25], "who is full does not count");
  for (const offer of offers.slice(1)) offer.capacity = 65_535;
  await areas.settle();
  assert.deepEqual(load(), [65_535], "all are full");
  for (const offer of offers.slice(1)) offer[Symbol.dispose]();
  await areas.settle();
  assert.equal(load().length, 1);
  offers[0]![Symbol.dispose]();
  await areas.settle();
  assert.deepEqual([load(), border.summaries()], [[], []]);
  offers[0] = workers[0]!.registerService("resize", () => "");
  await areas.settle();
  assert.deepEqual(load(), [6], "it comes back");
  areas.link(workers[0]!)[0].close();
  await areas.settle();
  assert.deepEqual(load(), [], "a lost link is a lost instance");
  await areas.close();
});

test("However fast instances come, go and change, a summary changes once a second at most", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  areas.router("b", "desk");
  const { clock } = areas;
  const { at } = areas.border("door", [{ area: "a", exports: ["*"] }, { area: "b" }]);
  const steady = worker.registerService("steady", () => "");
  await areas.settle();
  let loads = 0;
  let gone = 0;
  at.b!.addEventListener("service", ({ service, capacity }) => { // Before the mesh sets the pace.
    if (service === "steady") loads++;
    if (service === "flaky" && capacity === 0) gone++;
  });
  for (let i = 0; i < 50; i++) { // Ten seconds.
    steady.capacity = 1 + (i * 7_919) % 60_000;
    await clock.pass(200);
  }
  for (let i = 0; i < 20; i++) { // Ten seconds.
    const flaky = worker.registerService("flaky", () => "");
    await clock.pass(400);
    flaky[Symbol.dispose]();
    await clock.pass(100);
  }
  assert(loads >= 5 && loads <= 11, `loads: ${loads}`);
  assert(gone >= 5 && gone <= 10, `gone: ${gone}`);
  await areas.close();
});

test("A border with many summaries tells of their loads less often, but at once who is full", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  areas.router("b", "desk");
  const { clock } = areas;
  const services = Array.from({ length: 40 }, (_, i) => worker.registerService(`s${i}`, () => ""));
  areas.border("door", [{ area: "a", exports: ["*"] }, { area: "b" }]);
  await areas.settle();
  let heard = 0;
  areas.hub("b").addEventListener("service", () => heard++);
  for (let i = 0; i < 40; i++) { // Twenty seconds.
    for (const service of services) service.capacity = 1 + (i * 7_919) % 60_000;
    await clock.pass(500);
  }
  assert(heard >= 120 && heard <= 240, `loads: ${heard}`);
  services[0]!.capacity = 65_535;
  await clock.pass(2_500);
  const { capacity } = areas.hub("b").services().find(({ service }) => service === "s0")!;
  assert.equal(capacity, 65_535);
  await areas.close();
});

test("The program's own service of a name goes before a summary, and is not exported", {
  timeout: 10_000,
}, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  const desk = areas.router("b", "desk");
  const { border, at } = areas.border("door", [
    { area: "a", exports: ["*"] },
    { area: "b", exports: ["*"] },
  ]);
  const { clock } = areas;
  const own = at.b!.registerService("who", () => "own");
  worker.registerService("who", () => "worker");
  await areas.settle();
  assert.deepEqual(border.summaries(), []);
  assert.equal((await clock.until(desk.request("who"))).text(), "own");
  own[Symbol.dispose]();
  await areas.settle();
  assert.equal((await clock.until(desk.request("who"))).text(), "worker");
  // It may also take the place of a summary.
  at.b!.registerService("who", () => "own again");
  worker.unregisterService("who");
  await areas.settle();
  assert.equal((await clock.until(desk.request("who"))).text(), "own again");
  assert.deepEqual(areas.offers("a", "who"), []);
  await areas.close();
});

test("A border offers so many summaries and no more, and the next when there is room", {
  timeout: 10_000,
}, async () => {
  const areas = new Areas();
  const worker = areas.router("a", "worker");
  areas.router("b", "desk");
  for (let i = 0; i < 5; i++) worker.registerService(`s${i}`, () => "");
  const { border } = areas.border("door", [{ area: "a", exports: ["*"] }, { area: "b" }], {
    maxSummaries: 3,
  });
  await areas.settle();
  assert.deepEqual([border.summaries().length, border.stats().leftOut], [3, 2]);
  worker.unregisterService(border.summaries()[0]!.service);
  await areas.settle();
  assert.deepEqual([border.summaries().length, border.stats().leftOut], [3, 1]);
  await areas.close();
});

test(
  "joinAreas() refuses what makes no sense, and a border that could not begin leaves nothing behind",
  {
    timeout: 10_000,
  },
  async () => {
    const [a, b] = [new Router("a"), new Router("b")];
    assert.throws(() => joinAreas([{ area: "a", router: a }]), TypeError);
    const same = [{ area: "a", router: a }, { area: "a", router: b }];
    assert.throws(() => joinAreas(same), /same name/);
    const one = [{ area: "a", router: a }, { area: "b", router: a }];
    assert.throws(() => joinAreas(one), /same router/);
    const sound = [{ area: "a", router: a }, { area: "b", router: b }];
    assert.throws(() => joinAreas([{ area: "", router: a }, sound[1]!]), /area/);
    assert.throws(() => joinAreas(sound, { cost: 0 }), RangeError);
    assert.throws(() => joinAreas(sound, { maxCalls: 0.5 }), RangeError);
    const border = joinAreas(sound);
    assert.throws(() => joinAreas([sound[0]!, { area: "c", router: new Router("c") }]), /already/);
    await border.close();
    const filter = "resize" as unknown as string[];
    assert.throws(() => joinAreas([{ ...sound[0]!, exports: filter }, sound[1]!]), /exports/);
    assert.throws(() => joinAreas([{ ...sound[0]!, imports: filter }, sound[1]!]), /imports/);
    await b.close();
    assert.throws(() => joinAreas(sound), /closed/);
    await turn();
    assert.equal(a.send({ dst: "a", srv: "aln.border" }), null);
    assert.equal(a.stats().drops["no-service"], 1, "nobody answers for a border");
    await a.close();
  },
);
