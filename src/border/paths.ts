/**
 * Which ways a border uses, and what it says of them: the rule by which no summary comes back.
 *
 * Pure functions. Source: src/border/README.md, "Why nothing comes back".
 *
 * @module
 */

/** The most areas that a summary may have come through. */
export const MAX_DEPTH = 8;

/** Areas, the nearest first. */
export type Path = readonly string[];

/** One instance of a service, in one of our areas. */
export interface Source {
  /** The area. */
  readonly area: string;
  /** Address of the instance there. */
  readonly host: string;
  /** The load that it advertises. */
  readonly load: number;
  /** Areas that its calls are carried through after that one; none if it serves them itself. */
  readonly path: Path;
}

/** What to summarize. */
export interface Choice<From extends Source> {
  /** Areas that calls are carried through. */
  readonly path: Path;
  /** The instances whose calls go that way. */
  readonly sources: readonly From[];
}

/**
 * Chooses from all instances of a service those that may be offered in an area, and by the best way
 * alone: through the fewest areas, of equals by the first of their names.
 *
 * @returns `null` if there is none that has not come through that area already.
 */
export function choose<From extends Source>(
  sources: Iterable<From>,
  into: string,
): Choice<From> | null {
  let best: { path: Path; sources: From[] } | null = null;
  for (const source of sources) {
    const path = [source.area, ...source.path];
    if (path.length > MAX_DEPTH || new Set(path).size < path.length || path.includes(into)) {
      continue;
    }
    const order = best === null ? -1 : compare(path, best.path);
    if (order < 0) best = { path, sources: [source] };
    else if (order === 0) best!.sources.push(source);
  }
  return best;
}

/** Below 0 if the first path is the better one, 0 if they are the same. */
function compare(one: Path, other: Path): number {
  if (one.length !== other.length) return one.length - other.length;
  for (const [i, area] of one.entries()) {
    if (area !== other[i]) return area < other[i]! ? -1 : 1;
  }
  return 0;
}
