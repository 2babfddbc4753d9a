/**
 * What a case of the benchmark is.
 *
 * @module
 */

import type { Child, Runtime } from "../host/child.ts";
import { cpuTime } from "../host/cpu.ts";
import type { Packages } from "../host/packages.ts";

/** Figures of one run, by the keys of the case's columns. */
export type Figures = Record<string, number>;

/** One of the figures. */
export interface Column {
  key: string;
  /** With its unit. */
  title: string;
  /** Whether more is better; else less is. */
  more: boolean;
}

/** What one run needs. */
export interface Context {
  /** The contender's. */
  runtime: Runtime;
  /** Where loaders and sinks run that only count bytes: the same for all contenders. */
  ends: Runtime;
  packages: Packages;
  /** How long to run before measuring, and for a measurement, in ms. */
  warmUp: number;
  duration: number;
  /** Whether it is about ratios, in little time. */
  quick: boolean;
  /** Payload sizes to measure, in bytes; by default each case's own. */
  sizes: number[] | null;
}

/** One contender in one row. */
export interface Contender {
  /** Such as "nats". */
  system: string;
  /** Runs once; everything that it starts has ended when it settles. */
  run(): Promise<Figures>;
}

/** Contenders that are measured one after the other, again and again. */
export interface Row {
  /** What is the same for all of them, such as "64 B". */
  what: string;
  contenders: Contender[];
}

/** A case. */
export interface Case {
  name: string;
  title: string;
  columns: Column[];
  /** The system that all others are set in relation to, where it takes part. */
  control: string;
  rows(context: Context): Row[];
}

/** What a stretch of time has cost a process, and whoever is counted with it. */
export class Meter {
  readonly #children: Child[];
  #before: number[] = [];

  /** Constructs a new instance. */
  constructor(...children: Child[]) {
    this.#children = children;
  }

  start(): void {
    this.#before = this.#children.map(({ pid }) => cpuTime(pid));
  }

  /** CPU time of each since the start, in µs. */
  stop(): number[] {
    return this.#children.map(({ pid }, i) => cpuTime(pid) - this.#before[i]!);
  }
}

/** Lets a contender run. */
export function sleep(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/** A size as people write it. */
export function sizeName(size: number): string {
  return size < 1_024 ? `${size} B` : `${size / 1_024} KiB`;
}

/** Ends everything that was started, whatever came of it. */
export async function endAll(started: { end(): Promise<void> }[]): Promise<void> {
  await Promise.all(started.map((one) => one.end()));
}
