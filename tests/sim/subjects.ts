/**
 * The networks that are measured, and the figures that they should keep to.
 *
 * @module
 */

import { grid, randomDegree, ring } from "../../src/testing/mod.ts";
import type { Measured, Subject } from "./figures.ts";

/** A figure: how it is called, and how it is written. */
export interface Row {
  title: string;
  key: keyof Measured;
  unit?: "ms" | "B/s" | "µs" | "B";
}

/** The figures, in the order in which they are shown. */
export const ROWS: readonly Row[] = [
  { title: "cold start: records per node", key: "coldRecords" },
  { title: "cold start: frames per node", key: "coldFrames" },
  { title: "cold start: all reach all", key: "coldReachable", unit: "ms" },
  { title: "cold start: all by the shortest way", key: "coldOptimal", unit: "ms" },
  { title: "link cut: records per node", key: "cutRecords" },
  { title: "link cut: all pairs connected again", key: "cutRestored", unit: "ms" },
  { title: "link cut: all by the shortest way again", key: "cutOptimal", unit: "ms" },
  { title: "node death: records per node", key: "deathRecords" },
  { title: "node death: all tables clean", key: "deathClean", unit: "ms" },
  { title: "node restart: records per node", key: "restartRecords" },
  { title: "partition: records per node", key: "partitionRecords" },
  { title: "heal: records per node", key: "healRecords" },
  { title: "loops formed", key: "loops" },
  { title: "feasible distances that rose", key: "rises" },
  { title: "ghost or missing routes at rest", key: "faults" },
  { title: "stretch at rest", key: "stretch" },
  { title: "probes lost across a cut", key: "probesLost" },
  { title: "idle control traffic per neighbour", key: "idleBytes", unit: "B/s" },
  { title: "a core alone: time for each record received", key: "recordTime", unit: "µs" },
  { title: "a core alone: memory for each destination", key: "heap", unit: "B" },
];

/** The most that a figure may be. */
export type Targets = Partial<Record<keyof Measured, number>>;

/** A network, and what it should keep to. */
export interface Case {
  subject: Subject;
  targets: Targets;
}

const NOTHING_WRONG: Targets = {
  loops: 0,
  rises: 0,
  faults: 0,
  probesLost: 0,
  recordTime: 3,
  heap: 400,
};

/** What is told of a route when it is refreshed, in bytes, and how often that is, in s. */
const REFRESH_BYTES = 17;
const REFRESH_PERIOD = 600;

/** Control traffic for each neighbour when nothing happens, in bytes a second. */
function idle(base: number, nodes: number): number {
  return base + nodes * REFRESH_BYTES / REFRESH_PERIOD;
}

/** The networks that are always measured. */
export const CASES: readonly Case[] = [
  {
    subject: { name: "ring-10", nodes: 10, topology: ring(10), seed: 1, events: 10, partitions: 3 },
    targets: {
      ...NOTHING_WRONG,
      ...{ coldRecords: 16, coldFrames: 10, coldReachable: 380, coldOptimal: 380 },
      ...{ cutRecords: 14, cutRestored: 465, cutOptimal: 500 },
      ...{ deathRecords: 11, deathClean: 400, restartRecords: 11 },
      ...{ partitionRecords: 8, healRecords: 13, stretch: 1.02, idleBytes: idle(60, 10) },
    },
  },
  {
    subject: {
      ...{ name: "grid-100", nodes: 100, topology: grid(10), seed: 1, events: 10, partitions: 2 },
    },
    targets: {
      ...NOTHING_WRONG,
      ...{ coldRecords: 390, coldFrames: 36, coldReachable: 780, coldOptimal: 780 },
      ...{ cutRecords: 7, cutRestored: 445, cutOptimal: 700 },
      ...{ deathRecords: 16, deathClean: 800, restartRecords: 15 },
      ...{ partitionRecords: 290, healRecords: 240, stretch: 1.0005, idleBytes: idle(60, 100) },
    },
  },
  {
    subject: {
      ...{ name: "random-100", nodes: 100, topology: randomDegree(100, 4, 1) },
      ...{ seed: 1, events: 10, partitions: 2 },
    },
    targets: {
      ...NOTHING_WRONG,
      ...{ coldRecords: 530, coldFrames: 30, coldReachable: 530, coldOptimal: 530 },
      ...{ cutRecords: 12, cutRestored: 325, cutOptimal: 900 },
      ...{ deathRecords: 20, deathClean: 900, restartRecords: 16 },
      ...{ partitionRecords: 460, healRecords: 550, stretch: 1.001, idleBytes: idle(60, 100) },
    },
  },
  {
    subject: {
      ...{ name: "random-1000", nodes: 1_000, topology: randomDegree(1_000, 4, 1) },
      ...{ seed: 1, events: 4, partitions: 1 },
    },
    targets: {
      ...NOTHING_WRONG,
      ...{ coldRecords: 5_700, coldFrames: 40, coldReachable: 700, coldOptimal: 700 },
      ...{ cutRecords: 16, cutRestored: 325, cutOptimal: 1_000 },
      ...{ deathRecords: 60, deathClean: 1_100, restartRecords: 37 },
      ...{ partitionRecords: 6_300, healRecords: 7_500, stretch: 1.0005, idleBytes: 90 },
    },
  },
];

/** Of the large network's nodes, those that advertise themselves. */
const LARGE = 10_000;
const ORIGINS = 200;

/** What was aimed at if all of them did, for as many as do. */
function shared(records: number): number {
  return records * ORIGINS / LARGE;
}

/** A network that takes minutes and gigabytes. */
export function largeCase(): Case {
  return {
    subject: {
      ...{ name: `random-${LARGE}, ${ORIGINS} advertised`, nodes: LARGE, origins: ORIGINS },
      ...{ topology: randomDegree(LARGE, 4, 1), seed: 1, events: 1, partitions: 0 },
    },
    targets: {
      ...NOTHING_WRONG,
      ...{ coldRecords: shared(61_000), coldFrames: 50, coldReachable: 900, coldOptimal: 900 },
      ...{ cutRecords: 15, cutRestored: 330, cutOptimal: 1_300 },
      ...{ deathRecords: 55, deathClean: 1_100, restartRecords: 36, stretch: 1.0005 },
      ...{ idleBytes: 350 },
    },
  };
}
