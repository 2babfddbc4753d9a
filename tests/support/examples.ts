/**
 * What the tests of the examples share.
 *
 * @module
 */

import { Router } from "../../mod.ts";
import { connect } from "../../src/runtime/net.ts";
import { Program, ROOT } from "./process.ts";
import type { Runtime } from "./process_runtimes.ts";

/** How long a test of an example may take, in ms. */
export const TIMEOUT = 60_000;

/** The commands that a file's header shows for a runtime. */
export function shownCommands(file: string, runtime: Runtime): string[][] {
  const header = Deno.readTextFileSync(ROOT + file).split("*/")[0]!;
  return [...header.matchAll(/^ \* {5}(deno|bun|node) (.+)$/gm)]
    .filter(([, name]) => name === runtime.name)
    .map(([, , args]) => [runtime.path, ...args!.split(" ")]);
}

/** Starts an example as its header says, but with arguments of our own. */
export function startExample(file: string, runtime: Runtime, ...args: string[]): Program {
  const [command] = shownCommands(file, runtime);
  return new Program(...command!.slice(0, command!.indexOf(file) + 1), ...args);
}

/** The status of a path that is sent as it stands: `fetch` would tidy it, and some headers. */
export async function rawStatus(
  page: string,
  path: string,
  headers: string[] = ["Connection: close"],
): Promise<number> {
  const { hostname, port, host } = new URL(page);
  using conn = await Deno.connect({ hostname, port: Number(port) });
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...headers, "", ""];
  await conn.write(new TextEncoder().encode(lines.join("\r\n")));
  const buffer = new Uint8Array(100);
  const answer = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
}

/** The status that a page from some origin gets when it asks for a WebSocket. */
export function upgradeStatus(page: string, origin: string): Promise<number> {
  return rawStatus(page, "/", [
    ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ...["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", `Origin: ${origin}`],
  ]);
}

/** A router of this process, linked to a hub. */
export async function guest(address: string, url: string): Promise<Router> {
  const router = new Router(address);
  router.addChannel(await connect(url));
  return router;
}

/** The hub of a home that is ready. */
export interface RunningHub {
  program: Program;
  /** What devices join. */
  tcp: string;
  /** Where its page is. */
  page: string;
}

/** Starts an example that devices join over TCP and that serves a page, and waits for both. */
export async function startHub(
  file: string,
  runtime: Runtime,
  ports: { tcp?: string; http?: string } = {},
): Promise<RunningHub> {
  const { tcp = "0", http = "0" } = ports;
  const program = startExample(
    file,
    runtime,
    `tcp+aln://127.0.0.1:${tcp}`,
    `ws://127.0.0.1:${http}`,
  );
  const [, joined] = await program.line(/ join (tcp\+aln:\S+)$/);
  const [, page] = await program.line(/ at (http:\S+)$/);
  return { program, tcp: joined!, page: page! };
}
