/**
 * The commands at an edge, in each runtime: hub, edge and callers are separate processes.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Router } from "../mod.ts";
import { dial } from "../src/runtime/net.ts";
import { shownCommands, TIMEOUT } from "./support/examples.ts";
import { Program } from "./support/process.ts";
import { deno, type Runtime, runtimes } from "./support/process_runtimes.ts";

const KEY = "correct horse battery staple";
const WRONG_KEY = "battery staple horse correct";

/** Starts one of the example's programs, as its header says, with a key in its environment. */
function start(name: string, runtime: Runtime, key: string, ...args: string[]): Program {
  const file = `examples/edge/${name}.ts`;
  const [command] = shownCommands(file, runtime);
  const run = command!.slice(0, command!.indexOf(file) + 1);
  if (runtime === deno) run.splice(2, 0, "--no-prompt");
  return new Program("env", `ALN_KEY=${key}`, ...run, ...args);
}

/** A hub, and an edge that has joined it. */
async function network(stack: AsyncDisposableStack, runtime: Runtime) {
  const hub = stack.use(start("hub", runtime, KEY, "ws://127.0.0.1:0"));
  const [, url] = await hub.line(/ join (ws:\S+)$/);
  const edge = stack.use(start("edge", runtime, KEY, "shed", url!));
  await edge.line(/^shed joined /);
  return { hub, url: url!, edge };
}

for (const runtime of runtimes) {
  const { skip, label } = runtime;

  describe(`examples/edge/ in ${label}`, () => {
    test("runs a command of its list, and tells lines and exit code", {
      timeout: TIMEOUT,
      skip,
    }, async () => {
      await using stack = new AsyncDisposableStack();
      const { hub, url, edge } = await network(stack, runtime);
      const disk = await start("call", runtime, KEY, "disk", url, "shed").ended();
      assert.match(disk.stdout, /^Filesystem .+\n(.+\n)+$/);
      assert.deepEqual({ ...disk, stdout: "" }, { code: 0, signal: null, stdout: "", stderr: "" });
      await edge.line(/^shed has run "disk"$/);
      const unknown = await start("call", runtime, KEY, "rm", url, "shed").ended();
      assert.deepEqual(unknown, {
        code: 1,
        signal: null,
        stdout: "",
        stderr: `Cannot run "rm": Cannot accept call: "shed" does not offer "rm"\n`,
      });
      for (const program of [edge, hub]) {
        program.signal("SIGINT");
        assert.equal((await program.ended()).code, 0);
      }
    });

    test("ends a command when its reader leaves, one way or another", {
      timeout: TIMEOUT,
      skip,
    }, async () => {
      await using stack = new AsyncDisposableStack();
      const { url, edge } = await network(stack, runtime);
      for (const signal of ["SIGINT", "SIGKILL"] as const) {
        const from = edge.lines;
        const caller = stack.use(start("call", runtime, KEY, "load", url));
        await caller.line(/^ *\d+ +\d+ /); // After two lines of headings.
        caller.signal(signal);
        await edge.line(/^shed has stopped "load"$/, from);
        const { code, stderr } = await caller.ended();
        assert.deepEqual({ code, stderr }, { code: signal === "SIGINT" ? 130 : 137, stderr: "" });
      }
    });

    test("lets in who knows the key, and nobody else", { timeout: TIMEOUT, skip }, async () => {
      await using stack = new AsyncDisposableStack();
      const { hub, url } = await network(stack, runtime);
      const refused = /the neighbour does not accept the key of this router\n$/;
      for (const [name, ...args] of [["call", "disk", url], ["edge", "evil", url]] as const) {
        const { code, stdout, stderr } = await start(name, runtime, WRONG_KEY, ...args).ended();
        assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
        assert.match(stderr, refused);
      }
      await hub.line(/^a link is lost: .* the neighbour does not know the key$/);
      const stranger = stack.use(new Router("stranger"));
      const dialer = dial(stranger, url, { maxAttempts: 1 });
      assert.equal((await dialer.closed as { code: string }).code, "ERR_CHANNEL_AUTH");
      assert.deepEqual(stranger.services(), []);
      for (const name of ["hub", "edge", "call"]) {
        const { code, stderr } = await start(name, runtime, "short").ended();
        assert.equal(code, 2);
        assert.match(stderr, /^Set ALN_KEY to the network's secret, 16 letters or more\n$/);
      }
    });

    test("an edge joins again when the hub comes back", { timeout: TIMEOUT, skip }, async () => {
      await using stack = new AsyncDisposableStack();
      const { hub, url, edge } = await network(stack, runtime);
      const from = edge.lines;
      hub.signal("SIGKILL");
      await edge.errorLine(/^shed: /);
      stack.use(start("hub", runtime, KEY, url));
      await edge.line(/^shed joined /, from);
      const { code, stdout } = await start("call", runtime, KEY, "uptime", url).ended();
      assert.equal(code, 0);
      assert.match(stdout, /load average/);
    });
  });
}
