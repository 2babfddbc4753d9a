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
  const { Deno, Bun, process, navigator } = platform;
  if (Deno?.version?.deno) return `Deno ${Deno.version.deno}`;
  if (Bun?.version) return `Bun ${Bun.version}`;
  if (process?.versions?.node) return `Node ${process.versions.node}`;
  for (const [name, pattern] of BROWSERS) {
    const version = pattern.exec(navigator?.userAgent ?? "")?.[1];
    if (version !== undefined) return `${name} ${version}`;
  }
  return "unknown";
}
