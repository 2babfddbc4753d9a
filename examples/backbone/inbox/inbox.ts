/**
 * An inbox for services that are not always there: what is sent to `inbox.printer` waits in a stream
 * of JetStream, and goes to `printer` in order, one by one, whenever that is in the mesh.
 *
 *     deno run --allow-net examples/backbone/inbox/inbox.ts printer
 *     bun run examples/backbone/inbox/inbox.ts printer
 *     node examples/backbone/inbox/inbox.ts printer
 *
 * Several services are `printer,mail`. What it joins are the second argument and the third, by
 * default `tcp+aln://127.0.0.1:8001` and `nats://127.0.0.1:4222`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { connectNats } from "../nats.ts";
import { offerWhileConnected } from "../offer.ts";
import { readLetter } from "./letter.ts";
import { openStore } from "./store.ts";

const ANSWER_TIMEOUT = 2_000; // ms that a service has to answer.
const PAUSE = 1_000; // ms until it is asked again.

const [list = "printer", hub = "tcp+aln://127.0.0.1:8001", engine = "nats://127.0.0.1:4222"] =
  process.argv.slice(2);
const services = list.split(",");

const router = new Router(`inbox-${crypto.randomUUID().slice(0, 4)}`);
const nats = await connectNats(engine, router.address);
const store = await openStore(nats, services, ANSWER_TIMEOUT + PAUSE).catch((error: Error) => {
  console.error(`Cannot store letters: ${error.message}`);
  process.exit(1);
});

/** Hands on what waits for a service, for as long as the program runs. */
async function deliver(service: string): Promise<void> {
  while (!router.signal.aborted) {
    await router.waitForService(service);
    const letter = await store.next(service);
    if (letter === null) continue;
    try {
      await router.request(service, letter.data, { timeout: ANSWER_TIMEOUT });
      await letter.ackAck(); // Not before: who dies here has it delivered twice, never not at all.
      console.log(`"${service}" has taken ${letter.seq}`);
    } catch (error) {
      letter.nak(PAUSE);
      console.log(printable(`${letter.seq} waits for "${service}": ${(error as Error).message}`));
    }
  }
}

function offer(): void {
  for (const service of services) {
    router.registerService(`inbox.${service}`, async ({ data }) => {
      const { seq, duplicate } = await store.put(service, readLetter(data).id, data);
      console.log(`${seq} for "${service}" is ${duplicate ? "here already" : "stored"}`);
      return `${seq}`;
    });
  }
}

dial(router, hub, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`inbox joined ${hub}`);
  else if (error !== undefined) console.error(`inbox: ${(error as Error).message}`);
});
process.on("SIGINT", async () => {
  await router.close();
  await nats.drain();
  process.exit(0);
});
for (const service of services) {
  deliver(service).catch((error) => {
    if (!router.signal.aborted) throw error;
  });
}
await offerWhileConnected(router, nats, services.map((service) => `inbox.${service}`), offer);
