/**
 * A worker: a plain NATS program, which knows nothing of a mesh. It takes what comes to its queue
 * group, answers in several messages, and ends with an empty one.
 *
 *     deno run --allow-net examples/backbone/queue/worker.ts worker-1 300
 *     bun run examples/backbone/queue/worker.ts worker-1 300
 *     node examples/backbone/queue/worker.ts worker-1 300
 *
 * The second argument is how long each size takes, in ms; another server than this machine's is the
 * third.
 *
 * @module
 */

import process from "node:process";
import { printable } from "../../printable.ts";
import { connectNats, type NatsMessage } from "../nats.ts";

const SIZES = ["1600x1200", "800x600", "400x300"];

const [name = "worker-1", duration = "300", engine = "nats://127.0.0.1:4222"] = process.argv
  .slice(2);

async function resize(message: NatsMessage): Promise<void> {
  const picture = new TextDecoder().decode(message.data);
  console.log(printable(`${name} resizes ${picture}`));
  for (const size of SIZES) {
    await new Promise((resolve) => setTimeout(resolve, Number(duration)));
    message.respond(`${picture} at ${size} by ${name}`);
  }
  message.respond("");
}

const nats = await connectNats(engine, name);
const subscription = nats.subscribe("work.resize", { queue: "workers" });
console.log(`${name} waits for work`);
process.on("SIGINT", () => subscription.drain()); // Takes no more, and ends the loop.

const jobs: Set<Promise<void>> = new Set();
for await (const message of subscription) {
  const job = resize(message).finally(() => jobs.delete(job));
  jobs.add(job);
}
await Promise.all(jobs);
await nats.drain();
process.exit(0);
