/**
 * A mesh client as a process of its own, for tests: JSON lines in, JSON lines out.
 *
 *     deno run --allow-net tests/support/process_client.ts ADDRESS URL
 *
 * Or with `bun run`, or `node`.
 *
 * It connects, offers `upper` (answers in capitals) and `hang` (never answers) under its own
 * address, finds `ping`, and says how long that took. Each line of input is a call:
 * `{ service, data?, dst? }`. It leaves when its input ends.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { connect } from "../../src/runtime/net.ts";

/** What it prints, one to a line. */
export type Report =
  | { kind: "found"; address: string; took: number }
  | { kind: "asked"; service: string; by: string }
  | { kind: "answer"; service: string; text: string; took: number }
  | { kind: "error"; service: string; name: string; code: string; took: number }
  | { kind: "service"; service: string; address: string; capacity: number };

/** What it reads, one to a line. */
export interface CallCommand {
  service: string;
  data?: string;
  dst?: string;
}

const say = (report: Report): void => console.log(JSON.stringify(report));

async function main(address: string, url: string): Promise<void> {
  const router = new Router(address);
  router.addEventListener("service", ({ service, address, capacity }) => {
    say({ kind: "service", service, address, capacity });
  });
  router.registerService(`upper-${address}`, (packet, reply) => {
    reply(packet.text().toUpperCase());
  });
  router.registerService(`hang-${address}`, ({ src, srv }) => {
    say({ kind: "asked", service: srv, by: src });
  });

  const start = performance.now();
  router.addChannel(await connect(url));
  const found = await router.waitForService("ping", { signal: AbortSignal.timeout(10_000) });
  say({ kind: "found", address: found, took: performance.now() - start });

  const calls: Promise<void>[] = [];
  let rest = "";
  for await (const text of process.stdin.setEncoding("utf8")) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) calls.push(call(router, JSON.parse(line)));
  }
  await Promise.all(calls);
  await router.close();
}

async function call(router: Router, { service, data, dst }: CallCommand): Promise<void> {
  const start = performance.now();
  const took = () => performance.now() - start;
  try {
    const answer = await router.request(service, data, { dst });
    say({ kind: "answer", service, text: answer.text(), took: took() });
  } catch (error) {
    const { name, code = "" } = error as Error & { code?: string };
    say({ kind: "error", service, name, code: String(code), took: took() });
  }
}

const [, , address, url] = process.argv;
await main(address!, url!);
