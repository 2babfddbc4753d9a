/**
 * Sends letters to a service that may be away; ends when all of them are stored.
 *
 *     deno run --allow-net examples/backbone/inbox/send.ts printer one,two,three
 *     bun run examples/backbone/inbox/send.ts printer one,two,three
 *     node examples/backbone/inbox/send.ts printer one,two,three
 *
 * Another hub than this machine's is the third argument.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { connect } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { writeLetter } from "./letter.ts";

const [service = "printer", texts = "one,two,three", hub = "tcp+aln://127.0.0.1:8001"] = process
  .argv.slice(2);

const router = new Router(`sender-${crypto.randomUUID().slice(0, 4)}`);
try {
  router.addChannel(await connect(hub));
  const patience = AbortSignal.timeout(2_000);
  await router.waitForService(`inbox.${service}`, { signal: patience }).catch(() => {});
  for (const text of texts.split(",")) {
    const letter = writeLetter(crypto.randomUUID(), text);
    // With its id it may be sent as often as one likes, such as to another inbox.
    const reply = await router.request(`inbox.${service}`, letter, { retries: 1 });
    console.log(printable(`"${text}" is stored as ${reply.text()}`));
  }
} catch (error) {
  console.error(printable((error as Error).message));
  process.exitCode = 1;
} finally {
  await router.close();
}
