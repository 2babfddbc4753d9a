/**
 * The examples that stand on NATS, in each runtime, with a real server: what their guide shows is
 * what they print.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { CallError, type Router } from "../mod.ts";
import {
  clients,
  haveClients,
  haveEngines,
  type NatsEngine,
  startNats,
} from "./support/engines.ts";
import { guest, shownCommands } from "./support/examples.ts";
import { type Ending, Program, ROOT, startServer } from "./support/process.ts";
import { deno, type Runtime, runtimes } from "./support/process_runtimes.ts";
import { needing, run } from "./support/toolchain.ts";

const FOLDER = "examples/backbone/";
const WORKER = `${FOLDER}queue/worker.py`;
const HUB = "tcp+aln://127.0.0.1:8001";
const README = readFileSync(`${ROOT}${FOLDER}README.md`, "utf8");
const TIMEOUT = 90_000; // ms

const engines = haveEngines("nats-server");
const there = engines === true ? await haveClients() : engines;
const hasPython = (await run("python3", ["--version"])).code === 0;

/** The text in the first block of the guide that follows a few of its words. */
function shown(words: string): string {
  const start = README.indexOf(words);
  assert(start >= 0, `the guide does not say "${words}"`);
  return /^```\n(.*?)^```$/ms.exec(README.slice(start))![1]!;
}

/** What a program has printed, as if it had run with the arguments of the guide. */
function plain(text: string, hub: string): string {
  return text.replaceAll(hub, HUB).replace(/\b(asker|printer)-\w{4}\b/g, "$1-51f0");
}

/** How a program has ended that did what it should. */
function done(stdout: string): Ending {
  return { code: 0, signal: null, stdout, stderr: "" };
}

/** Waits until the gateway advertises a load. */
async function load(router: Router, wanted: number): Promise<void> {
  while (router.services().find(({ service }) => service === "resize")?.capacity !== wanted) {
    await new Promise((resolve) => router.addEventListener("service", resolve, { once: true }));
  }
}

/** A server of NATS and a hub, and programs that join them. */
class Backbone implements AsyncDisposable {
  readonly nats: NatsEngine;
  readonly hub: string;
  readonly #stack: AsyncDisposableStack;
  readonly #runtime: Runtime;
  readonly #packages: string;

  private constructor(
    stack: AsyncDisposableStack,
    runtime: Runtime,
    nats: NatsEngine,
    hub: string,
    packages: string,
  ) {
    this.#stack = stack;
    this.#runtime = runtime;
    this.nats = nats;
    this.hub = hub;
    this.#packages = packages;
  }

  static async start(runtime: Runtime): Promise<Backbone> {
    await using stack = new AsyncDisposableStack();
    const nats = stack.use(await startNats({ jetstream: true }));
    const { program, tcp } = await startServer("hub");
    stack.use(program);
    const { folder } = await clients();
    return new Backbone(stack.move(), runtime, nats, tcp, `${folder}/node_modules`);
  }

  /** Starts a program as its header says, but with arguments of our own. */
  run(name: string, ...args: string[]): Program {
    const file = `${FOLDER}${name}.ts`;
    const [command] = shownCommands(file, this.#runtime);
    const start = command!.slice(0, command!.indexOf(file) + 1);
    return this.#stack.use(new Program("env", `NODE_PATH=${this.#packages}`, ...start, ...args));
  }

  /** Starts an inbox for the printer, and waits until it is there. */
  async inbox(): Promise<Program> {
    const inbox = this.run("inbox/inbox", "printer", this.hub, this.nats.url);
    await inbox.line(/^inbox joined /);
    return inbox;
  }

  /** Starts a printer. */
  printer(duration: number): Program {
    return this.run("inbox/printer", `${duration}`, this.hub);
  }

  /** Sends letters to the printer. */
  send(texts: string): Promise<Ending> {
    return this.run("inbox/send", "printer", texts, this.hub).ended();
  }

  /** Starts a gateway, and waits until it is there. */
  async gateway(): Promise<Program> {
    const gateway = this.run("queue/gateway", "resize", this.hub, this.nats.url);
    await gateway.line(/^gateway joined /);
    return gateway;
  }

  /** Starts a worker, and waits until it is there. */
  async worker(name: string, duration: number): Promise<Program> {
    const worker = this.run("queue/worker", name, `${duration}`, this.nats.url);
    await worker.line(/ waits for work$/);
    return worker;
  }

  /** Has a picture resized. */
  ask(): Program {
    return this.run("queue/ask", "photo.jpg", this.hub);
  }

  /** A router of this process, in the mesh. */
  async guest(service: string): Promise<Router> {
    const router = this.#stack.use(await guest("guest", this.hub));
    await router.waitForService(service);
    return router;
  }

  /** Ends a program by Ctrl-C, and checks that it ends in order; resolves to what it had printed. */
  async interrupt(program: Program): Promise<string> {
    program.signal("SIGINT");
    const { code, signal, stdout, stderr } = await program.ended();
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: "" });
    return plain(stdout, this.hub);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

for (const runtime of runtimes) {
  const backboneTest = (name: string, body: (backbone: Backbone) => Promise<void>) => {
    const [title, { skip, timeout }] = needing(there, name, TIMEOUT);
    test(title, { skip: skip || runtime.skip, timeout }, async () => {
      await using backbone = await Backbone.start(runtime);
      await body(backbone);
    });
  };

  describe(`examples/backbone/inbox/ in ${runtime.label}`, () => {
    backboneTest("keeps the order although the inbox is killed in the middle", async (backbone) => {
      const inbox = await backbone.inbox();
      assert.deepEqual(await backbone.send("one,two,three"), done(shown("Whoever sends")));
      const printer = backbone.printer(500);
      await printer.line(/^printing "two"$/);
      inbox.signal("SIGKILL");
      const { stdout } = await inbox.ended();
      assert.equal(plain(stdout, backbone.hub), shown("The inbox, until it is killed"));

      const another = await backbone.inbox();
      await another.line(/^"printer" has taken 3$/);
      assert.equal(await backbone.interrupt(printer), shown("The printer meanwhile"));
      assert.equal(await backbone.interrupt(another), shown("The inbox, started again"));
    });

    backboneTest("gives a letter again whose service was killed with it", async (backbone) => {
      const inbox = await backbone.inbox();
      const printer = backbone.printer(60_000);
      assert.equal((await backbone.send("one,two")).code, 0);
      await printer.line(/^printing "one"$/);
      printer.signal("SIGKILL");
      const [line] = await inbox.line(/^1 waits for .*$/);
      assert.equal(`${plain(line, backbone.hub)}\n`, shown("When the printer is killed"));

      const another = backbone.printer(0);
      await inbox.line(/^"printer" has taken 2$/);
      assert.equal(
        await backbone.interrupt(another),
        `printer joined ${HUB}\nprinting "one"\n"one" is printed\nprinting "two"\n"two" is printed\n`,
      );
    });

    backboneTest("says at once that it cannot store, and loses nothing", async (backbone) => {
      const inbox = await backbone.inbox();
      const router = await backbone.guest("inbox.printer");
      const put = async (letter: string) => (await router.request("inbox.printer", letter)).text();
      assert.deepEqual([await put("a\none"), await put("b\ntwo"), await put("a\none")], [
        ...["1", "2", "1"], // The same id, the same letter.
      ]);
      await inbox.line(/^1 for "printer" is here already$/);
      await assert.rejects(put("no id"), (error) => {
        assert(error instanceof CallError && error.code === "ERR_CALL_HANDLER");
        return /a letter begins with a line that is its id/.test(error.message);
      });

      await backbone.nats.kill();
      await inbox.line(/^NATS is lost$/);
      assert.deepEqual(await backbone.send("three"), {
        ...done(""),
        code: 1,
        stderr: 'Cannot call "inbox.printer": nobody offers it\n',
      });
      await backbone.nats.start();
      await inbox.line(/^NATS is back$/);
      await router.waitForService("inbox.printer");
      assert.equal(await put("c\nthree"), "3");
      const printer = backbone.printer(0);
      await printer.line(/^"three" is printed$/);
      assert.match(await backbone.interrupt(printer), /"one" is printed\n.*\n"two" is printed\n/);
    });
  });

  describe(`examples/backbone/queue/ in ${runtime.label}`, () => {
    backboneTest("has any number of workers behind one service", async (backbone) => {
      const gateway = await backbone.gateway();
      const nobody = await backbone.ask().ended();
      assert.deepEqual(nobody, {
        ...done(""),
        code: 1,
        stderr: shown("While there is no worker"),
      });
      const worker = await backbone.worker("worker-1", 300);
      assert.deepEqual(await backbone.ask().ended(), done(shown("With one")));

      await backbone.worker("worker-2", 50);
      const router = await backbone.guest("resize");
      const calls = Array.from({ length: 40 }, () => router.request("resize", "photo.jpg"));
      const replies = new Set((await Promise.all(calls)).map((reply) => reply.text()));
      assert.deepEqual([...replies].sort(), [
        "photo.jpg at 1600x1200 by worker-1",
        "photo.jpg at 1600x1200 by worker-2",
      ]);
      assert.match(await backbone.interrupt(worker), /^worker-1 waits for work\nworker-1 resizes /);
      const [first] = (await backbone.interrupt(gateway)).split("\n");
      assert.equal(first, `gateway joined ${HUB}`);
    });

    backboneTest("asks another worker if one is killed, or says that it was", async (backbone) => {
      const gateway = await backbone.gateway();
      const slow = await backbone.worker("worker-1", 60_000);
      const router = await backbone.guest("resize");
      const busy = load(router, 2);
      const asker = backbone.ask();
      await slow.line(/^worker-1 resizes photo.jpg$/);
      await busy;
      const other = await backbone.worker("worker-2", 1_000);
      slow.signal("SIGKILL");
      assert.deepEqual(
        await asker.ended(),
        done(shown("With one").replaceAll("worker-1", "worker-2")),
      );
      await load(router, 1);

      const unlucky = backbone.ask();
      const [first] = await unlucky.line(/^photo.jpg at 1600x1200 by worker-2$/);
      other.signal("SIGKILL");
      assert.deepEqual(await unlucky.ended(), {
        ...done(`${first}\n`),
        code: 1,
        stderr: shown("When it is killed later"),
      });
      assert.equal(await backbone.interrupt(gateway), shown("The gateway meanwhile"));
    });
  });
}

describe("examples/backbone/queue/worker.py", () => {
  const python = there === true && !hasPython ? "python3 is not installed" : there;
  test(...needing(python, "works in the same queue, with no client at all", TIMEOUT), async () => {
    await using backbone = await Backbone.start(deno);
    await backbone.gateway();
    const port = `${backbone.nats.port}`;
    await using worker = new Program("python3", WORKER, "python", "127.0.0.1", port);
    await worker.line(/^python waits for work$/);
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(await backbone.ask().ended(), done("photo.jpg at 800x600 by python\n"));
    }
  });
});
