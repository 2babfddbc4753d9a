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

/** Advertised by who is full, or about to leave. */
export const FULL = 65_535;

/**
 * Chooses from all instances of a service those that may be offered in an area, and by the best way
 * alone: through the fewest areas; of equals, where there is room; of equals, the lowest in rank.
 *
 * @param rank Of a way, by which borders that have the same choice make different ones.
 * @returns `null` if there is none that has not come through that area already.
 */
export function choose<From extends Source>(
  sources: Iterable<From>,
  into: string,
  rank: (path: Path) => number,
): Choice<From> | null {
  const ways = new Map<string, { path: Path; sources: From[]; room: boolean }>();
  let shortest = MAX_DEPTH;
  for (const source of sources) {
    const path = [source.area, ...source.path];
    if (path.length > shortest || new Set(path).size < path.length || path.includes(into)) continue;
    if (path.length < shortest) ways.clear();
    shortest = path.length;
    const key = JSON.stringify(path);
    const way = ways.get(key);
    if (way === undefined) ways.set(key, { path, sources: [source], room: source.load < FULL });
    else {
      way.sources.push(source);
      way.room ||= source.load < FULL;
    }
  }
  const all = [...ways.values()];
  const roomy = all.filter(({ room }) => room);
  let best: Choice<From> | null = null;
  let least = Infinity;
  for (const way of roomy.length > 0 ? roomy : all) {
    const order = rank(way.path);
    if (order < least) [best, least] = [way, order];
  }
  return best;
}
