/**
 * A service that is not always there: it prints letters, and takes its time.
 *
 *     deno run --allow-net examples/backbone/inbox/printer.ts 500
 *     bun run examples/backbone/inbox/printer.ts 500
 *     node examples/backbone/inbox/printer.ts 500
 *
 * The argument is how long a letter takes, in ms. Another hub than this machine's is the second.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { readLetter } from "./letter.ts";

const REMEMBERED = 1_000; // Letters that are known again.

const [duration = "500", hub = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

async function print(text: string): Promise<void> {
  console.log(printable(`printing "${text}"`));
  await new Promise((resolve) => setTimeout(resolve, Number(duration)));
  console.log(printable(`"${text}" is printed`));
}

/** Letters by id, also those that are being printed: keep this where the work itself is kept. */
const jobs: Map<string, Promise<void>> = new Map();

const router = new Router(`printer-${crypto.randomUUID().slice(0, 4)}`);
router.registerService("printer", async ({ data }) => {
  const { id, text } = readLetter(data);
  const job = jobs.get(id);
  if (job !== undefined) console.log(printable(`"${text}" has come before`));
  else jobs.set(id, print(text));
  if (jobs.size > REMEMBERED) jobs.delete(jobs.keys().next().value!);
  await jobs.get(id);
  return "printed";
});

dial(router, hub, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`printer joined ${hub}`);
  else if (error !== undefined) console.error(`printer: ${(error as Error).message}`);
});
process.on("SIGINT", () => router.close().then(() => process.exit(0)));
