/**
 * The pool of workers without its page, in each runtime; `browser/workers_test.ts` looks at the page.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tokensFor } from "../examples/workers/tokens.ts";
import { type Router, UnreachableError } from "../mod.ts";
import { guest, startExample, startHub, TIMEOUT } from "./support/examples.ts";
import { freePort, type Program } from "./support/process.ts";
import { deno, type Runtime, runtimes } from "./support/process_runtimes.ts";

const FRONT = "examples/workers/front.ts";
const WORKER = "examples/workers/worker.ts";
const ASK = "examples/workers/ask.ts";

const text = (question: string): string => tokensFor(question).join("");

/** A front with workers that have joined it. */
async function pool(
  stack: AsyncDisposableStack,
  runtime: Runtime,
  ...names: string[]
): Promise<{ front: Program; tcp: string; workers: Map<string, Program> }> {
  const { program: front, tcp } = await startHub(FRONT, runtime);
  stack.use(front);
  const workers = new Map<string, Program>();
  for (const name of names) {
    workers.set(name, stack.use(startExample(WORKER, runtime, name, tcp)));
  }
  for (const name of names) await front.line(new RegExp(`^${name} has 0 to do$`));
  return { front, tcp, workers };
}

/** Waits until a router knows so many workers. */
async function knows(router: Router, count: number): Promise<void> {
  while (router.serviceAddresses("llm").length < count) {
    await new Promise((resolve) => router.addEventListener("service", resolve, { once: true }));
  }
}

/** Asks as `ask.ts` does; resolves to who answers, with all that follows. */
async function open(router: Router, question: string) {
  const data = JSON.stringify({ question, from: 0 });
  const replies = router.stream("llm", data, { balance: "two-choices" })[Symbol.asyncIterator]();
  const { value } = await replies.next();
  return { worker: value!.src, replies };
}

for (const runtime of runtimes) {
  const { skip, label } = runtime;
  const network = { timeout: TIMEOUT, skip };

  describe(`examples/workers/ in ${label}`, () => {
    test("questions are answered word by word, two by two workers", network, async () => {
      await using stack = new AsyncDisposableStack();
      const { front, tcp, workers } = await pool(stack, runtime, "worker-1", "worker-2");
      const before = front.lines;
      const asker = stack.use(startExample(ASK, runtime, "Why?", tcp));
      const { code, stdout, stderr } = await asker.ended();
      assert.deepEqual({ code, stdout }, { code: 0, stdout: `${text("Why?")}\n` });
      const [, first] = /^(worker-[12]) answers\n$/.exec(stderr)!;
      await workers.get(first!)!.line(/ is done after \d+ tokens$/);
      await front.line(new RegExp(`^${first} has 1 to do$`));
      await front.line(new RegExp(`^${first} has 0 to do$`), before); // So all are alike again.

      const router = stack.use(await guest("asker", tcp));
      await knows(router, 2);
      const [one, two] = await Promise.all([open(router, "Who?"), open(router, "You?")]);
      assert.notEqual(one.worker, two.worker);
      for (const { worker, replies } of [one, two]) {
        await replies.return(undefined);
        await workers.get(worker)!.line(/^worker-. was stopped after \d+ tokens$/);
      }
    });

    test("whoever asks can stop it, and the worker stops", network, async () => {
      await using stack = new AsyncDisposableStack();
      const { tcp, workers } = await pool(stack, runtime, "worker-1");
      const asker = stack.use(startExample(ASK, runtime, "Why?", tcp));
      await asker.errorLine(/^worker-1 answers$/);
      asker.signal("SIGINT");
      await workers.get("worker-1")!.line(/^worker-1 was stopped after \d+ tokens$/);
      const { code, stdout, stderr } = await asker.ended();
      assert.deepEqual({ code, stderr }, { code: 130, stderr: "worker-1 answers\n\nstopped\n" });
      assert(text("Why?").startsWith(stdout.trimEnd()) && stdout.length < text("Why?").length);
    });

    test("a worker that is killed fails its calls, and another one goes on", network, async () => {
      await using stack = new AsyncDisposableStack();
      const { tcp, workers } = await pool(stack, runtime, "worker-1", "worker-2");
      const asker = stack.use(startExample(ASK, runtime, "Why?", tcp));
      const [, killed] = await asker.errorLine(/^(worker-\d) answers$/);
      const other = killed === "worker-1" ? "worker-2" : "worker-1";
      const router = stack.use(await guest("asker", tcp));
      await router.waitForService("llm");
      const replies = router.stream("llm", JSON.stringify({ question: "Who?", from: 0 }), {
        dst: killed!,
      })[Symbol.asyncIterator]();
      await replies.next();

      workers.get(killed!)!.signal("SIGKILL");
      await assert.rejects(async () => {
        while (!(await replies.next()).done);
      }, (error) => error instanceof UnreachableError && error.code === "ERR_NO_ROUTE");
      const { code, stdout, stderr } = await asker.ended();
      assert.deepEqual({ code, stdout }, { code: 0, stdout: `${text("Why?")}\n` });
      assert.equal(
        stderr,
        `${killed} answers\n` +
          `\nCannot get a reply: the route to "${killed}" is lost: another goes on\n` +
          `${other} answers\n`,
      );
      await workers.get(other)!.line(/ begins at token [1-9]\d* /);
    });

    test("a worker that leaves answers what it has, and takes no more", network, async () => {
      await using stack = new AsyncDisposableStack();
      const { front, tcp, workers } = await pool(stack, runtime, "worker-1", "worker-2");
      const asker = stack.use(startExample(ASK, runtime, "Why?", tcp));
      const [, leaving] = await asker.errorLine(/^(worker-\d) answers$/);
      const worker = workers.get(leaving!)!;
      worker.signal("SIGINT");
      worker.signal("SIGINT"); // Some wrappers of programs tell them twice.
      await worker.line(/ takes no more questions; 1 to answer$/);
      await front.line(new RegExp(`^${leaving} is about to leave$`));
      const { stdout, stderr } = await startExample(ASK, runtime, "Who?", tcp).ended();
      assert.equal(stdout, `${text("Who?")}\n`);
      assert.doesNotMatch(stderr, new RegExp(`${leaving} answers|lost`));

      assert.deepEqual(await asker.ended(), {
        code: 0,
        signal: null,
        stdout: `${text("Why?")}\n`,
        stderr: `${leaving} answers\n`,
      });
      const { code, stderr: complaints } = await worker.ended();
      assert.deepEqual({ code, complaints }, { code: 0, complaints: "" });
      await front.line(new RegExp(`^${leaving} is gone$`));
      front.signal("SIGINT");
      assert.equal((await front.ended()).code, 0);
    });
  });
}

describe("examples/workers/ask.ts", () => {
  test("says that there is no front, or no worker", { timeout: TIMEOUT }, async () => {
    const { program, tcp } = await startHub(FRONT, deno);
    await using _ = program;
    const { code, stderr } = await startExample(ASK, deno, "Why?", tcp).ended();
    assert.deepEqual({ code, stderr }, { code: 1, stderr: "\nCannot ask: there is no worker\n" });
    const nowhere = `tcp+aln://127.0.0.1:${await freePort()}`;
    const failed = await startExample(ASK, deno, "Why?", nowhere).ended();
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /refused/);
  });
});
