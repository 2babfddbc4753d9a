/**
 * What a command needs of the runtime that it runs in: one set of modules, which Deno, Bun and Node
 * all have.
 *
 * @module
 */

/** The modules that are used. */
interface Modules {
  "node:child_process": typeof import("node:child_process");
  "node:dgram": typeof import("node:dgram");
  "node:fs": typeof import("node:fs");
  "node:net": typeof import("node:net");
  "node:process": typeof import("node:process");
  "node:url": typeof import("node:url");
  "node:util": typeof import("node:util");
}

/**
 * A module of the runtime; see `builtin` in src/runtime, which does the same for sockets.
 *
 * @throws {TypeError} If this is a browser, or too old a runtime.
 */
export function platform<Name extends keyof Modules>(name: Name): Modules[Name] {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  const found = process?.getBuiltinModule?.(name);
  if (found === undefined) {
    throw new TypeError(`Cannot run here: ${name} needs Deno, Bun, or Node 20.16 or newer`);
  }
  return found as Modules[Name];
}

/** This process. */
export function thisProcess(): typeof import("node:process") {
  return platform("node:process");
}

/** An environment variable; `undefined` also where Deno was not allowed to read it. */
export function environment(name: string): string | undefined {
  try {
    return thisProcess().env[name] || undefined;
  } catch {
    return undefined; // Deno without --allow-env: nothing is set, then.
  }
}
