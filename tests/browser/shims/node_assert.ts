/**
 * What the portable tests use of `node:assert/strict`, in a page.
 *
 * @module
 */

/** What an error is to be like: a class, a pattern of its text, its properties, or a check. */
type Expected = RegExp | ((error: unknown) => unknown) | Record<string, unknown>;

function assert(value: unknown, message: unknown = "It is not so"): void {
  if (value) return;
  throw message instanceof Error ? message : new Error(String(message));
}

function equal(actual: unknown, expected: unknown, message: unknown = ""): void {
  assert(Object.is(actual, expected), `${show(actual)} is not ${show(expected)}. ${message}`);
}

function deepEqual(actual: unknown, expected: unknown, message: unknown = ""): void {
  assert(same(actual, expected), `${show(actual)} is not like ${show(expected)}. ${message}`);
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Map || a instanceof Set) {
    return same([...a], [...b as typeof a]); // Node does not mind the order; our tests do not use it.
  }
  if (a instanceof Error && (a.message !== (b as Error).message || a.name !== (b as Error).name)) {
    return false;
  }
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Date) return Number(a) === Number(b);
  const keys = keysOf(a);
  if (keys.length !== keysOf(b).length) return false;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  return keys.every((key) =>
    Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key))
  );
}

function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value)
    .filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function fits(error: unknown, expected: Expected | undefined): boolean {
  if (expected === undefined) return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected === "function") {
    const isClass = expected === Error || expected.prototype instanceof Error;
    return isClass ? error instanceof expected : expected(error) === true;
  }
  return [
    ...new Set([...Object.keys(expected), ...expected instanceof Error ? ["message", "name"] : []]),
  ]
    .every((key) => {
      const actual = Reflect.get(Object(error), key);
      const wanted = expected[key];
      return wanted instanceof RegExp && typeof actual === "string"
        ? wanted.test(actual)
        : same(actual, wanted);
    });
}

function throws(body: () => unknown, expected?: Expected, message: unknown = ""): void {
  try {
    body();
  } catch (error) {
    return assert(fits(error, expected), `It throws ${show(error)}. ${message}`);
  }
  assert(false, `It does not throw. ${message}`);
}

async function rejects(
  body: Promise<unknown> | (() => Promise<unknown>),
  expected?: Expected,
  message: unknown = "",
): Promise<void> {
  try {
    await (typeof body === "function" ? body() : body);
  } catch (error) {
    return assert(fits(error, expected), `It rejects with ${show(error)}. ${message}`);
  }
  assert(false, `It does not reject. ${message}`);
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** The same names as Node's. */
export default Object.assign(assert, {
  deepEqual,
  equal,
  match: (text: string, pattern: RegExp, message: unknown = "") =>
    assert(pattern.test(text), `${show(text)} does not match ${pattern}. ${message}`),
  doesNotMatch: (text: string, pattern: RegExp, message: unknown = "") =>
    assert(!pattern.test(text), `${show(text)} matches ${pattern}. ${message}`),
  fail: (message: unknown = "It fails") => assert(false, message),
  notDeepEqual: (actual: unknown, expected: unknown, message: unknown = "") =>
    assert(!same(actual, expected), `${show(actual)} is like the other. ${message}`),
  notEqual: (actual: unknown, expected: unknown, message: unknown = "") =>
    assert(!Object.is(actual, expected), `${show(actual)} is the other. ${message}`),
  ok: assert,
  rejects,
  throws,
});
