/**
 * The page of the worker pool in a real browser: workers are separate processes.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { tokensFor } from "../../examples/workers/tokens.ts";
import { Browser, chromium, complaints, type Page } from "../support/browser.ts";
import { guest, startExample, startHub } from "../support/examples.ts";
import type { Program } from "../support/process.ts";
import { deno, runtimes } from "../support/process_runtimes.ts";

const { skip } = chromium;
const network = { timeout: 60_000, skip: skip !== false };

const FRONT = "examples/workers/front.ts";
const WORKER = "examples/workers/worker.ts";

/** An expression: the newest answer's text, note and whether it is complete. */
const TEXT = `document.querySelector("section p")?.textContent ?? ""`;
const NOTE = `document.querySelector("section small")?.textContent ?? ""`;
const BUSY = `document.querySelector("section")?.ariaBusy === "true"`;

/** What a user does who asks. */
const asking = (question: string): string =>
  `{
  document.querySelector("input").value = ${JSON.stringify(question)};
  document.querySelector("form button").click();
}`;

const ask = (page: Page, question: string): Promise<unknown> => page.evaluate(asking(question));

/** An expression: whether all these workers are shown. */
const shows = (...workers: string[]): string =>
  `[...document.querySelectorAll("li")].map((li) => li.textContent).join() === "${workers.join()}"`;

describe(skip ? `page of the workers (skipped: ${skip})` : "page of the workers", () => {
  let browser: Browser;
  before(async () => {
    if (!skip) browser = await Browser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  test("streams, stops, and goes on where a worker is lost", network, async (t) => {
    await using stack = new AsyncDisposableStack();
    const front = await startHub(FRONT, deno);
    stack.use(front.program);
    const workers = new Map<string, Program>();
    const begin = (name: string) =>
      workers.set(name, stack.use(startExample(WORKER, deno, name, front.tcp)));
    begin("worker-1");
    begin("worker-2");
    const page = await browser.open(front.page);
    await page.until(shows("worker-1", "worker-2"));

    // Words show as they come, and who is at work: two questions go to two workers.
    const questions = ["What is <b>a mesh</b>?", "And who are you?"] as const;
    await page.evaluate(questions.map(asking).join(";"));
    await page.until(`document.querySelectorAll('li[data-dots="●"]').length === 2 && ${BUSY}`);
    await page.until(`(${TEXT}).split(" ").length > 5 && ${BUSY}`);
    assert.deepEqual(
      (await page.evaluate<string[]>(`[...document.querySelectorAll("section small")]
        .map((note) => note.textContent)`)).sort(),
      ["worker-1", "worker-2"],
    );
    for (const [width, dark] of [[375, false], [375, true], [900, false], [900, true]] as const) {
      await page.look({ width, dark });
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      assert(wide <= width, `the page is ${wide} pixels wide, the screen is ${width}`);
      await page.shot(`workers-${width}-${dark ? "dark" : "light"}`);
    }
    await page.until(`document.querySelectorAll("section[aria-busy=false]").length === 2`);
    assert.deepEqual(
      await page.evaluate(`[...document.querySelectorAll("section p:not(.bar)")]
          .map((text) => text.textContent).reverse()`),
      questions.map((question) => tokensFor(question).join("")),
    );
    assert.equal(await page.evaluate(`document.querySelectorAll("section b").length`), 0);

    // Stop: the worker hears of it.
    await ask(page, "How long?");
    await page.until(`(${TEXT}).split(" ").length > 5 && ${BUSY}`);
    const stopped = await page.evaluate<string>(NOTE);
    const { lines } = workers.get(stopped)!;
    const start = performance.now();
    await page.evaluate(`document.querySelector("section button").click()`);
    await workers.get(stopped)!.line(/was stopped after \d+ tokens$/, lines);
    t.diagnostic(`the worker stops ${(performance.now() - start).toFixed(0)} ms after the click`);
    await page.until(`!(${BUSY})`);
    assert.equal(await page.evaluate(NOTE), `${stopped}, stopped`);

    // A worker is killed in the middle of a word: another one goes on.
    await ask(page, "Who is next?");
    await page.until(`(${TEXT}).split(" ").length > 5 && ${BUSY}`);
    const killed = await page.evaluate<string>(NOTE);
    const other = killed === "worker-1" ? "worker-2" : "worker-1";
    workers.get(killed)!.signal("SIGKILL");
    await page.until(`!(${BUSY})`);
    assert.equal(await page.evaluate(NOTE), `${killed}, then ${other}`);
    assert.equal(await page.evaluate(TEXT), tokensFor("Who is next?").join(""));
    await page.until(shows(other));

    // One that is to leave answers what it has, and the page says so.
    await ask(page, "One more?");
    await page.until(`(${TEXT}).split(" ").length > 5 && ${BUSY}`);
    workers.get(other)!.signal("SIGINT");
    await page.until(shows(`${other} leaves`));
    await page.until(`!(${BUSY})`);
    assert.equal(await page.evaluate(TEXT), tokensFor("One more?").join(""));
    assert.equal((await workers.get(other)!.ended()).code, 0);
    await page.until(shows());
    await ask(page, "Anyone?");
    await page.until(`${NOTE} === "Cannot ask: there is no worker"`);
    await page.shot("workers-none");
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  test("shows what workers are called, and say, as text", network, async () => {
    const front = await startHub(FRONT, deno);
    await using _ = front.program;
    const evil = `<img src=x onerror="hacked = 1">${"w".repeat(200)}`;
    await using near = await guest(evil, front.tcp);
    near.registerService("llm", async function* () {
      yield evil;
      throw new Error(evil);
    });
    const page = await browser.open(front.page);
    await page.until(shows(evil.replaceAll('"', '\\"')));
    await ask(page, evil);
    await page.until(`document.querySelector("section")?.ariaBusy === "false"`);
    assert.match(await page.evaluate(NOTE), /the handler of "llm" threw "<img/);
    assert.equal(await page.evaluate(TEXT), evil);
    assert.equal(await page.evaluate("typeof hacked"), "undefined");
    assert.equal(await page.evaluate(`document.querySelectorAll("img").length`), 0);
    await page.look({ width: 375, dark: true });
    const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
    assert(wide <= 375, `the page is ${wide} pixels wide`);
    await page.shot("workers-hostile");
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  for (const runtime of runtimes) {
    test(`is served from its sources by ${runtime.label}`, {
      ...network,
      skip: network.skip || runtime.skip,
    }, async () => {
      const front = await startHub(FRONT, runtime);
      await using _ = front.program;
      await using worker = startExample(WORKER, runtime, "worker-1", front.tcp);
      await worker.line(/^worker-1 joined /);
      const page = await browser.open(front.page);
      await page.until(shows("worker-1"));
      await ask(page, "Why?");
      await page.until(`(${TEXT}) === ${JSON.stringify(tokensFor("Why?").join(""))}`);
      assert.deepEqual(complaints(page), []);
      await page.close();
    });
  }
});
