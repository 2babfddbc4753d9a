/**
 * {@linkcode stripTypes}: TypeScript as JavaScript, by what the runtime itself has for that.
 *
 * @module
 */

/** What the runtimes have. */
interface Runtime {
  Bun?: { Transpiler: new (options: { loader: "ts" }) => { transformSync(code: string): string } };
  process?: {
    getBuiltinModule?(name: string): { stripTypeScriptTypes?: (code: string) => string };
    emitWarning: (...args: unknown[]) => void;
  };
}

/**
 * Takes the types out of a module. What it imports stays as it is written.
 *
 * @throws {TypeError} If the runtime has nothing for that: Node before 22.13.
 */
export function stripTypes(code: string): string {
  const { Bun, process } = globalThis as Runtime;
  if (Bun) return new Bun.Transpiler({ loader: "ts" }).transformSync(code);
  const strip = process?.getBuiltinModule?.("node:module").stripTypeScriptTypes;
  if (!process || !strip) {
    throw new TypeError("Cannot take types out of a module: that needs Node 22.13 or newer");
  }
  const { emitWarning } = process;
  process.emitWarning = () => {}; // Node says that this is an experiment. We know.
  try {
    return strip(code);
  } finally {
    process.emitWarning = emitWarning;
  }
}
