/**
 * What others have made: their servers, if they are on this machine, and their clients from npm, in a
 * temporary folder.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { run } from "../../support/toolchain.ts";

/** Pinned, so that figures can be compared. */
const CLIENTS = ["@nats-io/transport-node@3.4.0", "mqtt@5.16.0", "ioredis@6.0.0"];

/** Where Debian puts servers, which is not on everybody's PATH. */
const SERVERS = "/usr/sbin";

/** The servers, and what has each tell its version. */
const PROGRAMS = [
  ["nats-server", "--version"],
  ["mosquitto", "-h"],
  ["redis-server", "--version"],
] as const;

/** What was found. */
export interface Packages {
  /** Servers that can be started, by name. */
  servers: Set<string>;
  /** Folder in which the clients are, or `null`. */
  clients: string | null;
  /** Of all that was found. */
  versions: string[];
  /** What is missing, and what to do about it. */
  missing: string[];
  /** Removes the folder. */
  remove(): Promise<void>;
}

/** Looks for servers, and fetches the clients if they are wanted. */
export async function findPackages(wantsClients: boolean): Promise<Packages> {
  process.env.PATH += `${delimiter}${SERVERS}`;
  const missing: string[] = [];
  const servers = new Set<string>();
  const versions: string[] = [];
  for (const [name, argument] of PROGRAMS) {
    const { stdout } = await run(name, [argument], { timeout: 10_000 });
    const [version] = /\d+\.\d+\.\d+/.exec(stdout) ?? [];
    if (version !== undefined) {
      servers.add(name);
      versions.push(`${name} ${version}`);
    } else missing.push(`${name} is not installed, and left out (apt-get install ${name})`);
  }
  if (!wantsClients || servers.size === 0) {
    return { servers, clients: null, versions, missing, remove: () => Promise.resolve() };
  }
  const folder = await mkdtemp(join(tmpdir(), "aln-bench-"));
  await writeFile(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...CLIENTS];
  const { code } = await run("npm", args, { cwd: folder });
  if (code === 0) versions.push(...CLIENTS);
  else missing.push("npm cannot fetch the clients of NATS, MQTT and Redis: left out");
  return {
    servers,
    clients: code === 0 ? folder : null,
    versions,
    missing,
    remove: () => rm(folder, { recursive: true }),
  };
}
