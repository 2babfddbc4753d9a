/**
 * A worker: offers `llm`, and tells how much it has to do, so that callers find the one that has the
 * least. With Ctrl-C it takes no more questions, and leaves when it has answered those that it has.
 *
 *     deno run --allow-net examples/workers/worker.ts worker-1
 *     bun run examples/workers/worker.ts worker-1
 *     node examples/workers/worker.ts worker-1
 *
 * Another front than this machine's is the second argument, such as `tcp+aln://10.0.0.2:8001`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { generate } from "./tokens.ts";

const [name = "worker-1", front = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

const router = new Router(name, { maxPayload: 65_536 });
const llm = router.registerService("llm", async function* (packet, _reply, { signal }) {
  const { question, from } = JSON.parse(packet.text());
  console.log(printable(`${name} begins at token ${from} for ${packet.src}`));
  let count = 0;
  try {
    for await (const token of generate(`${question}`, Number(from), signal)) {
      yield token;
      count++;
    }
  } finally {
    console.log(`${name} ${signal.aborted ? "was stopped" : "is done"} after ${count} tokens`);
  }
}, { followCalls: true });

dial(router, front, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`${name} joined ${front}`);
  else if (error !== undefined) console.error(`${name}: ${(error as Error).message}`);
});

process.on("SIGINT", async () => {
  console.log(`${name} takes no more questions; ${llm.calls} to answer`);
  await llm.drain();
  await router.close();
  process.exit(0);
});
