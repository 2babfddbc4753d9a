/**
 * The examples, each run as a process of its own, as its header says, in each runtime.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Router } from "../mod.ts";
import { connect } from "../src/runtime/net.ts";
import { rawStatus, shownCommands, TIMEOUT } from "./support/examples.ts";
import { freeLowPort, freeUdpPort } from "./support/free_ports.ts";
import { freePort, Program, ready, ROOT, startServer } from "./support/process.ts";
import { deno, runtimes } from "./support/process_runtimes.ts";

for (const runtime of runtimes) {
  const { skip, label } = runtime;
  const network = { timeout: TIMEOUT, skip };

  describe(`examples/chain.ts in ${label}`, () => {
    test("prints what three routers in a row do", network, async () => {
      const [command] = shownCommands("examples/chain.ts", runtime);
      await using program = new Program(...command!);
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

  describe(`examples/client.ts in ${label}`, () => {
    test(
      "finds ping, calls it and prints the round trip, over TCP and WebSocket",
      network,
      async () => {
        const server = await startServer("hub");
        await using _ = server.program;
        const [shown] = shownCommands("examples/client.ts", runtime);
        assert.match(shown!.at(-1)!, /^tcp\+aln:/);
        for (const url of [server.tcp, server.ws]) {
          await using program = new Program(...shown!.slice(0, -1), url);
          const { code, stdout, stderr } = await program.ended();
          assert.match(stdout, /^hub answered "pong:hello" in \d+\.\d ms\n$/, stderr);
          assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        }
      },
    );

    test("says what to do when no server is there", network, async () => {
      const port = await freePort();
      for (const url of [`tcp+aln://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`, "nowhere"]) {
        await using program = new Program(...runtime.run, "examples/client.ts", url);
        const { code, stdout, stderr } = await program.ended();
        assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
        assert.match(stderr, /^Cannot ping \S+: .+\nIs a server running there\? .+\n$/);
      }
    });
  });

  describe(`examples/maln_host.ts and maln_client.ts in ${label}`, () => {
    test("keep two networks on one port apart, and say which are there", network, async () => {
      const [shownHost] = shownCommands("examples/maln_host.ts", runtime);
      const [shownClient] = shownCommands("examples/maln_client.ts", runtime);
      await using host = new Program(...shownHost!.slice(0, -1), "tcp+maln://127.0.0.1:0");
      const [, home] = await host.line(/^home is at (tcp\+maln:\/\/127\.0\.0\.1:\d+\/home)$/);
      for (const name of ["home", "garden"]) {
        const url = home!.replace(/home$/, name);
        await host.line(new RegExp(`^${name} is at ${url.replace("+", "\\+")}$`));
        await using client = new Program(...shownClient!.slice(0, -1), url);
        const { code, stdout, stderr } = await client.ended();
        assert.deepEqual({ code, stdout, stderr }, {
          code: 0,
          stdout: `${name}-hub answered "pong from ${name}"\n`,
          stderr: "",
        });
        const [, address] = await host.line(new RegExp(`^${name}: (client-\\w{4}) joined$`));
        await host.line(new RegExp(`^${name}: ${address} left$`));
      }
      const nowhere = home!.replace(/home$/, "nowhere");
      await using stranger = new Program(...shownClient!.slice(0, -1), nowhere);
      const { code, stdout, stderr } = await stranger.ended();
      const why = 'Cannot join network "nowhere": there is no network "nowhere" here';
      assert.deepEqual({ code, stdout, stderr }, {
        code: 1,
        stdout: "",
        stderr: `Cannot ping ${nowhere}: ${why}\n`,
      });
      host.signal("SIGINT");
      assert.equal((await host.ended()).code, 0);
    });
  });

  describe(`examples/beacon_host.ts and beacon_client.ts in ${label}`, () => {
    test("find each other on this machine, and part in order", network, async () => {
      const [shownHost] = shownCommands("examples/beacon_host.ts", runtime);
      const [shownClient] = shownCommands("examples/beacon_client.ts", runtime);
      const [tcp, udp] = [await freeLowPort(), `${await freeUdpPort()}`];
      const url = `tcp+aln://127.0.0.1:${tcp}`; // Which no other machine is told.
      await using client = new Program(...shownClient!, udp);
      await using host = new Program(...shownHost!.slice(0, -1), url, udp);
      const [, name] = await host.line(
        new RegExp(`^(host-\\w{4}) tells of \\S+:${tcp} on UDP port ${udp}$`),
      );
      await client.line(new RegExp(`^found tcp\\+aln://127\\.0\\.0\\.1:${tcp}$`));
      await client.line(
        new RegExp(`^${name}: \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$`),
      );
      const [, joined] = await host.line(/^(client-\w{4}) joined$/);
      client.signal("SIGINT");
      const { code, stdout, stderr } = await client.ended();
      assert.deepEqual({ code, lines: stdout.split("\n").length, stderr }, {
        code: 0,
        lines: 3,
        stderr: "",
      });
      await host.line(new RegExp(`^${joined} left$`));
      host.signal("SIGINT");
      assert.equal((await host.ended()).code, 0);
    });
  });

  describe(`examples/server.ts in ${label}`, () => {
    const run = [...runtime.run, "examples/server.ts"];

    test("starts with the command in its header", network, async () => {
      const [shown] = shownCommands("examples/server.ts", runtime);
      const port = await freePort();
      const values: Record<string, string> = {
        "--tcp": "0",
        "--http": "0",
        "--join": `tcp+aln://127.0.0.1:${port}`,
      };
      const given = Object.entries(values).filter(([option]) => !shown!.includes(option));
      const args = shown!.map((arg, i) => values[shown![i - 1] ?? ""] ?? arg);
      await using program = new Program(...args, ...given.flat());
      const { page } = await ready(program);
      await program.line(new RegExp(` join +127\\.0\\.0\\.1:${port}: Connection refused`));
      const response = await fetch(page);
      assert.match(await response.text(), /<h1>hub<\/h1>/);
      program.signal("SIGINT");
      assert.equal((await program.ended()).code, 0);
    });

    test("ends in order as soon as it says that it is ready", network, async () => {
      const { program } = await startServer("hub", { runtime });
      await using _ = program;
      program.signal("SIGINT");
      const { code, stdout, stderr } = await program.ended();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, / end +closing\n$/);
    });

    test("--help prints every option and ends", network, async () => {
      for (const flag of ["--help", "-h"]) {
        await using program = new Program(...run, flag);
        const { code, stdout, stderr } = await program.ended();
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        for (const option of ["--address", "--tcp", "--http", "--host", "--join"]) {
          assert.match(stdout, new RegExp(`^ +${option} `, "m"));
        }
      }
    });

    const mistakes: [string[], RegExp][] = [
      [["--tcp", "many"], /--tcp: "many" is not a port/],
      [["--http", "65536"], /--http: "65536" is not a port in 0-65535/],
      [["--tcp"], /--tcp/],
      [["--frobnicate"], /--frobnicate/],
      [["8001"], /8001/],
      [["--join", "there"], /--join: "there" is not tcp/],
      [["--join", "tcp+aln://there"], /--join: "tcp\+aln:\/\/there" is not tcp\+aln:\/\/HOST:PORT/],
      [["--join", "http://there:80"], /--join: "http:\/\/there:80" is not tcp/],
      [["--address", ""], /address/],
      [["--address", "x".repeat(256)], /256 bytes/],
    ];
    test("refuses wrong arguments with exit code 2 and says what is wrong", network, async () => {
      for (const [args, message] of mistakes) {
        await using program = new Program(...run, ...args);
        const { code, stdout, stderr } = await program.ended();
        assert.deepEqual({ args, code, stdout }, { args, code: 2, stdout: "" }, stderr);
        assert.match(stderr.split("\n")[0]!, message);
        assert.match(stderr, /^usage: server\.ts /m);
      }
    });

    test("says clearly that a port is taken", network, async () => {
      const first = await startServer("first", { runtime });
      await using _ = first.program;
      const taken = { "--tcp": new URL(first.tcp).port, "--http": new URL(first.ws).port };
      for (const [option, port] of Object.entries(taken)) {
        const ports = { "--tcp": "0", "--http": "0", [option]: port };
        await using second = new Program(
          ...[...run, "--host", "127.0.0.1"],
          ...Object.entries(ports).flat(),
        );
        const { code, stdout, stderr } = await second.ended();
        assert.deepEqual({ code, stdout, stderr }, {
          code: 1,
          stdout: "",
          stderr: `Cannot listen on 127.0.0.1:${port}: Address already in use\n`,
        });
      }
    });

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      test(`ends in order on ${signal}, with everybody connected`, network, async () => {
        const nobody = `tcp+aln://127.0.0.1:${await freePort()}`;
        const { program, tcp, ws } = await startServer("hub", { runtime, join: [nobody] });
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

    for (const transport of ["tcp", "ws"] as const) {
      test(
        `joins a server over ${transport} that starts later, and again when it comes back`,
        network,
        async () => {
          const port = await freePort();
          const url = `${transport === "ws" ? "ws" : "tcp+aln"}://127.0.0.1:${port}`;
          const joiner = await startServer("joiner", { runtime, join: [url] });
          await using _ = joiner.program;
          await joiner.program.line(
            new RegExp(` join +127\\.0\\.0\\.1:${port}: .*(refused|the connection failed)`),
          );
          let from = 0;
          for (const address of ["hub", "hub-again"]) {
            const hub = await startServer(
              address,
              { runtime, [transport === "ws" ? "http" : "tcp"]: port },
            );
            await using _ = hub.program;
            await joiner.program.line(
              new RegExp(` join +connected to 127\\.0\\.0\\.1:${port}$`),
              from,
            );
            await joiner.program.line(
              new RegExp(` service +ping at ${address}, capacity 1$`),
              from,
            );
            await hub.program.line(/ route +joiner in 1 hop via joiner$/);
            from = joiner.program.lines;
            hub.program.signal("SIGKILL");
            await joiner.program.line(new RegExp(` route +${address} lost$`), from);
            await hub.program.ended();
          }
        },
      );
    }

    test("offers ping, echo, time and log", network, async () => {
      const { program, tcp } = await startServer("hub", { runtime });
      await using _ = program;
      await using router = new Router("guest");
      await connectTo(router, tcp);
      await router.waitForService("log");
      assert.equal((await router.request("ping")).text(), "pong");
      assert.equal((await router.request("ping", "x")).text(), "pong:x");
      const bytes = Uint8Array.of(0, 0xc0, 0xdb, 0xff);
      assert.deepEqual([...(await router.request("echo", bytes)).data], [...bytes]);
      const time = (await router.request("time")).text();
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const line = "it is \x1b[31mwarm\r\nhere";
      assert.equal(router.send({ srv: "log", dst: "hub", data: line }), null);
      await program.line(/^\d\d:\d\d:\d\d log +guest: it is ·\[31mwarm··here$/);
      assert.equal((await router.request("log", "asked")).text(), "logged");
    });

    test(
      "shows address, routes and services on its page, whatever they are called",
      network,
      async () => {
        const hub = `<b>hub & "co" $& $'</b>`;
        const guest = `</title><script>alert('guest')</script>`;
        const service = `<img src=x onerror="alert(1)">`;
        const { program, tcp, ws, page } = await startServer(hub, { runtime });
        await using _ = program;

        const empty = await (await fetch(page)).text();
        assert.match(
          empty,
          /<tbody id="routes" data-empty="No other router is connected\."><\/tbody>/,
        );

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
        const cells = (...texts: string[]) =>
          texts.map((text) => `<td>${escaped(text)}</td>`).join("");
        for (
          const part of [
            `<title>${escaped(hub)}</title>`,
            `<h1>${escaped(hub)}</h1>`,
            cells(guest, "1 hop", guest),
            cells("far", "1 hop", "far"),
            cells(service, guest, "7"),
            cells("ping", hub, "1"),
          ]
        ) assert(html.includes(part), `${part} is not in ${html}`);
        assert.deepEqual(html.match(/<script.*/g), [
          `<script type="module" src="/app/app.ts"></script>`,
        ]);
        assert.doesNotMatch(html, /<img|<b>/);
      },
    );

    test(
      "serves the library and the page as they are, without types, and nothing else",
      network,
      async () => {
        const { program, page } = await startServer("hub", { runtime });
        await using _ = program;
        const get = async (path: string): Promise<[number, string | null, string]> => {
          const response = await fetch(new URL(path, page), { redirect: "manual" });
          const type = response.headers.get("content-type");
          return [response.status, type, await response.text()];
        };

        // Every module that the page reaches by itself.
        const seen = new Set(["/app/app.ts", "/mod.js"]);
        for (const path of seen) {
          const [status, type, code] = await get(path);
          assert.deepEqual([path, status, type], [path, 200, "text/javascript; charset=utf-8"]);
          assert.doesNotMatch(code, /^(export )?(interface|type) |^import type /m, path);
          for (const [, specifier] of code.matchAll(/(?:from|import) "(\.[^"]+)"/g)) {
            seen.add(new URL(specifier!, new URL(path, page)).pathname);
          }
        }
        assert(seen.has("/mod.ts") && seen.has("/src/router/router.ts"), [...seen].join());

        assert.equal((await get("/app/"))[1], "text/html; charset=utf-8");
        assert.equal((await get("/app/style.css"))[1], "text/css; charset=utf-8");
        assert.equal((await get("/app"))[0], 308);
        const refused = [
          ...["/favicon.ico", "/deno.json", "/examples/server.ts", "/src/", "/src/README.md"],
          ...["/src/none.ts", "/app/none.ts", "/tests/examples_test.ts", "/.git/HEAD"],
          ...["/app/../server.ts", "/app/%2e%2e/server.ts", "/app/..%2fserver.ts"],
          ...[
            "/app/..%5cserver.ts",
            "/src/%2e%2e%2fexamples/server.ts",
            "/app/%00.ts",
            "/app//etc.ts",
          ],
          ...["/%E0%A4%A", "//src/errors.ts", "/app/app.ts/", "/src/errors.ts%00.js"],
        ];
        for (const path of refused) {
          assert.deepEqual([path, await rawStatus(page, path)], [path, 404]);
        }
      },
    );
  });
}

describe("examples/README.md", () => {
  const readme = Deno.readTextFileSync(`${ROOT}examples/README.md`);

  test("and the guides show the commands that the headers show", () => {
    const folders = ["", "browser/", "edge/", "home/", "workers/"];
    const guides = folders.map((folder) =>
      Deno.readTextFileSync(`${ROOT}examples/${folder}README.md`)
    );
    const commands = [...guides.join("\n").matchAll(/^(?:\$ )?deno (.+ (examples\/\S+\.ts))/gm)];
    assert(commands.length >= 15, `${commands.length} commands`);
    for (const [, command, file] of commands) {
      const [shown] = shownCommands(file!, deno);
      assert.equal(command, shown!.slice(1, shown!.indexOf(file!) + 1).join(" "));
    }
  });

  test("says how long the programs of home, workers and edge are at most", () => {
    assert.match(readme, /none of\s+them\s+longer than 80 lines/);
    for (const folder of ["home", "home/page", "workers", "workers/page", "edge"]) {
      for (const { name } of Deno.readDirSync(`${ROOT}examples/${folder}`)) {
        if (!name.endsWith(".ts")) continue;
        const lines = Deno.readTextFileSync(`${ROOT}examples/${folder}/${name}`).split("\n");
        assert(lines.length <= 81, `${name} has ${lines.length - 1} lines`);
      }
    }
  });
});

describe("examples/server.ts in Deno", () => {
  test("says on its page which permission is missing", { timeout: TIMEOUT }, async () => {
    await using program = new Program(
      ...[deno.path, "run", "--no-prompt", "--allow-net", "examples/server.ts"],
      ...["--tcp", "0", "--http", "0", "--host", "127.0.0.1"],
    );
    const response = await fetch((await ready(program)).page);
    assert.equal(response.status, 500);
    assert.match(await response.text(), /^Requires read access to .*--allow-read/);
  });
});

/** Connects a router; what it returns settles when the connection has closed. */
async function connectTo(router: Router, url: string): Promise<{ closed: Promise<unknown> }> {
  const channel = await connect(url);
  router.addChannel(channel);
  return { closed: channel.closed };
}
