/**
 * What the portable tests use of `node:test`, in a page.
 *
 * @module
 */

/** How a test ended. */
export interface Result {
  name: string;
  /** What it threw; `null` if nothing. */
  error: string | null;
}

interface Options {
  timeout?: number;
  skip?: boolean | string;
}

interface Context {
  diagnostic(text: string): void;
  after(run: () => unknown): void;
}

type Body = (context: Context) => unknown;

const TIMEOUT = 30_000; // ms

const waiting: { name: string; options: Options; body: Body }[] = [];

/** Registers a test. */
export function test(name: string, ...rest: [Body] | [Options, Body]): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  waiting.push({ name, options, body });
}

/** Registers tests. */
export function describe(_name: string, body: () => void): void {
  body();
}

/** Runs what a module registers, one after another. */
export async function run(url: string): Promise<Result[]> {
  await import(url);
  const results: Result[] = [];
  for (const { name, options, body } of waiting.splice(0)) {
    if (options.skip) continue;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error("It takes too long")), options.timeout ?? TIMEOUT);
    });
    const cleanUps: (() => unknown)[] = [];
    const context = { diagnostic() {}, after: (run: () => unknown) => void cleanUps.push(run) };
    const whole = async () => {
      try {
        await body(context);
      } finally {
        for (const cleanUp of cleanUps.reverse()) await cleanUp();
      }
    };
    const error = await Promise.race([whole(), late])
      .then(() => null, (reason) => String((reason as Error)?.stack ?? reason));
    clearTimeout(timer);
    results.push({ name, error });
  }
  return results;
}
