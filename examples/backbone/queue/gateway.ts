/**
 * A gateway from the mesh to workers behind NATS: one service here, a queue group there, with any
 * number of workers in any language, none of which knows of the mesh.
 *
 *     deno run --allow-net examples/backbone/queue/gateway.ts resize
 *     bun run examples/backbone/queue/gateway.ts resize
 *     node examples/backbone/queue/gateway.ts resize
 *
 * The argument is the service, and the end of the subject `work.resize`. What it joins are the second
 * argument and the third, by default `tcp+aln://127.0.0.1:8001` and `nats://127.0.0.1:4222`.
 *
 * @module
 */

import process from "node:process";
import { type Packet, Router, type ServiceCall } from "../../../mod.ts";
import { dial } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { connectNats } from "../nats.ts";
import { offerWhileConnected } from "../offer.ts";
import { NobodyWorks, replies } from "./replies.ts";

const SILENCE = 2_000; // ms after which a worker is given up.
const WORKERS_TRIED = 2; // Callers wait for 5 s.

const [service = "resize", hub = "tcp+aln://127.0.0.1:8001", engine = "nats://127.0.0.1:4222"] =
  process.argv.slice(2);

const router = new Router(`gateway-${crypto.randomUUID().slice(0, 4)}`);
const nats = await connectNats(engine, router.address);

/** Has a worker answer a call; or another one, if the first has not said a word. */
async function* work({ data, src }: Packet, _reply: unknown, { signal }: ServiceCall) {
  for (let tried = 1;; tried++) {
    let count = 0;
    try {
      for await (
        const reply of replies(nats, `work.${service}`, data, { signal, silence: SILENCE })
      ) {
        count++;
        yield reply;
      }
      return;
    } catch (error) {
      console.log(printable(`${src}: ${(error as Error).message}`));
      const final = count > 0 || tried === WORKERS_TRIED || error instanceof NobodyWorks;
      if (final || signal.aborted) throw error;
    }
  }
}

dial(router, hub, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`gateway joined ${hub}`);
  else if (error !== undefined) console.error(`gateway: ${(error as Error).message}`);
});
process.on("SIGINT", async () => {
  await router.close();
  await nats.drain();
  process.exit(0);
});
await offerWhileConnected(router, nats, [service], () => {
  router.registerService(service, work, { followCalls: true });
});
