/** How the command ends: its exit codes, and what it says when something is wrong. */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import config from "../../deno.json" with { type: "json" };
import { freePort, Program, ROOT } from "../support/process.ts";
import type { Runtime } from "../support/process_runtimes.ts";
import { run } from "../support/toolchain.ts";
import {
  aln,
  command,
  EVERYWHERE,
  everywhere,
  type Mesh,
  SKIP,
  start,
  startMesh,
  TIMEOUT,
} from "./support.ts";

/** How wrong command lines are answered: what is said, and to look where. */
const USAGE: [args: string[], says: string, help: string][] = [
  [["serv"], 'Cannot run "serv": there is no such verb; is it serve?', "aln help"],
  [["call"], "Cannot run call: it takes SERVICE [DATA|-]", "aln help call"],
  [
    ["call", "a", "b", "c"],
    'Cannot run call: it takes SERVICE [DATA|-], and "c" is too much',
    "aln help call",
  ],
  [["call", "a", "--nope"], "Cannot run call: it has no option --nope", "aln help call"],
  [
    ["call", "a", "--timeout"],
    "Cannot run call: --timeout needs a value, --timeout TIME",
    "aln help call",
  ],
  [
    ["call", "a", "--timeout", "soon"],
    'Cannot use --timeout: "soon" is no time such as 500ms, 2s or 1m',
    "aln help call",
  ],
  [
    ["ping", "a", "--count", "0"],
    'Cannot use --count: "0" is no whole number in 1-4294967295',
    "aln help ping",
  ],
  [
    ["call", "a", "--stream", "--gather"],
    "Cannot use --stream and --gather at once",
    "aln help call",
  ],
  [["services", "-c", "nowhere"], 'Cannot use "nowhere": it is no URL', "aln help services"],
  [
    ["services", "-c", "http://localhost:1"],
    "Cannot use http://localhost:1/: it begins with none of " +
    "tcp+aln: tls+aln: tcp+maln: tls+maln: ws: wss:",
    "aln help services",
  ],
];

describe("aln ends", () => {
  const options = { timeout: TIMEOUT, skip: SKIP };
  const stack = new AsyncDisposableStack();
  let mesh: Mesh;
  let mute: Server;

  before(async () => {
    if (SKIP) return;
    mesh = await startMesh(stack);
    mute = createServer((socket) => socket.on("error", () => {})); // Accepts, and says nothing.
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    stack.defer(() => void mute.close());
  }, { timeout: TIMEOUT });
  after(() => stack.disposeAsync());

  test("with 0, and the version of the package", options, async () => {
    const ended = { code: 0, stdout: `${config.version}\n`, stderr: "" };
    assert.deepEqual(await everywhere(["--version"]), ended);
  });

  for (const [args, says, help] of USAGE) {
    test(`with 2 for "aln ${args.join(" ")}", and says why`, options, async () => {
      const stderr = `aln: ${says}\n     \`${help}\` says how it is used\n`;
      assert.deepEqual(await everywhere(args), { code: 2, stdout: "", stderr });
    });
  }

  test("with 2 and all verbs, if there is none", options, async () => {
    const { code, stdout, stderr } = await everywhere([]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^aln: give it a verb\n\nusage: aln VERB /);
  });

  test("with 3 where nobody listens, and says what to look at", options, async () => {
    const url = `tcp+aln://127.0.0.1:${await freePort()}`;
    assert.deepEqual(await everywhere(["services", "-c", url]), {
      code: 3,
      stdout: "",
      stderr: `aln: Cannot connect to ${url}: connection refused\n` +
        "     nobody listens there: is it running, on this port?\n",
    });
  });

  test("with 3 where no router is: somebody listens, and says nothing", options, async () => {
    const { port } = mute.address() as { port: number };
    const silent = await everywhere(
      ["services", "-c", `tcp+aln://127.0.0.1:${port}`, "--timeout", "300ms"],
    );
    assert.deepEqual(silent, {
      code: 3,
      stdout: "",
      stderr: "aln: Cannot join the mesh: what we are connected to does not say who it is\n" +
        "     is it a router that listens there, and for URLs of this kind?\n",
    });
    const url = `ws://127.0.0.1:${port}`;
    const { code, stderr } = await everywhere(["services", "-c", url, "--timeout", "300ms"]);
    assert.equal(code, 3);
    assert.match(stderr, /^aln: Cannot connect to \S+: no answer in T\n/);
  });

  test("with 3 where there is no such network, and says so at once", options, async () => {
    const any = "tcp+maln://127.0.0.1:0/home";
    await using shared = start(EVERYWHERE[0]!, "serve", "-l", any, "--echo");
    const [, url] = await shared.line(/ listens on (\S+\/home)$/);
    const inside = await everywhere(["call", "echo", "hi", "-c", url!]);
    assert.deepEqual(inside, { code: 0, stdout: "hi\n", stderr: "" });
    const attic = url!.replace("home", "attic");
    const { code, stderr } = await everywhere(["services", "-c", attic, "--timeout", "1m"]);
    assert.equal(code, 3);
    assert.match(stderr, /^aln: Cannot join the mesh: .* there is no network "attic" here\n/);
  });

  test("with 3 where the key is another one", options, async () => {
    await using locked = start(
      EVERYWHERE[1]!,
      ...["serve", "-l", "tcp+aln://127.0.0.1:0", "--key", "the right key, which is long"],
    );
    const [, url] = await locked.line(/ listens on (\S+)$/);
    const args = ["services", "-c", url!, "--key", "another key, as long as that"];
    const { code, stdout, stderr } = await everywhere(args);
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /\n {5}the network has another key: give it with --key, or in ALN_KEY\n$/);
  });

  test("with 1 where a port is taken, and says which", options, async () => {
    const { port } = mute.address() as { port: number };
    const url = `tcp+aln://127.0.0.1:${port}`;
    assert.deepEqual(await everywhere(["serve", "--listen", url]), {
      code: 1,
      stdout: "",
      stderr: `aln: Cannot listen on ${url}: address already in use\n` +
        "     another program has this port: choose another one, or 0 for any\n",
    });
  });

  test("with 4 when --timeout is over", options, async () => {
    const args = ["call", "shell", "sleep 600", "--timeout", "1s", "-c", mesh.tcp];
    const { code, stdout, stderr } = await everywhere(args);
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(
      stderr,
      /^aln: Cannot wait longer: "sheller" has not replied within T\n {5}let it take longer with /,
    );
  });

  test("with 130 at Ctrl-C and SIGTERM, having left the mesh", options, async () => {
    const verbs = [
      ["handle", "leaving", "--echo"],
      ["services", "--watch"],
      ["watch"],
      ["call", "shell", "sleep 600", "--timeout", "1m"],
      ["serve", "--listen", "tcp+aln://127.0.0.1:0"],
    ];
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      for (const [i, verb] of verbs.entries()) {
        const address = `leaver-${runtime.name}-${i}`;
        await using program = start(runtime, ...verb, "-a", address, "-c", mesh.tcp);
        await mesh.programs.second.line(new RegExp(` route +${address} in 2 hops `));
        program.signal(i % 2 === 0 ? "SIGINT" : "SIGTERM");
        const { code, stderr } = await program.ended();
        assert.equal(code, 130, stderr);
        await mesh.programs.second.line(new RegExp(` route +${address} lost$`));
      }
    }));
  });

  test("with 0 and in silence when nobody reads its output any more", options, async () => {
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const endless = "while :; do echo again; sleep 0.01; done";
      const args = [...command(runtime), "call", "lines", endless, "--stream", "-c", mesh.tcp];
      await using program = new Program(
        ...["sh", "-c", '{ "$@"; echo "code $?" >&2; } | head -n 2', "sh", ...args],
      );
      const { stdout, stderr } = await program.ended();
      assert.deepEqual([stdout, stderr], ["again\nagain\n", "code 0\n"]);
    }));
  });

  test("with the error as JSON, if results were to be JSON", options, async () => {
    const { code, stdout, stderr } = await everywhere(
      ["call", "nothing", "--json", "-c", mesh.tcp],
    );
    assert.deepEqual([code, stdout], [1, ""]);
    assert.deepEqual(JSON.parse(stderr), {
      error: {
        code: 1,
        message: 'Cannot call service: nobody offers "nothing"',
        hint: "`aln services` lists what can be called",
      },
    });
  });

  test("without a permission that Deno was not given, which it names", options, async () => {
    const main = `${ROOT}src/cli/main.ts`;
    await using program = new Program(
      ...[Deno.execPath(), "run", "--no-prompt", "--allow-env", main],
      ...["services", "-c", "tcp+aln://127.0.0.1:9"],
    );
    const { code, stderr } = await program.ended();
    assert.equal(code, 3);
    assert.match(stderr, /--allow-net/);
  });

  test("with colours on a terminal alone, and never with NO_COLOR", options, async (t) => {
    if ((await run("script", ["--version"])).code !== 0) return t.skip("there is no script here");
    const shown = async (runtime: Runtime, ...variables: string[]) => {
      const words = ["env", "-u", "NO_COLOR", "TERM=xterm", ...variables, ...command(runtime)];
      const line = [...words, "services", "echo", "-c", mesh.tcp].join(" ");
      await using program = new Program("script", "-qec", line, "/dev/null");
      return (await program.ended()).stdout.replaceAll("\r", "").split("\n");
    };
    const head = "SERVICE  ROUTER  LOAD  HOPS";
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const painted = [`\x1b[2m${head}\x1b[0m`, "echo     hub     1     1", ""];
      assert.deepEqual(await shown(runtime), painted);
      assert.deepEqual(await shown(runtime, "NO_COLOR=1"), [head, ...painted.slice(1)]);
    }));
  });

  test("takes the URL from ALN_URL, and tries every one", options, async () => {
    const dead = `tcp+aln://127.0.0.1:${await freePort()}`;
    const args = ["services", "echo", "-c", mesh.tcp, "-c", dead];
    const { code, stdout, stderr } = await everywhere(args);
    assert.deepEqual([code, stdout], [0, "SERVICE  ROUTER  LOAD  HOPS\necho  hub  1  1\n"]);
    assert.equal(stderr, `aln: ${dead}: connection refused; going on without it\n`);
    const env = command(EVERYWHERE[1]!);
    await using program = new Program("env", `ALN_URL=${mesh.ws}`, ...env, "call", "echo", "hi");
    assert.equal((await program.ended()).stdout, "hi\n");
    assert.equal((await aln(EVERYWHERE[1]!, ["call", "echo", "hi", "-c", mesh.ws])).code, 0);
  });
});
