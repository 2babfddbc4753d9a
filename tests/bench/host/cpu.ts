/**
 * What a process has cost, as the operating system counts it: of all its threads, user and system.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";

/** Ticks in a second, in which Linux tells times in `/proc/PID/stat`. */
const TICKS = 100;

/**
 * CPU time that a process has used since it began, in µs; `NaN` where the system does not tell it.
 * Threads that have ended are counted in ticks only, and so left out of the finer count.
 */
export function cpuTime(pid: number): number {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanoseconds += threadTime(pid, thread);
    }
    return nanoseconds > 0 ? nanoseconds / 1_000 : coarseTime(pid);
  } catch {
    return NaN; // Not Linux, or the process has ended.
  }
}

function threadTime(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  } catch {
    return 0; // It has ended since.
  }
}

function coarseTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // A name may hold anything.
  return (Number(fields[11]) + Number(fields[12])) * 1e6 / TICKS;
}

/** Memory of a process that is in RAM, in bytes; `NaN` where the system does not tell it. */
export function residentMemory(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return pages * 4_096;
  } catch {
    return NaN;
  }
}
