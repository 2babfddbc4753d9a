/**
 * Two servers and three clients, over TCP and WebSocket, each a process of its own: all in one
 * runtime, for each of them, and then of every kind.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Program, type RunningServer, startServer } from "./support/process.ts";
import type { CallCommand, Report } from "./support/process_client.ts";
import { type Runtime, runtimes } from "./support/process_runtimes.ts";

const TIMEOUT = 60_000;

/** The goal is 1 s; this is what a busy machine is forgiven, in ms. */
const FOUND_WITHIN = 5_000;

/** The time-out of a call is 5 s: whoever fails before has not waited for it, in ms. */
const AT_ONCE = 2_500;

type ReportOf<K extends Report["kind"]> = Extract<Report, { kind: K }>;

/** A client process, and its reports. */
class Client implements AsyncDisposable {
  readonly address: string;
  readonly program: Program;

  constructor(runtime: Runtime, address: string, url: string) {
    this.address = address;
    this.program = new Program(...runtime.run, "tests/support/process_client.ts", address, url);
  }

  /** Resolves to the first such report whose given fields are as given. */
  async report<K extends Report["kind"]>(
    kind: K,
    fields: Partial<ReportOf<K>> = {},
    from = 0,
  ): Promise<ReportOf<K>> {
    const wanted = Object.entries({ kind, ...fields })
      .map(([key, value]) => `(?=.*"${key}":${JSON.stringify(value)})`).join("");
    const { input } = await this.program.line(new RegExp(`^${wanted}`), from);
    return JSON.parse(input);
  }

  /** Calls, and resolves to how that ended. */
  async call(command: CallCommand): Promise<ReportOf<"answer"> | ReportOf<"error">> {
    const from = this.program.lines;
    await this.program.write(JSON.stringify(command));
    const { service } = command;
    const ended = await this.program.line(
      new RegExp(`^{"kind":"(answer|error)","service":"${service}"`),
      from,
    );
    return JSON.parse(ended.input);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.program[Symbol.asyncDispose]();
  }
}

/** What runs each program of a mesh. */
type Cast = Record<"first" | "second" | "tcp" | "web" | "far", Runtime>;

/**
 * `first` and `second` are servers, `second` has joined `first`:
 *
 *     tcp ── first ── second ── far
 *     web ─────┘
 */
async function startMesh(stack: AsyncDisposableStack, cast: Cast) {
  const own = <T extends AsyncDisposable>(value: T): T => stack.use(value);
  const server = async (address: "first" | "second", join: string[]): Promise<RunningServer> => {
    const running = await startServer(address, { runtime: cast[address], join });
    own(running.program);
    return running;
  };
  const first = await server("first", []);
  const second = await server("second", [first.tcp]);
  await first.program.line(/ route +second in 1 hop /);
  await second.program.line(/ route +first in 1 hop /);
  const tcp = own(new Client(cast.tcp, "tcp", first.tcp));
  const web = own(new Client(cast.web, "web", first.ws));
  const far = own(new Client(cast.far, "far", second.tcp));
  const clients = [tcp, web, far];
  const found = await Promise.all(clients.map((client) => client.report("found")));
  // Everybody knows everybody.
  await Promise.all(
    clients.flatMap((client) =>
      clients.filter((other) => other !== client).flatMap((other) => [
        client.report("service", { service: `upper-${other.address}` }),
        client.report("service", { service: `hang-${other.address}` }),
      ])
    ),
  );
  return { first, second, tcp, web, far, clients, found };
}

const [deno, bun, node, node22] = runtimes as [Runtime, Runtime, Runtime, Runtime];
const casts: [string, Cast][] = [
  ...runtimes.map((all): [string, Cast] => [
    `in ${all.label}`,
    { first: all, second: all, tcp: all, web: all, far: all },
  ]),
  ["of every runtime", { first: bun, second: node, tcp: node22, web: deno, far: bun }],
];

for (const [title, cast] of casts) {
  describe(`a mesh ${title}`, () => {
    const skip = Object.values(cast).some(({ skip }) => skip);

    test(
      "clients over TCP and WebSocket find services within a second, and call each other over two servers",
      { timeout: TIMEOUT, skip },
      async (t) => {
        await using stack = new AsyncDisposableStack();
        const { tcp, web, far, clients, found } = await startMesh(stack, cast);
        for (const [i, { took, address }] of found.entries()) {
          t.diagnostic(`${clients[i]!.address} found ping at ${address} in ${took.toFixed(1)} ms`);
          assert(took < FOUND_WITHIN, `${took} ms`);
        }

        const answered = async (client: Client, command: CallCommand, text: string) => {
          const report = await client.call(command);
          assert(report.kind === "answer", `${client.address}: ${JSON.stringify(report)}`);
          assert.equal(report.text, text);
          t.diagnostic(
            `${client.address} called ${command.service} in ${report.took.toFixed(1)} ms`,
          );
        };
        // Two hops: by way of the server they share.
        await answered(tcp, { service: "upper-web", data: "tcp to web" }, "TCP TO WEB");
        await answered(web, { service: "upper-tcp", data: "web to tcp" }, "WEB TO TCP");
        await answered(tcp, { service: "ping", data: "a", dst: "second" }, "pong:a");
        await answered(web, { service: "ping", data: "b", dst: "second" }, "pong:b");
        await answered(far, { service: "ping", data: "c", dst: "first" }, "pong:c");
        // Three hops: by way of both.
        await answered(web, { service: "upper-far", data: "web to far" }, "WEB TO FAR");
        await answered(far, { service: "upper-web", data: "far to web" }, "FAR TO WEB");
        await answered(far, { service: "upper-tcp", data: "far to tcp" }, "FAR TO TCP");

        // They leave by themselves: nothing of ours keeps a process alive.
        for (const { program } of clients) {
          await program.endInput();
          const { code, stderr } = await program.ended();
          assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        }
      },
    );

    test(
      "callers get an error at once when a server on the way is killed in the middle of their calls",
      { timeout: TIMEOUT, skip },
      async (t) => {
        await using stack = new AsyncDisposableStack();
        const { first, second, tcp, web, far } = await startMesh(stack, cast);

        // Into `first` itself over either transport, and through it in both directions.
        const calls: [Client, Client][] = [[tcp, far], [tcp, web], [web, tcp], [far, tcp], [
          far,
          web,
        ]];
        const outcomes = calls.map(async ([from, to]) => {
          const report = await from.call({ service: `hang-${to.address}` });
          return { from, to, report, at: performance.now() };
        });
        for (const [from, to] of calls) {
          await to.report("asked", { service: `hang-${to.address}`, by: from.address });
        }

        const killed = performance.now();
        first.program.signal("SIGKILL");
        for (const { from, to, report, at } of await Promise.all(outcomes)) {
          assert(report.kind === "error", JSON.stringify(report));
          assert.deepEqual([report.name, report.code], ["UnreachableError", "ERR_NO_ROUTE"]);
          const after = at - killed;
          t.diagnostic(
            `${from.address} → ${to.address} failed ${after.toFixed(1)} ms after the kill`,
          );
          assert(after < AT_ONCE, `${after} ms`);
        }

        // Whoever calls now hears at once that nobody is there; whoever is still connected goes on.
        const late = await far.call({ service: "upper-web" });
        assert(late.kind === "error" && late.code === "ERR_NO_SERVICE", JSON.stringify(late));
        const alone = await tcp.call({ service: "ping" });
        assert(alone.kind === "error" && alone.code === "ERR_NO_SERVICE", JSON.stringify(alone));
        const here = await far.call({ service: "ping", data: "still here" });
        assert(here.kind === "answer" && here.text === "pong:still here", JSON.stringify(here));
        await second.program.line(/ route +first lost$/);
      },
    );
  });
}
