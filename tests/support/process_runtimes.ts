/**
 * The runtimes that the examples are run with: Deno, which runs the tests, and Bun and Node if they
 * can be found. `ALN_BUN`, `ALN_NODE` and `ALN_NODE22` say where; else Bun and Node are looked for
 * on the `PATH`; and where nothing may be skipped, npm fetches what is missing.
 *
 * @module
 */

/** A runtime for TypeScript programs. */
export interface Runtime {
  /** As in "deno run examples/client.ts". */
  name: "deno" | "bun" | "node";
  /** The same, for people; if it is not there, also how to change that. */
  label: string;
  /** The program itself; empty if it is not there. */
  path: string;
  /** The program and its arguments, but for the script. */
  run: string[];
  /** Whether what is to run with it is skipped. */
  skip: boolean;
}

/** This is it. */
export const deno: Runtime = {
  name: "deno",
  label: "Deno",
  path: Deno.execPath(),
  run: [
    Deno.execPath(),
    "run",
    "--allow-net",
    "--allow-read=mod.ts,src,examples/browser",
  ],
  skip: false,
};

/** Bun, two of Node's, and Deno. */
export const runtimes: Runtime[] = [
  deno,
  await find("bun", "Bun", "ALN_BUN", { npm: "bun@1.4.5", since: [1, 4] }),
  await find("node", "Node", "ALN_NODE", { npm: "node@24", since: [22, 18] }),
  await find("node", "Node 22", "ALN_NODE22", { npm: "node@22", since: [22, 18], below: 23 }),
];

async function find(
  name: "bun" | "node",
  label: string,
  variable: string,
  { npm, since, below = Infinity }: { npm: string; since: number[]; below?: number },
): Promise<Runtime> {
  const fits = async (path: string): Promise<boolean> => {
    const version = path && await output(path, "--version");
    const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(version)?.map(Number) ?? [0, 0, 0];
    if (major! >= below) return false;
    return major! > since[0]! || major === since[0] && minor! >= since[1]!;
  };
  const given = Deno.env.get(variable) ?? "";
  let path = given || name;
  if (!await fits(path)) path = "";
  if (!path && Deno.env.get("ALN_SKIP_NOTHING")) {
    path = await output("npx", "-y", "-p", npm, "-c", `command -v ${name}`);
    if (!await fits(path)) throw new Error(`Cannot find ${label}, and npm has no ${npm}`);
  }
  const help = `needs ${since.join(".")} or newer: npm install -g ${npm}, or set ${variable}`;
  return {
    name,
    label: path ? label : `${label} (skipped: ${help})`,
    path,
    run: name === "bun" ? [path, "run"] : [path],
    skip: path === "",
  };
}

/** What a program prints, trimmed; nothing if it fails. */
export async function output(command: string, ...args: string[]): Promise<string> {
  try {
    const program = new Deno.Command(command, { args, stdin: "null", stderr: "null" });
    const { success, stdout } = await program.output();
    return success ? new TextDecoder().decode(stdout).trim() : "";
  } catch {
    return "";
  }
}
