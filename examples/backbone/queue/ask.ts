/**
 * Has a picture resized, and prints each size as it comes.
 *
 *     deno run --allow-net examples/backbone/queue/ask.ts photo.jpg
 *     bun run examples/backbone/queue/ask.ts photo.jpg
 *     node examples/backbone/queue/ask.ts photo.jpg
 *
 * Another hub than this machine's is the second argument.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { connect } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";

const [picture = "photo.jpg", hub = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

const router = new Router(`asker-${crypto.randomUUID().slice(0, 4)}`);
try {
  router.addChannel(await connect(hub));
  const patience = AbortSignal.timeout(2_000);
  await router.waitForService("resize", { signal: patience }).catch(() => {}); // The call says so.
  for await (const reply of router.stream("resize", picture, { timeout: 10_000 })) {
    console.log(printable(reply.text()));
  }
} catch (error) {
  console.error(printable((error as Error).message));
  process.exitCode = 1;
} finally {
  await router.close();
}
