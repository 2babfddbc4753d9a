/**
 * What repetitions come to.
 *
 * @module
 */

/** The middle of some figures; `NaN` of none. */
export function median(figures: number[]): number {
  const sorted = figures.filter((figure) => !Number.isNaN(figure)).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** How far figures lie apart: half of what is between the extremes, as a share of the median. */
export function spread(figures: number[]): number {
  const known = figures.filter((figure) => !Number.isNaN(figure));
  if (known.length < 2) return NaN;
  return (Math.max(...known) - Math.min(...known)) / 2 / median(known);
}

/** The median of ratios, each of two figures of the same repetition. */
export function ratio(figures: number[], controls: number[]): number {
  return median(figures.map((figure, i) => figure / (controls[i] ?? NaN)));
}

/** A share of the way through some figures: 0.5 is the median. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
