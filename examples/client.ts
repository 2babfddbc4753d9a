/**
 * A mesh client: finds the service `ping`, calls it, and prints how long that took.
 *
 *     deno run --allow-net examples/client.ts tcp+aln://127.0.0.1:8001
 *     deno run --allow-net examples/client.ts ws://127.0.0.1:8080
 *     bun run examples/client.ts tcp+aln://127.0.0.1:8001
 *     node examples/client.ts tcp+aln://127.0.0.1:8001
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { connect } from "../src/runtime/net.ts";

const url = process.argv[2] ?? "tcp+aln://127.0.0.1:8001";

const router = new Router(`client-${crypto.randomUUID().slice(0, 4)}`);
try {
  router.addChannel(await connect(url));
  const found = await router.waitForService("ping", { signal: AbortSignal.timeout(5_000) });

  const start = performance.now();
  const answer = await router.request("ping", "hello");
  const took = (performance.now() - start).toFixed(1);
  console.log(`${found} answered "${answer.text()}" in ${took} ms`);
} catch (error) {
  console.error(`Cannot ping ${url}: ${(error as Error).message}`);
  console.error("Is a server running there? Start one with: deno task start");
  process.exitCode = 1;
} finally {
  await router.close();
}
