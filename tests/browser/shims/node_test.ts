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

type Body = (context: { diagnostic(text: string): void }) => unknown;

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
    const error = await Promise.race([Promise.resolve({ diagnostic() {} }).then(body), late])
      .then(() => null, (reason) => String((reason as Error)?.stack ?? reason));
    clearTimeout(timer);
    results.push({ name, error });
  }
  return results;
}
