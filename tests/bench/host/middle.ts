/**
 * What stands in the middle: each contender's relay or server, as a process of its own.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freeLowPort } from "../../support/free_ports.ts";
import { Child, type Runtime } from "./child.ts";

/** The contenders: us, the control, and servers that everybody knows. */
export type SystemName = "ours" | "bytes" | "nats" | "mosquitto" | "redis";

/** What they speak over. */
export type Transport = "tcp" | "ws";

/** A relay or server that listens. */
export interface Middle {
  child: Child;
  port: number;
  /** Messages that it has dropped; 0 if it does not tell. */
  drops(): Promise<number>;
  end(): Promise<void>;
}

/** Starts one. */
export function startMiddle(
  system: SystemName,
  runtime: Runtime,
  transport: Transport = "tcp",
): Promise<Middle> {
  switch (system) {
    case "ours":
      return startProcess(runtime, "relay_ours.ts", {
        url: `${transport === "ws" ? "ws" : "tcp+aln"}://127.0.0.1:0`,
      });
    case "bytes":
      return startProcess(runtime, "relay_bytes.ts", {});
    case "nats":
      return startNats(transport);
    case "mosquitto":
      return startMosquitto();
    case "redis":
      return startRedis();
  }
}

/** One of the files in `process/`. */
export async function startProcess(runtime: Runtime, file: string, args: object): Promise<Middle> {
  const child = Child.run(runtime, file);
  const { port } = await child.ask<{ port: number }>("listen", args);
  return { child, port, drops: () => child.ask<number>("drops"), end: () => child.end() };
}

async function startNats(transport: Transport): Promise<Middle> {
  const port = await freeLowPort();
  const main = transport === "tcp" ? port : await freeLowPort();
  const websocket = transport === "ws"
    ? `websocket { listen: "127.0.0.1:${port}", no_tls: true, compression: false }\n`
    : "";
  const config = `listen: "127.0.0.1:${main}"\nmax_payload: 1048576\n${websocket}`;
  return await startServer("nats-server", port, config, (path) => ["-c", path], /Server is ready/);
}

async function startMosquitto(): Promise<Middle> {
  const port = await freeLowPort();
  const config = `listener ${port} 127.0.0.1\nallow_anonymous true\n` +
    "max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\n";
  return await startServer("mosquitto", port, config, (path) => ["-c", path], / running/);
}

async function startRedis(): Promise<Middle> {
  const port = await freeLowPort();
  const config = `bind 127.0.0.1\nport ${port}\nsave ""\nappendonly no\n`;
  const ready = /Ready to accept connections/;
  return await startServer("redis-server", port, config, (path) => [path], ready);
}

/** Starts a server that is configured by a file, and waits until it says that it is ready. */
async function startServer(
  command: string,
  port: number,
  config: string,
  args: (path: string) => string[],
  ready: RegExp,
): Promise<Middle> {
  const folder = await mkdtemp(join(tmpdir(), "aln-bench-"));
  const path = join(folder, "server.conf");
  await writeFile(path, config);
  let isReady = () => {};
  const listening = new Promise<void>((resolve) => isReady = resolve);
  const child = new Child(command, args(path), (line) => {
    if (ready.test(line)) isReady();
  });
  const end = async () => {
    await child.end();
    await rm(folder, { recursive: true });
  };
  const failed = child.ended.then(() => "ended" as const);
  if (await Promise.race([listening, failed]) === "ended") {
    await end();
    throw new Error(`Cannot start ${command}: it has ended at once`);
  }
  return { child, port, drops: () => Promise.resolve(0), end };
}
