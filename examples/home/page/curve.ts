/**
 * {@linkcode addToCurve}: the latest readings, as a line.
 *
 * @module
 */

/** Readings in a curve. */
const LENGTH = 30;

/** The least that its height stands for. */
const SPAN = 1;

const readings: WeakMap<Element, number[]> = new WeakMap();

/** Adds a reading at the right end, and drops the oldest. The line's view box is 29 by 20. */
export function addToCurve(line: SVGPolylineElement, reading: number): void {
  const values = [...readings.get(line) ?? [], reading].slice(-LENGTH);
  readings.set(line, values);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = Math.max(SPAN, most - least);
  const top = (least + most + span) / 2;
  const first = LENGTH - values.length;
  const points = values.map((value, i) => `${first + i},${20 * (top - value) / span}`);
  line.setAttribute("points", points.join(" "));
}
