/**
 * The built-in modules of Deno, Bun and Node, asked for at run time: nothing names `node:` in an
 * import of a value, so that bundlers for browsers never see it, and a page loads nothing for it.
 *
 * @module
 */

/** The built-in modules that are used. */
interface Builtins {
  "node:dgram": typeof import("node:dgram");
  "node:http": typeof import("node:http");
  "node:https": typeof import("node:https");
  "node:net": typeof import("node:net");
  "node:os": typeof import("node:os");
  "node:tls": typeof import("node:tls");
}

/**
 * A built-in module of this runtime.
 *
 * @throws {TypeError} If this is no server-side runtime, or too old a one.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  const found = process?.getBuiltinModule?.(name);
  if (found === undefined) {
    throw new TypeError(
      `Cannot open sockets here: ${name} needs Deno, Bun, or Node 20.16 or newer`,
    );
  }
  return found as Builtins[Name];
}
