import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, type Router } from "../../mod.ts";
import { Areas } from "../support/areas.ts";
import { failureCode } from "../support/routers.ts";

const SIDES = [{ area: "a", exports: ["*"] }, { area: "b" }];

/** What a border says of itself to who asks once. */
async function statement(areas: Areas, router: Router): Promise<unknown> {
  const reply = await areas.clock.until(router.request("aln.border", "", { dst: "door" }));
  return reply.json();
}

test("A border says what it offers, its program's own services too, and tells of each change", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  const worker = areas.router("a", "worker");
  const desk = areas.router("b", "desk");
  worker.registerService("one", () => "");
  const { border, at } = areas.border("door", SIDES);
  at.b!.registerService("own", () => "");
  await areas.settle();
  assert.deepEqual(await statement(areas, desk), {
    area: "b",
    set: [["own", []], ["one", ["a"]]],
    gone: [],
  });
  const told = desk.stream("aln.border", "", { dst: "door", idle: Infinity }).getReader();
  await clock.until(told.read());
  // Nobody reads for a while: the last word on each is kept.
  for (let i = 0; i < 3; i++) {
    worker.unregisterService("one");
    const two = worker.registerService("two", () => "");
    await areas.settle();
    two[Symbol.dispose]();
    worker.registerService("one", () => "");
    await areas.settle();
  }
  const said: unknown[] = [];
  const read = (async () => {
    for (let next; !(next = await told.read()).done;) said.push(next.value.json());
  })();
  await clock.pass(1_000);
  await clock.until(border.close());
  await clock.until(read);
  const last = said.at(-1);
  assert.deepEqual(last, { area: "b", set: [], gone: ["one"] }, "withdrawn before it closes");
  assert(said.length < 14, `${said.length}`);
  assert.equal(await failureCode(clock.until(statement(areas, desk))), "ERR_NO_SERVICE");
  await areas.close();
});

test("A border asks few routers at once, and tells few borders at once", {
  timeout: 30_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  let asked = 0;
  let most = 0;
  for (let i = 0; i < 40; i++) {
    const router = areas.router("a", `w${i}`);
    router.registerService("work", () => "");
    router.registerReserved("aln.border", (_packet, _reply, { signal }) => {
      most = Math.max(most, ++asked);
      return new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve(void asked--), { once: true })
      );
    });
  }
  const desk = areas.router("b", "desk");
  await areas.settle();
  areas.border("door", SIDES);
  await clock.pass(3_000);
  assert.equal(asked, 32);
  await clock.pass(30_000);
  assert.equal(most, 32);
  const streams = Array.from(
    { length: 65 },
    () => desk.stream("aln.border", "", { dst: "door", idle: Infinity }).getReader(),
  );
  const first = Promise.allSettled(streams.map((one) => one.read()));
  const states = (await clock.until(first)).map(({ status }) => status);
  assert.deepEqual([states.filter((one) => one === "rejected").length, states.at(-1)], [
    1,
    "rejected",
  ]);
  await areas.close();
});

test(
  "Who is behind a link that is not trusted may call across a border, and does not learn of the areas",
  {
    timeout: 20_000,
  },
  async () => {
    const areas = new Areas();
    const { clock } = areas;
    areas.router("a", "worker").registerService("work", () => "");
    areas.router("b", "desk");
    const { border } = areas.border("door", SIDES);
    await areas.settle();
    assert.equal(border.summaries().length, 1);
    const guest = areas.router("elsewhere", "guest");
    areas.link(guest)[0].close();
    const [here, there] = createChannelPair();
    areas.hub("b").addChannel(here, { trusted: false });
    guest.addChannel(there);
    await areas.settle();
    assert.deepEqual(guest.serviceAddresses("work"), ["door"]);
    assert.equal((await clock.until(guest.request("work"))).text(), "");
    const asked = guest.request("aln.border", "", { dst: "door", timeout: 1_000 });
    assert.equal(await failureCode(clock.until(asked)), "TimeoutError");
    await areas.close();
  },
);
