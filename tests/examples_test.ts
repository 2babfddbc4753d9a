/**
 * The examples, each run as a process of its own, as its header says.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectWebSocket, Router } from "../mod.ts";
import { connectTcp } from "../src/runtime/deno.ts";
import { freePort, Program, ready, ROOT, startServer } from "./support/process.ts";

const TIMEOUT = 60_000;

/** The arguments of `deno` in the commands that a file's header shows. */
function shownCommands(file: string): string[][] {
  const header = Deno.readTextFileSync(ROOT + file).split("*/")[0]!;
  return [...header.matchAll(/^ \* {5}deno (.+)$/gm)].map(([, args]) => args!.split(" "));
}

describe("examples/chain.ts", () => {
  test("prints what three routers in a row do", { timeout: TIMEOUT }, async () => {
    const [args] = shownCommands("examples/chain.ts");
    await using program = new Program(...args!);
    assert.deepEqual(await program.ended(), {
      code: 0,
      signal: null,
      stdout: [
        'left found "upper" at right, 2 hops away via middle',
        'left asked for "hello" and got "HELLO"',
        'left heard "good morning"',
        'middle heard "good morning"',
        'right heard "good morning"',
        'after the cut: ERR_NO_SERVICE, Cannot call "upper": nobody offers it',
        "",
      ].join("\n"),
      stderr: "",
    });
  });
});

describe("examples/client.ts", () => {
  test("finds ping, calls it and prints the round trip, over TCP and WebSocket", {
    timeout: TIMEOUT,
  }, async () => {
    const server = await startServer("hub");
    await using _ = server.program;
    const commands = shownCommands("examples/client.ts");
    assert.deepEqual(commands.map((args) => args.at(-1)!.split(":")[0]), ["tcp+aln", "ws"]);
    for (const args of commands) {
      const url = args.pop()!.startsWith("ws:") ? server.ws : server.tcp;
      await using program = new Program(...args, url);
      const { code, stdout, stderr } = await program.ended();
      assert.match(stdout, /^hub answered "pong:hello" in \d+\.\d ms\n$/);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    }
  });

  test("says what to do when no server is there", { timeout: TIMEOUT }, async () => {
    const port = await freePort();
    for (const url of [`tcp+aln://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`]) {
      await using program = new Program("run", "--allow-net", "examples/client.ts", url);
      const { code, stdout, stderr } = await program.ended();
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^Cannot ping \S+: .+\nIs a server running there\? .+\n$/);
    }
  });
});

describe("examples/server.ts", () => {
  const run = ["run", "--allow-net", "examples/server.ts"];

  test("starts with the command in its header", { timeout: TIMEOUT }, async () => {
    const [shown] = shownCommands("examples/server.ts");
    const [task, start, ...options] = shown!;
    assert.deepEqual([task, start], ["task", "start"]);
    const port = await freePort();
    const values: Record<string, string> = {
      "--tcp": "0",
      "--http": "0",
      "--join": `tcp+aln://127.0.0.1:${port}`,
    };
    const args = options.map((arg, i) => values[options[i - 1] ?? ""] ?? arg);
    await using program = new Program("task", "start", ...args);
    const { page } = await ready(program);
    await program.line(new RegExp(` join +127\\.0\\.0\\.1:${port}: .*refused`));
    const response = await fetch(page);
    assert.match(await response.text(), /<h1>hub<\/h1>/);
    program.signal("SIGINT");
    assert.equal((await program.ended()).code, 0);
  });

  test("--help prints every option and ends", { timeout: TIMEOUT }, async () => {
    for (const flag of ["--help", "-h"]) {
      await using program = new Program(...run, flag);
      const { code, stdout, stderr } = await program.ended();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      for (const option of ["--address", "--tcp", "--http", "--host", "--join"]) {
        assert.match(stdout, new RegExp(`^ +${option} `, "m"));
      }
    }
  });

  const mistakes: Record<string, { args: string[]; message: RegExp }> = {
    "a port that is no number": { args: ["--tcp", "many"], message: /--tcp: "many" is not a port/ },
    "a port that is too large": {
      args: ["--http", "65536"],
      message: /--http: "65536" is not a port in 0-65535/,
    },
    "a port without a value": { args: ["--tcp"], message: /--tcp/ },
    "an unknown option": { args: ["--frobnicate"], message: /--frobnicate/ },
    "an argument too many": { args: ["8001"], message: /8001/ },
    "a join that is no URL": { args: ["--join", "there"], message: /--join: "there" is not tcp/ },
    "a join without a port": {
      args: ["--join", "tcp+aln://there"],
      message: /--join: "tcp\+aln:\/\/there" is not tcp\+aln:\/\/HOST:PORT/,
    },
    "a join over HTTP": {
      args: ["--join", "http://there:80"],
      message: /--join: "http:\/\/there:80" is not tcp/,
    },
    "an empty address": { args: ["--address", ""], message: /address/ },
    "an address too long": { args: ["--address", "x".repeat(256)], message: /256 bytes/ },
  };
  for (const [what, { args, message }] of Object.entries(mistakes)) {
    test(`refuses ${what} with exit code 2 and says so`, { timeout: TIMEOUT }, async () => {
      await using program = new Program(...run, ...args);
      const { code, stdout, stderr } = await program.ended();
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, stderr);
      assert.match(stderr.split("\n")[0]!, message);
      assert.match(stderr, /^usage: server\.ts /m);
    });
  }

  test("says clearly that a port is taken", { timeout: TIMEOUT }, async () => {
    const first = await startServer("first");
    await using _ = first.program;
    const { port } = new URL(first.tcp);
    await using second = new Program(
      ...[...run, "--host", "127.0.0.1", "--tcp", port, "--http", "0"],
    );
    const { code, stderr } = await second.ended();
    assert.equal(code, 1);
    assert.match(stderr, /^Cannot listen on .*: Address already in use/);
    assert.doesNotMatch(stderr, /^ +at /m);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`ends in order on ${signal}, with everybody connected`, { timeout: TIMEOUT }, async () => {
      const nobody = `tcp+aln://127.0.0.1:${await freePort()}`;
      const { program, tcp, ws } = await startServer("hub", { join: [nobody] });
      await using _ = program;
      await using router = new Router("guest");
      const closed = [await connectTo(router, tcp), await connectTo(router, ws)];
      await router.waitForService("ping");
      await program.line(/ join .*refused/);
      program.signal(signal);
      const { code, stdout, stderr } = await program.ended();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, / end +closing\n/);
      await Promise.all(closed);
      assert.deepEqual(router.routes(), []);
    });
  }

  test("joins a server that starts later, and again when it comes back", {
    timeout: TIMEOUT,
  }, async () => {
    const port = await freePort();
    const joiner = await startServer("joiner", { join: [`tcp+aln://127.0.0.1:${port}`] });
    await using _ = joiner.program;
    await joiner.program.line(new RegExp(` join +127\\.0\\.0\\.1:${port}: .*refused`));
    let from = 0;
    for (const address of ["hub", "hub-again"]) {
      const hub = await startServer(address, { tcp: port });
      await using _ = hub.program;
      await joiner.program.line(new RegExp(` join +connected to 127\\.0\\.0\\.1:${port}$`), from);
      await joiner.program.line(new RegExp(` service +ping at ${address}, capacity 1$`), from);
      await hub.program.line(/ route +joiner in 1 hop via joiner$/);
      from = joiner.program.lines;
      hub.program.signal("SIGKILL");
      await joiner.program.line(new RegExp(` route +${address} lost$`), from);
      await hub.program.ended();
    }
  });

  test("offers ping, echo, time and log", { timeout: TIMEOUT }, async () => {
    const { program, tcp } = await startServer("hub");
    await using _ = program;
    await using router = new Router("guest");
    await connectTo(router, tcp);
    await router.waitForService("time");
    assert.equal((await router.request("ping")).text(), "pong");
    assert.equal((await router.request("ping", "x")).text(), "pong:x");
    const bytes = Uint8Array.of(0, 0xc0, 0xdb, 0xff);
    assert.deepEqual([...(await router.request("echo", bytes)).data], [...bytes]);
    const time = (await router.request("time")).text();
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(router.send({ srv: "log", dst: "hub", data: "it is \x1b[31mwarm\r\nhere" }), null);
    await program.line(/^\d\d:\d\d:\d\d log +guest: it is ·\[31mwarm··here$/);
  });

  test("shows address, routes and services on its page, whatever they are called", {
    timeout: TIMEOUT,
  }, async () => {
    const hub = `<b>hub & "co"</b>`;
    const guest = `</title><script>alert('guest')</script>`;
    const service = `<img src=x onerror="alert(1)">`;
    const { program, tcp, ws, page } = await startServer(hub);
    await using _ = program;

    const empty = await (await fetch(page)).text();
    assert.match(empty, /No other router is connected yet\./);

    await using near = new Router(guest);
    await using far = new Router("far");
    await connectTo(near, tcp);
    await connectTo(far, ws);
    near.registerService(service, () => {}, { capacity: 7 });
    await far.waitForService(service); // So the hub knows it, too.
    await program.line(/ route +far in 1 hop via far$/);

    const response = await fetch(page);
    assert.match(response.headers.get("content-type")!, /^text\/html; charset=utf-8$/);
    const html = await response.text();
    const escaped = (text: string) =>
      text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
    assert.match(html, new RegExp(`<title>${literal(escaped(hub))}</title>`));
    assert.match(html, new RegExp(`<h1>${literal(escaped(hub))}</h1>`));
    const cells = (...texts: string[]) => texts.map((text) => `<td>${escaped(text)}</td>`).join("");
    assert(html.includes(cells(guest, "1 hop", guest)), html);
    assert(html.includes(cells("far", "1 hop", "far")), html);
    assert(html.includes(cells(service, guest, "7")), html);
    assert(html.includes(cells("ping", hub, "1")), html);
    assert.doesNotMatch(html, /<script|<img|<b>/);

    const missing = await fetch(new URL("favicon.ico", page));
    assert.equal(missing.status, 404);
    await missing.body?.cancel();
  });
});

/** Connects a router; what it returns settles when the connection has closed. */
async function connectTo(router: Router, target: string): Promise<{ closed: Promise<unknown> }> {
  const url = new URL(target);
  const channel = url.protocol === "ws:"
    ? await connectWebSocket(url)
    : await connectTcp({ hostname: url.hostname, port: Number(url.port) });
  router.addChannel(channel);
  return { closed: channel.closed };
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
