/**
 * A machine at the edge, behind whatever NAT: it dials out to a hub, and again whenever the link is
 * lost. Callers may run the commands in `commands.ts` here, each a service, and nothing else.
 *
 *     deno run -N -E=ALN_KEY,NODE_V8_COVERAGE --allow-run=uptime,df,vmstat examples/edge/edge.ts
 *     bun run examples/edge/edge.ts
 *     node examples/edge/edge.ts
 *
 * The network's key is in the variable ALN_KEY; the other one is what `spawn` looks at in Deno. The
 * edge's name is its first argument, by default `shed`, and another hub than this machine's the
 * second, such as `wss://hub.example.org`.
 *
 * @module
 */

import process from "node:process";
import { type Registration, Router } from "../../mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { COMMANDS, run } from "./commands.ts";
import { networkKey } from "./network_key.ts";

const MOST_AT_ONCE = 4; // Processes of each command.

const [name = "shed", hub = "ws://127.0.0.1:8080"] = process.argv.slice(2);

const router = new Router(name, { networkKey: networkKey() });
for (const [service, command] of Object.entries(COMMANDS)) {
  const offer: Registration = router.registerService(
    service,
    async function* ({ src }, _reply, { signal }) {
      if (offer.calls > MOST_AT_ONCE) throw new RangeError("it runs too often already");
      console.log(printable(`${name} runs "${service}" for ${src}`));
      try {
        for await (const part of run(command, signal)) yield JSON.stringify(part);
      } finally {
        console.log(`${name} ${signal.aborted ? "has stopped" : "has run"} "${service}"`);
      }
    },
  );
}

const dialer = dial(router, hub, { maxDelay: 10_000 });
dialer.addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`${name} joined ${hub}`);
  else if (error !== undefined) console.error(`${name}: ${(error as Error).message}`);
});
dialer.closed.then((error) => process.exit(error === undefined ? 0 : 1)); // A wrong key, say.
process.on("SIGINT", () => router.close());
