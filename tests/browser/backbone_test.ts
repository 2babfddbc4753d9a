/**
 * The pages of the examples that stand on engines, in a real browser: engines, hubs, devices and
 * workers are separate processes, which are killed.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { tokensFor } from "../../examples/workers/tokens.ts";
import { haveBackbone, startBackbone, startPanel, startSite } from "../support/backbone.ts";
import { Browser, chromium, complaints } from "../support/browser.ts";
import { startMosquitto, startNatsCluster } from "../support/engines.ts";
import { startExample } from "../support/examples.ts";
import { openTool } from "../support/mqtt_tool.ts";
import { deno } from "../support/process_runtimes.ts";
import { needing } from "../support/toolchain.ts";

const TIMEOUT = 90_000; // ms
const { skip } = chromium;
const [nats, mosquitto] = [await haveBackbone("nats-server"), await haveBackbone("mosquitto")];

/** An expression: what the panel shows of each device, by its name. */
const SHOWN = `Object.fromEntries([...document.querySelectorAll("article")].map((card) => [
  card.querySelector("h2").textContent,
  [card.dataset.state, ...[...card.querySelectorAll("p, small")].map((it) => it.textContent)],
]))`;

/** An expression: whether all these workers are shown, and no other. */
const shows = (...workers: string[]): string =>
  `[...document.querySelectorAll("li")].map((li) => li.textContent).join() === "${workers.join()}"`;

const ANSWER = `document.querySelector("section p")?.textContent ?? ""`;
const NOTE = `document.querySelector("section small")?.textContent ?? ""`;
const BUSY = `document.querySelector("section")?.ariaBusy === "true"`;

/** What a user does who asks. */
const ASK = `document.querySelector("form button").click()`;

describe(skip ? `pages on engines (skipped: ${skip})` : "pages on engines", () => {
  let browser: Browser;
  before(async () => {
    if (!skip) browser = await Browser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  const pageTest = (
    there: true | string,
    name: string,
    body: (t: { diagnostic(text: string): void }) => Promise<void>,
  ) => {
    const [title, options] = needing(there, name, TIMEOUT);
    test(title, { ...options, skip: options.skip || skip !== false }, body);
  };

  pageTest(
    mosquitto,
    "a panel that opens late shows the last value even of a sensor that is away",
    async (t) => {
      await using stack = new AsyncDisposableStack();
      const broker = stack.use(await startMosquitto());
      const device = async (name: string, room: string, ...args: string[]) => {
        const file = `examples/backbone/panel/${name}.ts`;
        const program = stack.use(await startBackbone(file, deno, room, ...args, broker.url));
        await program.line(/ joined /);
        return program;
      };
      const tool = stack.use(await openTool(broker.url));
      tool.listen("home/#");
      const cellar = await device("sensor", "cellar", "12.7");
      const last = await tool.heard("home/temperature/cellar");
      cellar.signal("SIGINT");
      await cellar.ended(); // Before there was anybody to hear it.
      const garden = await device("sensor", "garden", "-3");
      await device("light", "hall");

      const hub = await startPanel(deno, broker.url);
      stack.use(hub.program);
      await hub.program.line(/^garden is here$/);
      await hub.program.line(/^hall is here$/);
      const panel = await browser.open(hub.page);
      await panel.until(`(${SHOWN}).cellar && (${SHOWN}).hall?.[0] === "live"`);
      const { cellar: card, hall } = await panel.evaluate<Record<string, string[]>>(SHOWN);
      assert.deepEqual(card, ["gone", last, "away, its last value"]);
      assert.deepEqual(hall, ["live", "off", "live"]);

      // Either side switches the light, and the other sees it.
      await panel.evaluate(`document.querySelector("button").click()`);
      assert.equal(await tool.heard("home/light/hall", "on"), "on");
      await panel.until(`(${SHOWN}).hall[1] === "on"`);
      await tool.publish("home/light/hall/set", "off");
      await panel.until(`(${SHOWN}).hall[1] === "off"`);
      await tool.publish("home/light/hall/set", "on");
      await panel.until(`(${SHOWN}).hall[1] === "on"`);

      // The broker says goodbye for a sensor that is killed.
      await panel.until(`(${SHOWN}).garden?.[0] === "live"`);
      await panel.until(`[...document.querySelectorAll("polyline")].at(-1).points.length > 2`);
      const killed = performance.now();
      garden.signal("SIGKILL");
      await panel.until(`(${SHOWN}).garden[0] === "gone"`);
      t.diagnostic(`the card greys ${(performance.now() - killed).toFixed(0)} ms after that`);
      for (const [width, dark] of [[375, false], [375, true], [900, false]] as const) {
        await panel.look({ width, dark });
        const wide = await panel.evaluate<number>("document.documentElement.scrollWidth");
        assert(wide <= width, `the page is ${wide} pixels wide, the screen is ${width}`);
        await panel.shot(`backbone-panel-${width}-${dark ? "dark" : "light"}`);
      }
      await device("sensor", "cellar", "40");
      await panel.until(`(${SHOWN}).cellar[0] === "live" && (${SHOWN}).cellar[1] > "35"`);
      assert.deepEqual(complaints(panel), []);
      await panel.close();
    },
  );

  pageTest(nats, "a page calls the other site, and goes on alone without it", async (t) => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startNatsCluster(2));
    const sites = {
      north: await startSite(deno, "north", cluster.servers),
      south: await startSite(deno, "south", cluster.servers.toReversed()),
    };
    for (const { program } of Object.values(sites)) stack.use(program);
    const worker = (site: "north" | "south") => {
      const { tcp } = sites[site];
      stack.use(startExample("examples/workers/worker.ts", deno, `${site}-1`, tcp));
    };
    worker("south");
    const page = await browser.open(sites.north.page);
    await page.until(shows("south-1"));
    await page.evaluate(ASK);
    await page.until(`!(${BUSY})`);
    assert.equal(await page.evaluate(NOTE), "south-1");
    const whole = tokensFor("What is a mesh?").join("");
    assert.equal(await page.evaluate(ANSWER), whole);

    // Cut off in the middle of an answer: one who is here goes on.
    await page.evaluate(ASK);
    await page.until(`(${ANSWER}).split(" ").length > 5 && ${BUSY}`);
    worker("north");
    await page.until(shows("north-1", "south-1"));
    for (const node of cluster.nodes) await node.kill();
    await page.until(shows("north-1"));
    await page.until(`!(${BUSY})`);
    assert.deepEqual([await page.evaluate(NOTE), await page.evaluate(ANSWER)], [
      "south-1, then north-1",
      whole,
    ]);
    await page.look({ width: 900, dark: false });
    await page.shot("backbone-sites-cut");

    const { lines } = sites.north.program;
    await cluster.nodes[0]!.start();
    await sites.north.program.line(/^NATS is back at /, lines - 3);
    const back = performance.now();
    await page.until(shows("north-1", "south-1"));
    t.diagnostic(`the other site is here ${(performance.now() - back).toFixed(0)} ms after that`);
    assert.deepEqual(complaints(page), []);
    await page.close();
  });
});
