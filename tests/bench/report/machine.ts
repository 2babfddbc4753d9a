/**
 * What the figures were measured on.
 *
 * @module
 */

import { arch, cpus, loadavg, platform, totalmem } from "node:os";

/** In a sentence. */
export function machine(): string {
  const [first, ...others] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const model = first?.model.trim() || "unknown";
  return `${others.length + 1} × ${model}, ${memory} GiB, ${platform()} ${arch()}`;
}

/** How busy it has been for a minute, with whatever else it does. */
export function load(): string {
  return loadavg()[0]!.toFixed(1);
}
