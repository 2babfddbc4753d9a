/**
 * Which runtime this is, for people.
 *
 * @module
 */

/** What tells runtimes apart. */
interface Platform {
  Deno?: { version?: { deno?: string } };
  Bun?: { version?: string };
  process?: { versions?: { node?: string } };
  navigator?: { userAgent?: string };
}

/** What browsers call themselves; each also claims to be most of those after it. */
const BROWSERS: [name: string, pattern: RegExp][] = [
  ["Firefox", /\bFirefox\/(\d+)/],
  ["Edge", /\bEdg\/(\d+)/],
  ["Chrome", /\b(?:Headless)?Chrome\/(\d+)/],
  ["Safari", /\bVersion\/(\d+).*\bSafari\//],
];

/** Name and version, such as "Deno 2.9.6" or "Firefox 145"; "unknown" if it cannot be told. */
export function runtimeName(platform: Platform = globalThis as Platform): string {
  // One after the other: under Deno, a look at `process` loads it, and runs microtasks meanwhile.
  const deno = platform.Deno?.version?.deno;
  if (deno) return `Deno ${deno}`;
  const bun = platform.Bun?.version;
  if (bun) return `Bun ${bun}`;
  const node = platform.process?.versions?.node;
  if (node) return `Node ${node}`;
  const agent = platform.navigator?.userAgent ?? "";
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(agent)?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "unknown";
}
