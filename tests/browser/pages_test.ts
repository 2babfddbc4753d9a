/**
 * The example page in a real browser: pages as nodes of the mesh.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Router } from "../../mod.ts";
import { listen } from "../../src/runtime/net.ts";
import { Browser, chromium, complaints, type Page, UNTRUSTED_HOST } from "../support/browser.ts";
import { guest } from "../support/examples.ts";
import { Program, ROOT, startServer } from "../support/process.ts";
import { deno, runtimes } from "../support/process_runtimes.ts";

const { skip } = chromium;
const network = { timeout: 60_000, skip: skip !== false };

/** What a table or a list of the page shows. */
const rows = (id: string): string =>
  `[...document.getElementById("${id}").rows].map((row) =>
    [...row.cells].slice(0, 3).map((cell) => cell.textContent))`;
const lines = (id: string): string =>
  `[...document.getElementById("${id}").children].map((line) => line.textContent)`;

/** An expression: the row of a service that the page knows of, unless the server has written it. */
const rowOf = (service: string, address: string): string =>
  `[...document.getElementById("services").rows].find(({ cells }) =>
    cells[0].textContent === ${JSON.stringify(service)} &&
    cells[1].textContent === ${JSON.stringify(address)} && cells.length === 4)`;

/** An expression: whether the page can call a service there. */
const knows = (service: string, address: string): string => `!!${rowOf(service, address)}`;

/** An expression: whether the page's link is so. */
const isLink = (state: string): string =>
  `document.getElementById("state").dataset.state === "${state}"`;

/** Calls an instance of a service as a user does; resolves to what the page shows of it then. */
async function call(page: Page, service: string, address: string, text: string): Promise<string> {
  await page.until(knows(service, address));
  await page.evaluate(`{
    document.getElementById("payload").value = ${JSON.stringify(text)};
    ${rowOf(service, address)}.querySelector("button").click();
  }`);
  return await page.until<string>(`/ ms$/.test(${lines("calls")}[0]) && ${lines("calls")}[0]`);
}

const offerNote = (page: Page): Promise<unknown> =>
  page.evaluate(`document.getElementById("offer").click()`);

describe(skip ? `pages (skipped: ${skip})` : "pages", () => {
  let browser: Browser;
  before(async () => {
    if (!skip) browser = await Browser.start();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  test("find and call each other, also when the server has started anew", network, async (t) => {
    await using stack = new AsyncDisposableStack();
    const first = await startServer("hub");
    stack.use(first.program);
    const { port } = new URL(first.page);
    const kitchen = await browser.open(`${first.page}?name=kitchen`);
    // A page that is not from this machine, nor over HTTPS, has fewer of the platform's functions.
    const hall = await browser.open(`http://${UNTRUSTED_HOST}:${port}/?name=hall`);
    assert.equal(await hall.evaluate("isSecureContext"), false);
    const pages = [kitchen, hall];

    // They find what the server offers, and each other by way of it.
    for (const page of pages) {
      await page.until(isLink("joined"));
      const found = await page.until<number>(`${knows("ping", "hub")} && performance.now()`);
      t.diagnostic(`ping is found ${found.toFixed(0)} ms after the page was asked for`);
    }
    await kitchen.until(`${rows("routes")}.length === 2 && ${rows("services")}.length === 4`);
    assert.deepEqual(
      await kitchen.evaluate(rows("routes")),
      [["hub", "1 hop", "hub"], ["hall", "2 hops", "hub"]],
    );
    assert.deepEqual(
      await kitchen.evaluate(rows("services")),
      ["echo", "log", "ping", "time"].map((service) => [service, "hub", "1"]),
    );
    assert.match(await call(hall, "ping", "hub", "me"), /^ping at hub: pong:me \d+\.\d ms$/);
    assert.match(await call(hall, "log", "hub", "me"), /^log at hub: logged \d+\.\d ms$/);

    // They call each other, and a program; a program calls them.
    const callAround = async (round: string, url: string) => {
      await using program = await guest("program", url);
      program.registerService("upper", (packet, reply) => void reply(packet.text().toUpperCase()));
      const noted = (at: string) => new RegExp(`^note at ${at}: noted \\d+\\.\\d ms$`);
      assert.match(await call(hall, "note", "kitchen", `soup, ${round}`), noted("kitchen"));
      assert.match(await call(kitchen, "note", "hall", `coming, ${round}`), noted("hall"));
      assert.match(await call(kitchen, "upper", "program", "so"), /^upper at program: SO \d/);
      while (program.serviceAddresses("note").length < 2) {
        await new Promise((resolve) => {
          program.addEventListener("service", resolve, { once: true });
        });
      }
      assert.equal((await program.request("note", round, { dst: "hall" })).text(), "noted");
      const [kitchenNote] = await kitchen.evaluate<string[]>(lines("notes"));
      assert.equal(kitchenNote, `hall: soup, ${round}`);
      const hallNotes = await hall.evaluate<string[]>(lines("notes"));
      assert.deepEqual(hallNotes.slice(0, 2), [`program: ${round}`, `kitchen: coming, ${round}`]);
    };
    await offerNote(kitchen);
    await offerNote(hall);
    await callAround("to begin with", first.tcp);
    await kitchen.until(`!${knows("upper", "program")}`);
    await kitchen.look({ width: 800, dark: false });
    await kitchen.shot("1-before");

    // The server is killed, and starts anew; then it ends in order, and starts anew.
    let last = first.program;
    for (const signal of ["SIGKILL", "SIGINT"] as const) {
      last.signal(signal);
      await last.ended();
      for (const page of pages) {
        await page.until(isLink("lost"));
        await page.until(`${rows("routes")}.length === 0 && ${rows("services")}.length === 1`);
      }
      await kitchen.shot(`2-lost-after-${signal}`);
      const again = await startServer("hub", { http: Number(port) });
      last = stack.use(again.program);
      const ready = performance.now();
      await Promise.all([
        hall.until(knows("note", "kitchen")),
        kitchen.until(knows("note", "hall")),
      ]);
      const took = (performance.now() - ready).toFixed(0);
      t.diagnostic(`the pages know each other ${took} ms after the new server is ready`);
      for (const page of pages) await page.until(isLink("joined"));
      await callAround(`after ${signal}`, again.tcp);
      await kitchen.shot(`3-after-${signal}`);
    }

    // Who no longer offers a note is not called for one.
    await offerNote(hall);
    await kitchen.until(`!${knows("note", "hall")}`);
    assert.deepEqual(pages.map(complaints), [[], []]);
    for (const page of pages) await page.close();
  });

  test("show what others are called, and say, as text", network, async () => {
    const evil = `<img src=x onerror="hacked = 1">`;
    const closing = `</td></table><script>hacked = 2</script>`;
    const turned = "\u202egnirts a\u0000\u001b[31m";
    const long = "w".repeat(255);
    const hub = await startServer(evil);
    await using _ = hub.program;
    await using near = await guest(closing, hub.ws);
    near.registerService(evil, (_packet, reply) => void reply(`${evil}${closing}`));
    near.registerService(turned, () => Promise.reject(new Error("unused")));
    near.registerService(long, (_packet, reply) => void reply("y".repeat(5_000)));

    const page = await browser.open(`${hub.page}?name=${encodeURIComponent(evil + "2")}`);
    for (const service of [evil, turned, long]) await page.until(knows(service, closing));
    assert.equal(await page.evaluate("document.title"), evil);
    assert.equal(await page.evaluate(`document.querySelector("h1").textContent`), evil);
    const answer = await call(page, evil, closing, evil);
    assert(answer.startsWith(`${evil} at ${closing}: ${evil}${closing} `), answer);
    const cut = await call(page, long, closing, "");
    assert.match(cut, /y … \d+\.\d ms$/);
    assert(cut.length < 1_100, `${cut.length}`);

    await offerNote(page);
    await near.waitForService("note");
    await near.request("note", `${evil}${closing}`);
    assert.equal(
      (await page.evaluate<string[]>(lines("notes")))[0],
      `${closing}: ${evil}${closing}`,
    );
    assert.equal(await page.evaluate("typeof hacked"), "undefined");
    assert.equal(await page.evaluate(`document.querySelectorAll("img, table script").length`), 0);
    for (const [width, dark] of [[375, false], [375, true], [1000, true]] as const) {
      await page.look({ width, dark });
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      assert(wide <= width, `the page is ${wide} pixels wide, the screen is ${width}`);
      await page.shot(`4-hostile-${width}-${dark ? "dark" : "light"}`);
    }
    assert.deepEqual(complaints(page), []);
    await page.close();
  });

  test("say what is wrong with a name or a URL that they are given", network, async () => {
    const hub = await startServer("hub");
    await using _ = hub.program;
    const wrong = {
      [`name=${"x".repeat(256)}`]: /takes 256 bytes, not 1-255$/,
      "url=tcp%2Baln://localhost:8001": /from a browser: use a ws:\/\/ or wss:\/\/ URL/,
    };
    for (const [query, message] of Object.entries(wrong)) {
      const page = await browser.open(`${hub.page}?${query}`);
      await page.until(isLink("lost"));
      assert.match(await page.evaluate(`document.getElementById("state").textContent`), message);
      await page.close();
    }
  });

  for (const runtime of runtimes) {
    test(`are served from the sources, with no bundler, by ${runtime.label}`, {
      ...network,
      skip: network.skip || runtime.skip,
    }, async () => {
      const hub = await startServer("hub", { runtime });
      await using _ = hub.program;
      for (const path of ["", "app/"]) {
        const page = await browser.open(new URL(path, hub.page).href);
        assert.match(await call(page, "ping", "hub", "x"), /^ping at hub: pong:x \d+\.\d ms$/);
        assert.deepEqual(complaints(page), []);
        await page.close();
      }
      const serial = await browser.open(new URL("app/serial/?simulate", hub.page).href);
      assert.deepEqual(complaints(serial), []);
      await serial.close();
      // And a page from elsewhere needs but an import.
      const other = new URL("favicon.ico", hub.page);
      other.hostname = UNTRUSTED_HOST;
      const page = await browser.open(other.href);
      const module = new URL("mod.js", hub.page).href;
      assert.equal(await page.evaluate(useLibrary(module, hub.ws)), "pong:y");
      await page.close();
    });
  }

  test("are served from one built file", network, async () => {
    const [page, library] = await Promise.all(["examples/browser/app.ts", "mod.ts"].map(bundle));
    await using hub = new Router("hub");
    hub.registerService("ping", (packet, reply) => void reply(`pong:${packet.text()}`));
    const index = await Deno.readTextFile(`${ROOT}examples/browser/index.html`);
    const files: Record<string, [type: string, content: string]> = {
      "/": ["text/html", index],
      "/app/app.ts": ["text/javascript", page!],
      "/aln.js": ["text/javascript", library!],
    };
    await using listener = await listen("ws://127.0.0.1:0", hub, {
      format: "binary", // All the others send text.
      respond(request) {
        const file = files[new URL(request.url).pathname];
        if (!file) return new Response("Not found", { status: 404 });
        return new Response(file[1], { headers: { "content-type": file[0] } });
      },
    });
    const built = await browser.open(listener.url.replace("ws:", "http:"));
    assert.match(await call(built, "ping", "hub", "x"), /^ping at hub: pong:x \d+\.\d ms$/);
    assert.equal(await built.evaluate(useLibrary("/aln.js", listener.url)), "pong:y");
    assert.deepEqual(
      await built.evaluate(`performance.getEntriesByType("resource")
        .filter(({ initiatorType }) => initiatorType !== "link")
        .map(({ name }) => new URL(name).pathname)`),
      ["/app/app.ts", "/aln.js"],
    );
    // Unless a format is chosen, they begin in text, and go over to bytes.
    await using other = await listen("ws://127.0.0.1:0", hub);
    const kinds = await built.evaluate<Record<string, string[]>>(
      kindsOfMessages("/aln.js", other.url),
    );
    for (const [direction, [first, ...rest]] of Object.entries(kinds)) {
      assert.deepEqual([first, rest.at(-1)], ["text", "bytes"], direction);
      assert(!rest.slice(rest.indexOf("bytes")).includes("text"), direction);
    }
    await built.close();
  });
});

/** An expression: joins and calls `ping` by nothing but a module. */
function useLibrary(module: string, url: string): string {
  return `(async () => {
    const { connectWebSocket, Router } = await import("${module}");
    const router = new Router("script");
    router.addChannel(await connectWebSocket("${url}"));
    await router.waitForService("ping");
    const answer = await router.request("ping", "y");
    await router.close();
    return answer.text();
  })()`;
}

/** An expression: joins, calls `ping`, and tells which kinds of messages have gone either way. */
function kindsOfMessages(module: string, url: string): string {
  return `(async () => {
    const { WebSocketChannel, Router } = await import("${module}");
    const socket = new WebSocket("${url}");
    const kinds = { out: [], back: [] };
    const note = (direction, data) =>
      kinds[direction].push(typeof data === "string" ? "text" : "bytes");
    socket.addEventListener("message", ({ data }) => note("back", data));
    const send = socket.send.bind(socket);
    socket.send = (data) => (note("out", data), send(data));
    const router = new Router("watcher");
    router.addChannel(new WebSocketChannel(socket));
    await router.waitForService("ping");
    await router.request("ping", "z");
    await router.close();
    return kinds;
  })()`;
}

/** A module with all that it imports, as one file for browsers. */
async function bundle(entry: string): Promise<string> {
  await using program = new Program(
    ...[deno.path, "bundle", "--quiet", "--platform", "browser", "--minify", entry],
  );
  const { code, stdout, stderr } = await program.ended();
  assert.equal(code, 0, stderr);
  return stdout;
}
