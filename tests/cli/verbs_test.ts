/** Every verb of the command, as a process in Deno, Bun and Node, in a mesh of five processes. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { manual } from "../../src/cli/help.ts";
import { optionsOf } from "../../src/cli/verb.ts";
import { VERBS } from "../../src/cli/verbs.ts";
import { run } from "../support/toolchain.ts";
import {
  aln,
  command,
  type Ended,
  EVERYWHERE,
  everywhere,
  type Mesh,
  SKIP,
  start,
  startMesh,
  TIMEOUT,
} from "./support.ts";

const ok = (stdout: string, stderr: string = ""): Ended => ({ code: 0, stdout, stderr });

describe("aln", () => {
  const options = { timeout: TIMEOUT, skip: SKIP };
  const stack = new AsyncDisposableStack();
  let mesh: Mesh;
  let folder: string;
  /** Runs a verb everywhere, connected to `hub`. */
  const joined = (args: string[], input?: string) => everywhere([...args, "-c", mesh.tcp], input);

  before(async () => {
    if (SKIP) return;
    mesh = await startMesh(stack);
    folder = await mkdtemp(join(tmpdir(), "aln-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
  }, { timeout: TIMEOUT });
  after(() => stack.disposeAsync());

  // ── calls ─────────────────────────────────────────────────────────────────

  test("call prints the reply, byte by byte", options, async () => {
    assert.deepEqual(await joined(["call", "echo", "grüß dich"]), ok("grüß dich\n"));
    assert.deepEqual(await joined(["call", "echo", "-"], "a line"), ok("a line\n"));
    const args = ["call", "shell", String.raw`printf '\000\377'`, "-c", mesh.tcp];
    for (const runtime of EVERYWHERE) {
      const [path, ...rest] = command(runtime);
      const { stdout } = await run("sh", [
        "-c",
        '"$@" | od -An -tx1',
        "sh",
        path!,
        ...rest,
        ...args,
      ]);
      assert.equal(stdout.trim(), "00 ff");
    }
  });

  test("call sends a file, whole or piece by piece", options, async () => {
    const file = join(folder, "payload");
    await writeFile(file, "from a file");
    assert.deepEqual(await joined(["call", "echo", "--file", file]), ok("from a file\n"));
    const script = join(folder, "script");
    await writeFile(script, "echo uploaded");
    const uploaded = await joined(["call", "shell", "--file", script, "--upload"]);
    assert.deepEqual(uploaded, ok("uploaded\n"));
  });

  test("call --json says who answered, and what", options, async () => {
    const line = '{"address":"hub","time":N,"text":"hi"}\n';
    assert.deepEqual(await joined(["call", "echo", "hi", "--json"]), ok(line));
  });

  test(
    "call --stream prints each reply on a line, and as many as are wanted",
    options,
    async () => {
      assert.deepEqual(await joined(["call", "lines", "seq 1 3", "--stream"]), ok("1\n2\n3\n"));
      const endless = "while :; do echo again; sleep 0.01; done";
      const two = await joined(["call", "lines", endless, "--stream", "--limit", "2"]);
      assert.deepEqual(two, ok("again\nagain\n"));
    },
  );

  test("call --gather prints the reply of each instance", options, async () => {
    const args = ["call", "shell", "echo here", "--gather"];
    assert.deepEqual(await joined(args), ok("sheller\there\n"));
  });

  test("call of a command that fails says so, with the command's exit code", options, async () => {
    const why = 'the handler of "shell" threw "the command ended with code 3"';
    assert.deepEqual(await joined(["call", "shell", "exit 3"]), {
      code: 1,
      stdout: "",
      stderr: `aln: Cannot get a reply: ${why}\n`,
    });
  });

  test("call of a service that nobody offers fails at once", options, async () => {
    assert.deepEqual(await joined(["call", "nothing"]), {
      code: 1,
      stdout: "",
      stderr: 'aln: Cannot call service: nobody offers "nothing"\n' +
        "     `aln services` lists what can be called\n",
    });
  });

  test(
    "send reaches every instance, line by line if wanted, and handle shows it",
    options,
    async () => {
      assert.deepEqual(await joined(["send", "log", "to everybody"]), ok(""));
      const lines = await joined(["send", "log", "-", "--lines", "--json"], "one\ntwo");
      assert.deepEqual(lines, ok('{"service":"log","sent":2}\n'));
      const { logger } = mesh.programs;
      for (const text of ["to everybody", "one", "two"]) {
        await logger.line(new RegExp(`^\\S+ cli-\\w+: ${text}$`));
      }
    },
  );

  test("handle offers a service, and ends after --count calls", options, async () => {
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const name = `reply-${runtime.name}`;
      const args = [name, "--reply", "well", "--count", "1", "-c", mesh.tcp];
      await using handler = start(runtime, "handle", ...args);
      await handler.errorLine(/ offers reply-/);
      assert.deepEqual(await aln(runtime, ["call", name, "-c", mesh.ws]), ok("well\n"));
      assert.equal((await handler.ended()).code, 0);
    }));
  });

  // ── looking ───────────────────────────────────────────────────────────────

  test("services, routes and nodes list what is there", options, async () => {
    assert.deepEqual(
      await joined(["services", "echo"]),
      ok("SERVICE  ROUTER  LOAD  HOPS\necho  hub  1  1\n"),
    );
    assert.deepEqual(
      await joined(["services", "--json"]),
      ok(
        [
          { service: "echo", address: "hub", capacity: 1, cost: 1 },
          { service: "lines", address: "liner", capacity: 1, cost: 3 },
          { service: "log", address: "logger", capacity: 1, cost: 3 },
          { service: "shell", address: "sheller", capacity: 1, cost: 2 },
        ].map((row) => `${JSON.stringify(row)}\n`).join(""),
      ),
    );
    assert.deepEqual(
      await joined(["routes", "liner"]),
      ok("ROUTER  HOPS  BY WAY OF\nliner  3  hub\n"),
    );
    const nodes = await joined(["nodes"]);
    assert.equal(nodes.code, 0);
    assert.deepEqual(
      nodes.stdout.split("\n"),
      [
        "ROUTER  HOPS  RUNTIME  VERSION  UP  SERVICES",
        "hub  1  Deno V  0.1.0  AGE  echo",
        "liner  3  Node V  0.1.0  AGE  lines",
        "logger  3  Deno V  0.1.0  AGE  log",
        "second  2  Node V  0.1.0  AGE",
        "sheller  2  Bun V  0.1.0  AGE  shell",
        "",
      ],
    );
  });

  test("links lists who is linked to whom, and over what", options, async () => {
    const { code, stdout } = await aln(EVERYWHERE[0]!, ["links", "--json", "-c", mesh.tcp]);
    assert.equal(code, 0);
    const ends = stdout.trim().split("\n")
      .map((line) => JSON.parse(line.replaceAll(":N", ":0")))
      .filter(({ address, router }) => !/^cli-/.test(address + router))
      .map(({ router, address, transport }) => `${router} ${transport} ${address}`);
    assert.deepEqual(ends.sort(), [
      "hub tcp second",
      "hub ws sheller",
      "liner tcp second",
      "logger tcp second",
      "second tcp hub",
      "second tcp liner",
      "second tcp logger",
      "sheller ws hub",
    ]);
    const table = await Promise.all(
      EVERYWHERE.map((runtime) => aln(runtime, ["links", "liner", "-c", mesh.tcp])),
    );
    for (const { stdout } of table) {
      assert.match(
        stdout,
        /^ROUTER {2}LINK {2}TO {2}OVER {2}COST {2}ROUND TRIP {2}IN {2}OUT {2}WAITING\nliner {2}1 {2}second {2}tcp {2}1 /,
      );
    }
  });

  test("services --watch prints a line for each change", options, async () => {
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const name = `new-${runtime.name}`;
      await using watcher = start(runtime, "services", name, "--watch", "-c", mesh.tcp);
      await watcher.errorLine(/there is nothing to show$/);
      const args = [name, "--echo", "-a", `n-${runtime.name}`, "-c", mesh.tcp];
      await using handler = start(EVERYWHERE[1]!, "handle", ...args);
      await watcher.line(new RegExp(`^\\+ ${name}  n-${runtime.name}  1 `));
      handler.signal("SIGTERM");
      await watcher.line(new RegExp(`^- ${name}  n-${runtime.name}  1 `));
    }));
  });

  test("ping says how long each packet took, and how many are lost", options, async () => {
    const args = ["ping", "liner", "--count", "2", "--interval", "10ms"];
    assert.deepEqual(
      await joined(args),
      ok(
        "1 from liner, 3 hops: T\n2 from liner, 3 hops: T\n" +
          "2 sent, 0 lost; least / mean / most: T / T / T\n",
      ),
    );
  });

  test("ping and trace of a router that is not there fail", options, async () => {
    for (const verb of ["ping", "trace"]) {
      assert.deepEqual(await joined([verb, "nobody"]), {
        code: 1,
        stdout: "",
        stderr: 'aln: Cannot reach router: no route leads to "nobody"\n' +
          "     `aln nodes` lists who can be reached\n",
      });
    }
  });

  test("trace shows the routers on the way", options, async () => {
    const { code, stdout } = await joined(["trace", "liner"]);
    assert.equal(code, 0);
    assert.deepEqual(
      stdout.replaceAll(/ T\b/g, "").replaceAll(/ +/g, " ").replaceAll(/ $/gm, "").split("\n"),
      [
        "HOP ROUTER ON BY LINK ANSWERED IN",
        "0 cli-X tcp",
        "1 hub tcp",
        "2 second tcp",
        "3 liner",
        "",
      ],
    );
  });

  test("top shows what goes over each link", options, async () => {
    const args = ["top", "liner", "--count", "1", "--interval", "60ms", "-c", mesh.tcp];
    const all = await Promise.all(EVERYWHERE.map((runtime) => aln(runtime, args)));
    for (const { stdout } of all) {
      assert.match(
        stdout,
        /^ROUTER {2}LINK {2}TO {2}OVER {2}IN\/S .*\nliner {2}1 {2}second {2}tcp {2}/,
      );
    }
  });

  test("bench measures as many calls as it is told to", options, async () => {
    for (const runtime of EVERYWHERE) {
      const args = ["bench", "echo", "--count", "100", "--json", "-c", mesh.tcp];
      const { code, stdout, stderr } = await aln(runtime, args);
      assert.deepEqual([code, stderr], [0, ""]);
      const { service, calls, failed, bytes, latency, rate } = JSON.parse(stdout);
      assert.deepEqual([service, calls, failed, bytes], ["echo", 100, 0, 64]);
      assert(rate > 0 && latency.least <= latency.median && latency.median <= latency.most);
    }
  });

  // ── packets ───────────────────────────────────────────────────────────────

  test(
    "watch shows what is sent to everybody, and what it carries for others",
    options,
    async () => {
      await Promise.all(EVERYWHERE.map(async (runtime) => {
        const service = `seen-${runtime.name}`;
        const listen = ["--listen", "tcp+aln://127.0.0.1:0"];
        const filter = ["--srv", service, "--hex"];
        await using watcher = start(
          runtime,
          ...["watch", "--offer", service, ...filter, ...listen, "-a", `w-${runtime.name}`],
          ...["-c", mesh.tcp, "--count", "2"],
        );
        const [, url] = await watcher.errorLine(/ listens on (\S+)$/);
        // By way of it, to a service of its own; then, from elsewhere, to all who offer it.
        const sent = aln(EVERYWHERE[1]!, ["send", service, "carried", "-a", "near", "-c", url!]);
        assert.deepEqual(await sent, ok(""));
        const far = aln(EVERYWHERE[1]!, ["send", service, "from afar", "-a", "far", "-c", mesh.ws]);
        assert.deepEqual(await far, ok(""));
        const { code, stdout } = await watcher.ended();
        assert.equal(code, 0);
        const said = stdout.replaceAll(/^\d\d:\d\d:\d\d\.\d{3}/gm, "TIME").split("\n");
        assert.deepEqual(said, [
          `TIME < near → w-${runtime.name} ${service} 7 B carried`,
          "  0000  63 61 72 72 69 65 64                             carried",
          `TIME < far → w-${runtime.name} ${service} 9 B from afar`,
          "  0000  66 72 6f 6d 20 61 66 61 72                       from afar",
          "",
        ]);
      }));
    },
  );

  test("record writes packets that replay sends again", options, async () => {
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const service = `tape-${runtime.name}`;
      const file = join(folder, `${service}.jsonl`);
      const known = mesh.programs.hub.line(new RegExp(` service +${service} at `));
      await using recorder = start(
        runtime,
        ...["record", file, "--offer", service, "--count", "2", "-c", mesh.tcp],
      );
      await known;
      const send = ["send", service, "-", "--lines", "-c", mesh.tcp];
      assert.deepEqual(await aln(EVERYWHERE[1]!, send, "one\ntwo"), ok(""));
      const { code, stderr } = await recorder.ended();
      assert.deepEqual([code, stderr], [0, `aln: 2 packets are in ${file}\n`]);
      assert.equal((await readFile(file, "utf8")).trim().split("\n").length, 3);

      const args = [
        "handle",
        service,
        "--count",
        "2",
        "-c",
        mesh.ws,
        "-a",
        `again-${runtime.name}`,
      ];
      await using handler = start(runtime, ...args);
      await mesh.programs.hub.line(new RegExp(` service +${service} at again-`));
      const replayed = await aln(runtime, ["replay", file, "--json", "-c", mesh.tcp]);
      assert.deepEqual(replayed, ok('{"sent":2,"failed":0,"skipped":0}\n'));
      const { stdout } = await handler.ended();
      assert.deepEqual(
        stdout.replaceAll(/^.*: /gm, "").split("\n"),
        ["one", "two", ""],
      );
    }));
  });

  test("replay refuses a file that is no recording", options, async () => {
    const { code, stderr } = await everywhere(["replay", "deno.json"]);
    assert.equal(code, 2);
    assert.match(stderr, /^aln: Cannot replay: line 1 is none that `aln record` has written\n/);
  });

  // ── routers ───────────────────────────────────────────────────────────────

  test("bridge joins two networks, until it is interrupted", options, async () => {
    await Promise.all(EVERYWHERE.map(async (runtime) => {
      const any = "tcp+aln://127.0.0.1:0";
      await using island = start(runtime, "serve", "-a", `i-${runtime.name}`, "-l", any, "--echo");
      const [, url] = await island.line(/ listens on (\S+)$/);
      const args = ["bridge", url!, mesh.ws, "-a", `b-${runtime.name}`];
      await using bridge = start(runtime, ...args);
      await island.line(/ route +sheller in 3 hops via b-/);
      const call = ["call", "shell", "echo over the bridge", "-c", url!];
      assert.deepEqual(await aln(runtime, call), ok("over the bridge\n"));
      bridge.signal("SIGINT");
      assert.equal((await bridge.ended()).code, 130);
      await island.line(/ route +sheller lost$/);
    }));
  });

  test("serve --ui answers browsers at the URL that it names", options, async () => {
    const [, url] = await mesh.programs.hub.line(/ shows the mesh at (http:\S+)$/);
    const response = await fetch(url!);
    await response.body?.cancel();
    assert.equal(response.status, 200);
  });

  test("discover hears the beacons of serve --announce", options, async () => {
    const any = "tcp+aln://0.0.0.0:0";
    let [url, tries] = [undefined as string | undefined, 0];
    // A beacon's port is at most 32767: the system may choose a higher one, and then refuses.
    await using server = new AsyncDisposableStack();
    for (; url === undefined && tries < 20; tries++) {
      const port = 20_000 + crypto.getRandomValues(new Uint16Array(1))[0]! % 10_000;
      const args = ["serve", "--listen", any.replace(/0$/, `${port}`), "--announce", "--quiet"];
      const program = server.use(start(EVERYWHERE[1]!, ...args));
      url = await program.line(/ announces (\S+)$/).then(([, url]) => url, () => undefined);
    }
    const port = new URL(url!).port;
    const heard = await Promise.all(
      EVERYWHERE.map((runtime) => aln(runtime, ["discover", "--count", "1", "--for", "12s"])),
    );
    for (const { code, stdout } of heard) {
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^tcp\\+aln://[\\d.]+:${port}\\n$`));
    }
  });

  test("doctor finds nothing wrong here, and says who is at a URL", options, async () => {
    const args = ["doctor", mesh.tcp];
    const all = await Promise.all(EVERYWHERE.map((runtime) => aln(runtime, args)));
    for (const { code, stdout, stderr } of all) {
      assert.deepEqual([code, stderr], [0, ""], stdout);
      assert.match(stdout, /^ok {2}runtime {2}(Deno|Bun|Node) V$/m);
      assert.match(stdout, /^ok {2}router {2}\S+ is "hub", of our kind, connected to in T; /m);
    }
  });

  // ── help ──────────────────────────────────────────────────────────────────

  test("help tells of every verb, and of each all its options", options, async () => {
    const { code, stdout } = await everywhere(["help"]);
    assert.equal(code, 0);
    for (const { name } of VERBS) assert.match(stdout, new RegExp(`^  ${name} `, "m"));
    assert.deepEqual(await everywhere(["call", "--help"]), await everywhere(["help", "call"]));
    for (const verb of VERBS) {
      const text = manual(verb);
      for (const option of Object.keys(optionsOf(verb))) assert(text.includes(` --${option}`));
    }
  });

  test("completions are scripts that their shells accept", options, async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { code, stdout } = await everywhere(["completions", shell]);
      assert.equal(code, 0);
      for (const { name } of VERBS) assert(stdout.includes(name), `${shell}: ${name}`);
    }
    const script = join(folder, "completions");
    await writeFile(script, (await aln(EVERYWHERE[1]!, ["completions", "bash"])).stdout);
    const typed = `. ${script}; COMP_WORDS=(aln ser); COMP_CWORD=1; _aln; echo "\${COMPREPLY[@]}"`;
    const { stdout } = await run("bash", ["-c", typed]);
    assert.equal(stdout, "serve services\n");
  });
});
