/**
 * Sites that a cluster of NATS joins, in each runtime: nodes, sites, workers and who asks are separate
 * processes. `browser/backbone_test.ts` looks at the page.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tokensFor } from "../examples/workers/tokens.ts";
import { UnreachableError } from "../mod.ts";
import { haveBackbone, shown, startSite } from "./support/backbone.ts";
import { type NatsCluster, startNatsCluster } from "./support/engines.ts";
import { guest, startExample } from "./support/examples.ts";
import type { Program } from "./support/process.ts";
import { type Runtime, runtimes } from "./support/process_runtimes.ts";
import { needing } from "./support/toolchain.ts";

const TIMEOUT = 90_000; // ms
const WORKER = "examples/workers/worker.ts";
const ASK = "examples/workers/ask.ts";
const ANSWER = `${tokensFor("Why?").join("")}\n`;

const there = await haveBackbone("nats-server");

/** Two nodes, and a site at each. */
class Sites implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #runtime: Runtime;
  readonly cluster: NatsCluster;
  readonly north: Program;
  readonly south: Program;
  readonly #tcp: { north: string; south: string };

  private constructor(
    stack: AsyncDisposableStack,
    runtime: Runtime,
    cluster: NatsCluster,
    north: { program: Program; tcp: string },
    south: { program: Program; tcp: string },
  ) {
    this.#stack = stack;
    this.#runtime = runtime;
    this.cluster = cluster;
    this.north = north.program;
    this.south = south.program;
    this.#tcp = { north: north.tcp, south: south.tcp };
  }

  static async start(runtime: Runtime): Promise<Sites> {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startNatsCluster(2));
    const { servers } = cluster;
    const north = await startSite(runtime, "north", servers);
    stack.use(north.program);
    const south = await startSite(runtime, "south", servers.toReversed());
    stack.use(south.program);
    await north.program.line(/^south is here, by south$/);
    return new Sites(stack.move(), runtime, cluster, north, south);
  }

  /** Starts a worker, and waits until its own site knows of it. */
  async worker(site: "north" | "south"): Promise<Program> {
    const name = `${site}-1`;
    const worker = this.#stack.use(startExample(WORKER, this.#runtime, name, this.#tcp[site]));
    await this[site].line(new RegExp(`^${name} is here, by ${name}$`));
    return worker;
  }

  /** Asks at a site. */
  ask(site: "north" | "south"): Program {
    return this.#stack.use(startExample(ASK, this.#runtime, "Why?", this.#tcp[site]));
  }

  /** A router of this process, at the north. */
  async guest() {
    return this.#stack.use(await guest("guest", this.#tcp.north));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** What a site has printed from some line on, without those who ask and with the guide's ports. */
function plain(stdout: string, from: number, nodes: readonly string[]): string {
  return stdout.split("\n").slice(from).filter((line) => !/^(asker-\w+|guest) is /.test(line))
    .join("\n")
    .replaceAll(/NATS is back at .+\nNATS is lost\n/g, "") // The other node had not ended yet.
    .replaceAll(/127\.0\.0\.1:\d+/g, (host) => {
      const node = nodes.findIndex((url) => url.endsWith(host));
      return node < 0 ? host : `127.0.0.1:${4222 + node}`;
    });
}

for (const runtime of runtimes) {
  const sitesTest = (name: string, body: (sites: Sites) => Promise<void>) => {
    const [title, { skip }] = needing(there, name, TIMEOUT);
    test(title, { skip: skip || runtime.skip, timeout: TIMEOUT }, async () => {
      await using sites = await Sites.start(runtime);
      await body(sites);
    });
  };

  describe(`examples/backbone/sites/ in ${runtime.label}`, () => {
    sitesTest("a worker of the other site answers, though its node dies", async (sites) => {
      const worker = await sites.worker("south");
      await sites.north.line(/^south-1 is here, by south$/);
      const { stdout, stderr, code } = await sites.ask("north").ended();
      assert.deepEqual({ code, stdout, stderr }, {
        code: 0,
        stdout: ANSWER,
        stderr: "south-1 answers\n",
      });

      const asker = sites.ask("north");
      await worker.line(/^south-1 begins at token 0 /, 2);
      await sites.cluster.nodes[1]!.kill();
      const [back] = await sites.south.line(/^NATS is back at .+$/);
      assert.equal(
        `NATS is lost\n${plain(back, 0, sites.cluster.servers)}\n`,
        shown("The site in the south:"),
      );
      const ending = await asker.ended();
      assert.deepEqual({ code: ending.code, stdout: ending.stdout }, { code: 0, stdout: ANSWER });
      const again = `\nCannot get a reply: the route to "south-1" is lost: another goes on\n` +
        `south-1 answers\n`; // If something was sent there while it was between two nodes.
      assert(["", again].includes(ending.stderr.slice("south-1 answers\n".length)));
    });

    sitesTest("a site that is cut off goes on alone, and is back at once", async (sites) => {
      await sites.worker("south");
      await sites.north.line(/^south-1 is here, by south$/);
      const asker = sites.ask("north");
      await asker.errorLine(/^south-1 answers$/);
      await sites.worker("north");
      const from = sites.north.lines;
      await Promise.all(sites.cluster.nodes.map((node) => node.kill()));
      const { code, stdout, stderr } = await asker.ended();
      assert.deepEqual({ code, stdout }, { code: 0, stdout: ANSWER });
      assert.equal(stderr, shown("words of the answer):"));
      for (const site of ["north", "south"] as const) { // Each has its own.
        assert.deepEqual(await sites.ask(site).ended(), {
          code: 0,
          signal: null,
          stdout: ANSWER,
          stderr: `${site}-1 answers\n`,
        });
      }
      const router = await sites.guest();
      await router.waitForService("llm");
      const began = performance.now();
      await assert.rejects(
        router.request("llm", '{"question":"Why?","from":70}', { dst: "south-1" }),
        (error) => error instanceof UnreachableError && error.code === "ERR_NO_ROUTE",
      );
      assert(performance.now() - began < 1_000, "it does not fail at once");

      const known = new Promise<number>((resolve) => {
        router.addEventListener("service", ({ address, capacity }) => {
          if (address === "south-1" && capacity > 0) resolve(performance.now());
        });
      });
      const southLines = sites.south.lines;
      await sites.cluster.nodes[0]!.start();
      await sites.north.line(/^NATS is back at /, from);
      await sites.south.line(/^NATS is back at /, southLines);
      const back = performance.now();
      assert(await known - back < 2_000, "it takes too long");
      const reply = router.stream("llm", '{"question":"Why?","from":70}', { dst: "south-1" });
      for await (const { src } of reply) assert.equal(src, "south-1");

      sites.north.signal("SIGINT");
      const ending = await sites.north.ended();
      assert.deepEqual([ending.code, ending.stderr], [0, ""]);
      assert.equal(
        plain(ending.stdout, from, sites.cluster.servers),
        shown("from where it was cut off:"),
      );
    });
  });
}
