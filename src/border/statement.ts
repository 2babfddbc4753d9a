/**
 * What a border says of the services that it offers in an area, to other borders that ask: JSON in
 * UTF-8, which is checked, for whoever has sent it may be anybody.
 *
 * Pure functions. Source: src/border/README.md.
 *
 * @module
 */

import { MAX_NAME_SIZE } from "../wire/limits.ts";
import { MAX_DEPTH, type Path } from "./paths.ts";

/** The service by which borders tell each other what they offer. No other router has it. */
export const BORDER_SERVICE = "aln.border";

/** The most services that one statement may name: far more than a router may offer. */
const MAX_SERVICES = 4_096;

/** What has changed; the first statement tells all. */
export interface Statement {
  /** What the border calls the area in which it says this. */
  readonly area: string;
  /** Services, and the areas that their calls are carried through; none for the program's own. */
  readonly set: readonly (readonly [service: string, path: Path])[];
  /** Services that are offered no more. */
  readonly gone: readonly string[];
}

/** Writes a statement. */
export function writeStatement({ area, set, gone }: Statement): string {
  return JSON.stringify({ area, set, gone });
}

/** Reads a statement; `null` if it is none. A later version may say more. */
export function readStatement(text: string): Statement | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { area, set, gone } = value as Record<string, unknown>;
  if (!isName(area) || !isList(set) || !isList(gone)) return null;
  if (!set.every(isOffer) || !gone.every(isName)) return null;
  return { area, set, gone };
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length <= MAX_SERVICES;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_NAME_SIZE;
}

function isOffer(value: unknown): value is [string, string[]] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [service, path] = value;
  return isName(service) && Array.isArray(path) && path.length <= MAX_DEPTH && path.every(isName);
}
