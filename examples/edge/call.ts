/**
 * Runs a command on a machine at the edge, by way of the hub: prints its output as it comes, and
 * ends with its exit code. Ctrl-C ends the command, too.
 *
 *     deno run --allow-net --allow-env=ALN_KEY examples/edge/call.ts disk
 *     bun run examples/edge/call.ts disk
 *     node examples/edge/call.ts disk
 *
 * The network's key is in the variable ALN_KEY. Another hub than this machine's is the second
 * argument, such as `wss://hub.example.org`; the third names the machine, if there are several.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { networkKey } from "./network_key.ts";

const [service = "uptime", hub = "ws://127.0.0.1:8080", dst] = process.argv.slice(2);

const stop = new AbortController();
const onInterrupt = () => stop.abort();
process.on("SIGINT", onInterrupt);

const address = `caller-${crypto.randomUUID().slice(0, 4)}`;
const router = new Router(address, { networkKey: networkKey() });
process.exitCode = 1; // Unless we hear of another.
try {
  await dial(router, hub, { maxAttempts: 1 }).connected();
  const patience = AbortSignal.timeout(2_000);
  await router.waitForService(service, { signal: patience }).catch(() => {}); // The call says so.
  const output = router.stream(service, "", { dst, idle: Infinity, signal: stop.signal });
  for await (const packet of output) {
    const { line, code } = JSON.parse(packet.text());
    if (line !== undefined) console.log(printable(`${line}`, "\t"));
    else process.exitCode = Number(code);
  }
} catch (error) {
  if (stop.signal.aborted) process.exitCode = 130;
  else console.error(printable(`Cannot run "${service}": ${(error as Error).message}`));
} finally {
  await router.close();
  process.off("SIGINT", onInterrupt);
}
