/**
 * Asks the pool of workers, and prints the answer as it comes. Ctrl-C stops the worker, too.
 *
 *     deno run --allow-net examples/workers/ask.ts Why?
 *     bun run examples/workers/ask.ts Why?
 *     node examples/workers/ask.ts Why?
 *
 * Another front than this machine's is the second argument, such as `tcp+aln://10.0.0.2:8001`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { connect } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { answer } from "./page/answer.ts";

const [question = "Why?", front = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

const stop = new AbortController();
const onInterrupt = () => stop.abort();
process.on("SIGINT", onInterrupt);

const router = new Router(`asker-${crypto.randomUUID().slice(0, 4)}`);
try {
  router.addChannel(await connect(front));
  const words = answer(router, question, {
    signal: stop.signal,
    onWorker: (name) => console.error(printable(`${name} answers`)),
    onRetry: ({ message }) => console.error(`\n${printable(message)}: another goes on`),
  });
  for await (const word of words) process.stdout.write(printable(word, "\n\t"));
  process.stdout.write("\n");
} catch (error) {
  console.error(stop.signal.aborted ? "\nstopped" : `\n${printable((error as Error).message)}`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  await router.close();
  process.off("SIGINT", onInterrupt);
}
