/**
 * The home panel in a real browser: devices are separate processes, which are killed.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Browser, chromium, complaints, type Page } from "../support/browser.ts";
import { guest, startExample, startHub } from "../support/examples.ts";
import { deno, runtimes } from "../support/process_runtimes.ts";

const { skip } = chromium;
const network = { timeout: 60_000, skip: skip !== false };

const HUB = "examples/home/hub.ts";
const SENSOR = "examples/home/sensor.ts";
const LIGHT = "examples/home/light.ts";

/** An expression: what the panel shows of each device, by its name. */
const SHOWN = `Object.fromEntries([...document.querySelectorAll("article")].map((card) => [
  card.querySelector("h2").textContent,
  [card.dataset.state, card.querySelector("p").textContent],
]))`;

/** An expression: whether devices are so, and say something. */
const are = (state: string, ...rooms: string[]): string =>
  rooms.map((room) => `(${SHOWN})["${room}"]?.[0] === "${state}"`).join(" && ");

/** An expression: whether a device says so. */
const says = (room: string, value: string): string => `(${SHOWN})["${room}"]?.[1] === "${value}"`;

const ROOMS = ["kitchen", "garden", "cellar", "hall"] as const;

describe(skip ? `home panel (skipped: ${skip})` : "home panel", () => {
  let browser: Browser;
  before(async () => {
    if (!skip) browser = await Browser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  test("shows devices that come and go, and so does the hub", network, async (t) => {
    await using stack = new AsyncDisposableStack();
    const hub = await startHub(HUB, deno);
    stack.use(hub.program);
    const device = (file: string, ...args: string[]) =>
      stack.use(startExample(file, deno, ...args, hub.tcp));
    const kitchen = device(SENSOR, "kitchen", "21.5");
    device(SENSOR, "garden", "-3");
    device(SENSOR, "cellar", "12.7");
    const hall = device(LIGHT, "hall");
    const panels: Page[] = [];
    const all = (expression: string) => Promise.all(panels.map((panel) => panel.until(expression)));

    // Who opens it sees the last values at once: the light's has never changed.
    for (let i = 0; i < 2; i++) {
      const panel = await browser.open(hub.page);
      panels.push(panel);
      await panel.until(are("live", ...ROOMS));
      const took = await panel.evaluate<number>("performance.now()");
      t.diagnostic(`all devices are shown ${took.toFixed(0)} ms after the panel was asked for`);
      const { hall, ...sensors } = await panel.evaluate<Record<string, string[]>>(SHOWN);
      assert.deepEqual(hall, ["live", "off"]);
      for (const [, value] of Object.values(sensors)) assert.match(value!, /^-?\d+\.\d °C$/);
    }

    // The switch answers, in every panel.
    const [panel] = panels;
    const click = (page: Page) => page.evaluate(`document.querySelector("button").click()`);
    await click(panel!);
    await all(says("hall", "on"));
    await all(`document.querySelector("button").ariaChecked === "true"`);
    await hall.line(/^hall is on, as panel-\w+ likes it$/);

    // A sensor is unplugged: its card alone greys, and keeps its last value.
    await panel!.until(`document.querySelector("polyline").points.length > 2`);
    const killed = performance.now();
    kitchen.signal("SIGKILL");
    await all(are("gone", "kitchen"));
    t.diagnostic(`the card greys ${(performance.now() - killed).toFixed(0)} ms after that`);
    await all(are("live", "garden", "cellar", "hall"));
    const shown = await panel!.evaluate<Record<string, string[]>>(SHOWN);
    assert.match(shown.kitchen![1]!, /^2\d\.\d °C$/);
    for (const [width, dark] of [[375, false], [375, true], [900, false], [900, true]] as const) {
      await panel!.look({ width, dark });
      const wide = await panel!.evaluate<number>("document.documentElement.scrollWidth");
      assert(wide <= width, `the page is ${wide} pixels wide, the screen is ${width}`);
      await panel!.shot(`home-${width}-${dark ? "dark" : "light"}`);
    }
    device(SENSOR, "kitchen", "40");
    await all(are("live", "kitchen"));
    await all(`(${SHOWN}).kitchen[1] > "35"`);

    // The hub is killed and starts anew: the panels recover by themselves, the light is as it was.
    await panel!.evaluate("window.kept = true");
    hub.program.signal("SIGKILL");
    await all(are("gone", ...ROOMS));
    await all(`document.getElementById("state").dataset.state === "lost"`);
    await panel!.shot("home-without-hub");
    const port = (url: string) => new URL(url).port;
    const again = await startHub(HUB, deno, { tcp: port(hub.tcp), http: port(hub.page) });
    stack.use(again.program);
    await all(are("live", ...ROOMS));
    await all(says("hall", "on"));
    await all(`document.getElementById("state").dataset.state === "joined"`);
    assert.equal(await panel!.evaluate("window.kept"), true);
    await click(panels[1]!);
    await all(says("hall", "off"));
    assert.deepEqual(panels.map(complaints), [[], []]);
    for (const page of panels) await page.close();
  });

  test("shows what devices are called, and say, as text", network, async () => {
    const hub = await startHub(HUB, deno);
    await using _ = hub.program;
    const evil = `<img src=x onerror="hacked = 1">`;
    await using near = await guest(evil, hub.tcp);
    const watchedAgain = new Promise<void>((resolve) => {
      let count = 0;
      near.registerService("temperature", () => {
        if (++count === 2) resolve();
        return "<b>";
      });
    });
    near.registerService("light", async function* (packet) {
      if (packet.text() !== "watch") throw new Error(evil);
      yield "w".repeat(5_000);
    });
    const panel = await browser.open(hub.page);
    await panel.until(
      `document.querySelectorAll("article[data-state=gone] p:not(:empty)").length === 2`,
    );
    await panel.evaluate(`document.querySelector("button").click()`);
    await panel.until(`document.querySelector("small").textContent.includes("<img")`);
    await watchedAgain; // It is still there, so it may have more to say.
    assert.equal(await panel.evaluate("typeof hacked"), "undefined");
    assert.equal(await panel.evaluate(`document.querySelectorAll("img, b").length`), 0);
    await panel.look({ width: 375, dark: false });
    const wide = await panel.evaluate<number>("document.documentElement.scrollWidth");
    assert(wide <= 375, `the page is ${wide} pixels wide`);
    await panel.shot("home-hostile");
    assert.deepEqual(complaints(panel), []);
    await panel.close();
  });

  for (const runtime of runtimes) {
    test(`is served from its sources by ${runtime.label}`, {
      ...network,
      skip: network.skip || runtime.skip,
    }, async () => {
      const hub = await startHub(HUB, runtime);
      await using _ = hub.program;
      await using light = startExample(LIGHT, runtime, "hall", hub.tcp);
      await light.line(/^hall joined /);
      const panel = await browser.open(hub.page);
      await panel.until(says("hall", "off"));
      await panel.evaluate(`document.querySelector("button").click()`);
      await panel.until(says("hall", "on"));
      assert.deepEqual(complaints(panel), []);
      await panel.close();
    });
  }
});
