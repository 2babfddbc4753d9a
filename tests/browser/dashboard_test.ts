/**
 * The dashboard in a real browser: a mesh of processes, and what somebody sees of it and does with it.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createChannelPair, Router } from "../../mod.ts";
import { dashboard } from "../../src/dashboard/mod.ts";
import { inspectable } from "../../src/inspect/mod.ts";
import { listen, type UrlListener } from "../../src/runtime/net.ts";
import { Browser, chromium, complaints, type Page } from "../support/browser.ts";
import { guest } from "../support/examples.ts";
import { Program, startServer } from "../support/process.ts";
import { runtimes } from "../support/process_runtimes.ts";

const { skip } = chromium;
const network = { timeout: 60_000, skip: skip !== false };

/** An expression: the names on the map. */
const DRAWN = `[...document.querySelectorAll("#map .node")].map((node) => node.dataset.address)`;

/** An expression: the links on the map that somebody has told, as the map describes them. */
const LINKS = `[...document.querySelectorAll("#map .edge:not(.learned) title")]
  .map((title) => title.textContent.split(":")[0]).sort()`;

/** An expression: whether these, in any order, are what is drawn. */
const isDrawn = (...names: string[]): string =>
  `JSON.stringify(${DRAWN}.sort()) === ${JSON.stringify(JSON.stringify(names.sort()))}`;

/** An expression: whether these links, and no others, are drawn. */
const areLinked = (...links: string[]): string =>
  `JSON.stringify(${LINKS}) === ${JSON.stringify(JSON.stringify(links.sort()))}`;

/** An expression: whether the page is joined, or what it is instead. */
const isLink = (state: string): string =>
  `document.getElementById("state").dataset.state === "${state}"`;

/** An expression: the latest call, as its state, the texts of its replies and what is said of them. */
const CALL = `((call) => call && {
  state: call.dataset.state,
  replies: [...call.querySelectorAll("pre")].map((text) => text.textContent),
  notes: [...call.querySelectorAll("li small")].map((text) => text.textContent),
})(document.querySelector("#calls .call"))`;

const click = (page: Page, id: string): Promise<unknown> =>
  page.evaluate(`document.getElementById("${id}").click()`);

const setInput = (page: Page, id: string, text: string): Promise<unknown> =>
  page.evaluate(`{
    const input = document.getElementById("${id}");
    input.value = ${JSON.stringify(text)};
    input.dispatchEvent(new Event("input"));
  }`);

/** Fills in the form as a user does, and sends it. */
async function call(
  page: Page,
  service: string,
  { at = "", payload = "", mode = "call" }: { at?: string; payload?: string; mode?: string } = {},
): Promise<void> {
  await setInput(page, "call-service", service);
  await setInput(page, "call-instance", at);
  await setInput(page, "call-payload", payload);
  await page.evaluate(`document.querySelector("input[name=mode][value=${mode}]").click()`);
  await click(page, "call-send");
}

/** A server of this process, with a dashboard. */
interface Host extends AsyncDisposable {
  router: Router;
  listener: UrlListener;
  page: string;
}

async function host(address: string, url: string = "ws://127.0.0.1:0"): Promise<Host> {
  const router = new Router(address);
  inspectable(router);
  const pages = dashboard({ beacons: () => ["tcp+aln://10.0.0.7:8001", "<b>ws://"] });
  const listener = await listen(url, router, {
    respond: (request) => pages(request) ?? new Response("Not found", { status: 404 }),
  });
  return {
    router,
    listener,
    page: listener.url.replace("ws:", "http:"),
    async [Symbol.asyncDispose]() {
      await Promise.all([router.close(), listener.close()]);
    },
  };
}

function pair(a: Router, b: Router): void {
  const [near, far] = createChannelPair();
  a.addChannel(near);
  b.addChannel(far);
}

/** A hub with so many routers around it, in tens. */
function crowd(hub: Router, size: number): Router[] {
  const routers = [hub];
  for (let i = 1; i < size; i++) {
    const router = new Router(`n${i}`);
    inspectable(router);
    pair(router, routers[Math.floor((i - 1) / 6)]!);
    routers.push(router);
  }
  return routers.slice(1);
}

describe(skip ? `dashboard (skipped: ${skip})` : "dashboard", () => {
  let browser: Browser;
  before(async () => {
    if (!skip) browser = await Browser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  /** Opens a page on a screen that has room for the map and a view beside it. */
  async function open(url: string): Promise<Page> {
    const page = await browser.open("about:blank");
    await page.look({ width: 1_280, dark: false });
    await page.navigate(url);
    return page;
  }

  test(
    "joins, draws routers of several processes, and drops one that is killed",
    network,
    async (t) => {
      await using stack = new AsyncDisposableStack();
      const hub = await startServer("hub");
      stack.use(hub.program);
      const left = await startServer("left", { join: [hub.tcp] });
      stack.use(left.program);
      const right = await startServer("right", { join: [left.tcp] });
      stack.use(right.program);
      const near = stack.use(await guest("near", right.tcp));
      inspectable(near);
      const page = await open(`${hub.page}dashboard/?name=desk`);
      await page.until(isLink("joined"));
      await page.until(isDrawn("desk", "hub", "left", "right", "near"));
      const drawn = await page.evaluate<number>("performance.now()");
      t.diagnostic(`five routers are drawn ${drawn.toFixed(0)} ms after the page was asked for`);
      await page.until(areLinked("desk – hub", "hub – left", "left – right", "near – right"));

      // Another process is killed: it goes, and who was behind it.
      const killed = performance.now();
      right.program.signal("SIGKILL");
      await page.until(isDrawn("desk", "hub", "left"));
      t.diagnostic(`it is gone ${(performance.now() - killed).toFixed(0)} ms after it was killed`);
      await page.until(areLinked("desk – hub", "hub – left"));

      await page.until(`!document.getElementById("map").classList.contains("moving")`);
      const place = await page.evaluate<{ x: number; y: number }>(
        `(({ left, top, width, height }) =>
      ({ x: left + width / 2, y: top + height / 2 })
    )(document.querySelector('#map .node[data-address="left"] circle:not(.halo)')
      .getBoundingClientRect())`,
      );
      for (const clickCount of [1, 2]) {
        for (const type of ["mousePressed", "mouseReleased"]) {
          const event = { type, ...place, button: "left", clickCount };
          await page.send("Input.dispatchMouseEvent", event);
        }
      }
      // A click shows the router, a double click the way there.
      await page.until(`document.getElementById("card-name").textContent === "left"`);
      await page.until(`document.querySelectorAll("#card-links tr").length === 1`);
      await page.until(`document.querySelectorAll(".hop").length === 3`);
      assert.deepEqual(
        await page.evaluate(
          `[...document.querySelectorAll(".hop strong")].map((it) => it.textContent)`,
        ),
        ["desk", "hub", "left"],
      );
      await page.until(`document.querySelectorAll("#map .edge.traced").length === 2`);

      // The server ends, and starts anew on the same port.
      hub.program.signal("SIGKILL");
      await hub.program.ended();
      await page.until(isLink("lost"));
      await page.until(isDrawn("desk"));
      const again = await startServer("hub", { http: Number(new URL(hub.page).port) });
      stack.use(again.program);
      await click(page, "retry");
      await page.until(isLink("joined"));
      await page.until(isDrawn("desk", "hub"));
      await click(page, "tab-services");
      await call(page, "ping", { at: "hub", payload: "x" });
      await page.until(`(${CALL})?.state === "done"`);
      assert.deepEqual(complaints(page), []);
      await page.close();
    },
  );

  test("calls, streams, stops a stream, gathers, and sends again", network, async () => {
    await using hub = await host("hub");
    const { router } = hub;
    let stopped = Promise.withResolvers<void>();
    router.registerService("upper", (packet) => packet.text().toUpperCase());
    router.registerService("bytes", () => Uint8Array.of(0, 255));
    router.registerService("count", async function* (packet, _reply, { signal }) {
      signal.addEventListener("abort", () => stopped.resolve(), { once: true });
      for (let i = 1; i <= (Number(packet.text()) || Infinity); i++) {
        yield `${i}`;
        if (i >= 3 && packet.text() === "") await stopped.promise;
      }
    });
    await using other = await guest("other", hub.listener.url);
    other.registerService("upper", () => "OTHER");
    const page = await open(`${hub.page}?name=desk`);
    await page.until(`document.querySelectorAll("#services .instance").length === 4`);

    await call(page, "upper", { at: "hub", payload: "grüße" });
    await page.until(`(${CALL})?.state === "done"`);
    const answer = await page.evaluate<{ replies: string[]; notes: string[] }>(CALL);
    assert.deepEqual(answer.replies, ["GRÜSSE"]);
    assert.match(answer.notes[0]!, /^hub · 1 hop · \d+(\.\d+)? ms$/);
    await page.evaluate(`document.querySelector("#calls button:not(.stop)").click()`);
    await page.until(`document.querySelectorAll('#calls .call[data-state="done"]').length === 2`);
    await call(page, "bytes");
    await page.until(`(${CALL})?.replies[0]?.startsWith("0000 00 ff")`);

    await call(page, "upper", { mode: "gather" });
    await page.until(`(${CALL})?.state === "done"`);
    const { replies } = await page.evaluate<{ replies: string[] }>(CALL);
    assert.deepEqual(replies.sort(), ["(empty)", "OTHER"]);

    await call(page, "count", { mode: "stream", payload: "5" });
    await page.until(`(${CALL})?.state === "done"`);
    assert.deepEqual(
      (await page.evaluate<{ replies: string[] }>(CALL)).replies,
      ["5", "4", "3", "2", "1"],
    );
    stopped = Promise.withResolvers();
    await call(page, "count", { mode: "stream" });
    await page.until(`(${CALL})?.replies.length === 3`);
    await page.evaluate(`document.querySelector("#calls .stop").click()`);
    await page.until(`(${CALL})?.state === "stopped"`);
    await stopped.promise; // The service has been told.

    await call(page, "nobody");
    await page.until(`(${CALL})?.state === "failed"`);
    await page.evaluate(`document.querySelector("input[name=format][value=hex]").click()`);
    await call(page, "upper", { payload: "0g" });
    await page.until(
      `/is no hexadecimal digit/.test(document.getElementById("call-error").textContent)`,
    );
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  test("logs the packets that it sees, and filters, pauses and shows them", network, async () => {
    await using hub = await host("hub");
    hub.router.registerService("upper", (packet) => packet.text().toUpperCase());
    const page = await open(`${hub.page}?name=desk`);
    await page.until(`document.querySelectorAll("#services .instance").length === 1`);
    for (const payload of ["one", "two"]) {
      await call(page, "upper", { payload });
      await page.until(`(${CALL})?.replies[0] === "${payload.toUpperCase()}"`);
    }
    await click(page, "tab-packets");
    const rows = `[...document.querySelectorAll(".packet-row:not([hidden])")]
      .map((row) => [2, 3, 5].map((i) => row.children[i].textContent))`;
    const shows = (...lines: string[][]) =>
      `JSON.stringify(${rows}) === ${JSON.stringify(JSON.stringify(lines))}`;
    const asked = (text: string) => ["desk → hub", "upper ask", text];
    const replied = (text: string) => ["hub → desk", "upper reply", text];
    await page.until(shows(asked("one"), replied("ONE"), asked("two"), replied("TWO")));
    await setInput(page, "log-filter", "role:reply two");
    await page.until(shows(replied("TWO")));
    await page.evaluate(`document.querySelector(".packet-row").click()`);
    assert.equal(
      await page.evaluate(`document.getElementById("packet-text").textContent`),
      "TWO",
    );
    await setInput(page, "log-filter", "");
    await click(page, "log-routing");
    await page.until(`${rows}.some(([who]) => who.endsWith("→ neighbour"))`);
    await click(page, "log-routing");
    await click(page, "log-pause");
    await call(page, "upper", { payload: "three" });
    await page.until(`(${CALL})?.replies[0] === "THREE"`);
    await page.until(shows(asked("one"), replied("ONE"), asked("two"), replied("TWO")));
    await click(page, "log-clear");
    await page.until(shows());
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  test("shows what others are called, and say, as text; on a phone, too", network, async () => {
    const evil = `<img src=x onerror="hacked = 1">`;
    const closing = `</text></svg><script>hacked = 2</script>`;
    const turned = "\u202egnirts a\u0000\u001b[31m";
    await using hub = await host(evil);
    hub.router.registerService(evil, () => `${evil}${closing}`);
    await using near = await guest(closing, hub.listener.url);
    inspectable(near);
    near.registerService(turned, () => Promise.reject(new Error(evil)));
    near.registerService("w".repeat(255), () => "y".repeat(5_000));
    const page = await open(`${hub.page}?name=${encodeURIComponent(evil + "2")}`);
    await page.until(isDrawn(evil, closing, `${evil}2`));
    await page.until(`document.querySelectorAll("#services .instance").length === 3`);
    const names =
      `[...document.querySelectorAll("#services .pick .name")].map((it) => it.textContent)`;
    assert.deepEqual(
      (await page.evaluate<string[]>(names)).sort(),
      [evil, turned, "w".repeat(255)].sort(),
    );
    await call(page, evil, { payload: evil });
    await page.until(`(${CALL})?.replies[0] === ${JSON.stringify(evil + closing)}`);
    await call(page, turned);
    await page.until(`(${CALL})?.state === "failed"`);
    await page.evaluate(`document.querySelector("#map .node:not(.self)")
      .dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }))`);
    await page.until(`!document.getElementById("card").hidden`);
    await page.evaluate(`document.getElementById("connect-open").click()`);
    await page.until(`document.querySelectorAll("#beacons li").length === 2`);
    await page.evaluate(`document.getElementById("connect").close()`);
    for (const tab of ["services", "routes", "packets", "trace", "problems"]) {
      await click(page, `tab-${tab}`);
    }
    assert.equal(await page.evaluate("typeof hacked"), "undefined");
    assert.equal(await page.evaluate(`document.querySelectorAll("img, body script, b").length`), 0);
    for (const [width, dark] of [[360, false], [360, true], [1280, true]] as const) {
      await page.look({ width, dark });
      for (const tab of ["map", "services", "routes", "packets", "trace", "problems"]) {
        await click(page, `tab-${tab}`);
        const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
        assert(wide <= width, `${tab} is ${wide} pixels wide, the screen is ${width}`);
        await page.shot(`dashboard-hostile-${tab}-${width}-${dark ? "dark" : "light"}`);
      }
    }
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  test("lets no page run what is not its own", network, async () => {
    await using hub = await host("hub");
    const response = await fetch(hub.page);
    await response.body?.cancel();
    const policy = response.headers.get("content-security-policy")!;
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'"]) {
      assert(policy.split("; ").includes(part), policy);
    }
    for (const path of ["src/dashboard/sources.ts", "src/../deno.json", "mod.ts", "deno.json"]) {
      const { status, body } = await fetch(new URL(path, hub.page));
      await body?.cancel();
      assert.equal(status, 404, path);
    }
    const page = await open(hub.page);
    await page.until(isLink("joined"));
    assert.equal(
      await page.evaluate(`new Promise((resolve) => {
        document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
          resolve(violatedDirective));
        const script = document.createElement("script");
        script.textContent = "hacked = 1";
        document.body.append(script);
      })`),
      "script-src-elem",
    );
    assert.equal(await page.evaluate("typeof hacked"), "undefined");
    await page.close();
  });

  test(
    "moves two hundred routers smoothly, and is still once they have settled",
    network,
    async (t) => {
      await using hub = await host("hub");
      await using stack = new AsyncDisposableStack();
      for (const router of crowd(hub.router, 199)) stack.use(router);
      const page = await browser.open("about:blank");
      // Counts frames, and the time that scripts take in them.
      await page.send("Page.addScriptToEvaluateOnNewDocument", {
        source: `{
        const original = requestAnimationFrame;
        window.frames200 = [];
        window.requested = 0;
        window.requestAnimationFrame = (callback) => (window.requested++, original((now) => {
          const start = performance.now();
          callback(now);
          if (document.querySelectorAll("#map .node").length === 200) {
            window.frames200.push([now, performance.now() - start]);
          }
        }));
      }`,
      });
      await page.navigate(`${hub.page}?name=desk`);
      await page.until(`document.querySelectorAll("#map .node").length === 200`);
      await page.until(`document.getElementById("map").classList.contains("moving")`);
      await page.until(`!document.getElementById("map").classList.contains("moving")
      && frames200.length > 100`);
      const frames = await page.evaluate<[at: number, script: number][]>("frames200");
      const gaps = frames.slice(1).map(([at], i) => at - frames[i]![0]).sort((a, b) => a - b);
      const scripts = frames.map(([, script]) => script).sort((a, b) => a - b);
      const middle = (list: number[]) => list[list.length >> 1]!;
      const rate = 1_000 / middle(gaps);
      const mean = scripts.reduce((sum, it) => sum + it, 0) / scripts.length;
      t.diagnostic(
        `${frames.length} frames, ${rate.toFixed(0)} a second (median); script per frame: ` +
          `mean ${mean.toFixed(2)} ms, 95 % below ${
            scripts[Math.floor(scripts.length * 0.95)]!.toFixed(2)
          } ms`,
      );
      assert(rate >= 20, `${rate} frames a second`); // 50 on a machine that has nothing else to do.
      assert(middle(scripts) < 15, `${middle(scripts)} ms of script in a frame`);
      // Nothing moves any more: no frame is asked for, though the page goes on asking the others.
      const requested = await page.evaluate<number>("requested");
      const asked = hub.router.stats().channels[0]!.packetsIn;
      await page.until(`document.getElementById("round-trip").textContent !== ""`);
      while (hub.router.stats().channels[0]!.packetsIn < asked + 2) {
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 100))");
      }
      assert.equal(await page.evaluate<number>("requested"), requested);
      assert.deepEqual(complaints(page), []);
      await page.close();
    },
  );

  test("shows a thousand packets a second, and stays responsive", network, async (t) => {
    await using hub = await host("hub");
    const page = await open(`${hub.page}?name=desk`);
    await page.until(isDrawn("desk", "hub"));
    await click(page, "tab-packets");
    await page.evaluate(`{
      window.blocked = [];
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) blocked.push(duration);
      }).observe({ type: "longtask" });
    }`);
    // It does say so when something takes long.
    await page.evaluate(`new Promise((resolve) => setTimeout(() => {
      for (const end = performance.now() + 80; performance.now() < end;);
      resolve();
    }))`);
    while (await page.evaluate("blocked.splice(0).length") === 0);
    // In bursts of 50, twenty times a second, for three seconds.
    let sent = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        for (let i = 0; i < 50; i++) {
          hub.router.send({ dst: "desk", srv: "reading", data: `reading ${sent++}` });
        }
        if (sent < 3_000) return;
        clearInterval(timer);
        resolve();
      }, 50);
    });
    await page.until(`document.getElementById("log-count").textContent.startsWith("3000 of")`);
    const blocked = await page.evaluate<number[]>("blocked");
    const longest = Math.max(0, ...blocked);
    t.diagnostic(`long tasks: ${blocked.length}, the longest ${longest.toFixed(0)} ms`);
    assert(longest < 250, `the page was blocked for ${longest} ms`); // 50 where nothing else runs.
    // The last packet can be seen, and only what can be seen is there.
    await page.until(`[...document.querySelectorAll(".packet-row:not([hidden]) .p-preview")]
      .some((cell) => cell.textContent === "reading 2999")`);
    assert(await page.evaluate<number>(`document.querySelectorAll(".packet-row").length`) < 100);
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  for (const runtime of runtimes) {
    const options = { ...network, skip: network.skip || runtime.skip };
    test(`is served from the sources by aln serve --ui, in ${runtime.label}`, options, async () => {
      await using program = new Program(
        ...[...runtime.run, "src/cli/main.ts", "serve", "--address", "hub", "--ui", "--echo"],
        ...["--listen", "ws://127.0.0.1:0"],
      );
      const [, url] = await program.line(/ shows the mesh at (http:\S+)$/);
      const page = await open(`${url}?name=desk`);
      await page.until(isDrawn("desk", "hub"));
      await call(page, "echo", { payload: "hello" });
      await page.until(`(${CALL})?.replies[0] === "hello"`);
      assert.deepEqual(complaints(page), []);
      await page.close();
    });
  }
});
