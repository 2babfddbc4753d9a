/**
 * What the driver and the routers' processes say to each other: JSON, one message to a line.
 *
 * @module
 */

import type { Ends } from "../load/tally.ts";

/** How a process is to begin: its first argument. */
export interface Beginning {
  /** Its router's address. */
  address: string;
  /** Names this life: no other has the same. */
  life: string;
  /** All chance in it comes from this. */
  seed: number;
  /** Where it links to, again whenever a link is lost. */
  dials: string[];
  /** When it ends by itself at the latest, in ms from its start: whoever started it may be gone. */
  limit: number;
}

/** What a process is told. */
export type Command =
  /** Let applications do something. */
  | { do: "work" }
  /** Let them do nothing more. */
  | { do: "pause" }
  /** Nothing has been wrong from now on, and all know all. */
  | { do: "calm" }
  /** Say what is known. */
  | { do: "look" }
  /** Call everybody, and say who answers. */
  | { do: "call" }
  /** Say what is left, and how large the heap is once the garbage is gone. */
  | { do: "check" }
  /** Leave in order, and end. */
  | { do: "leave" };

/** What a process says. */
export type Report =
  /** It runs, and listens on these ports. */
  | { is: "ready"; tcp: number; ws: number }
  /** All that it has counted until now, and what should not have happened since it last said so. */
  | {
    is: "tally";
    ends: Ends;
    counts: Record<string, number>;
    violations: string[];
    rss: number;
  }
  /** Who can be reached, and who offers what, its own services included. */
  | { is: "known"; routes: string[]; services: string[] }
  /** The lives that answer, by address. */
  | { is: "called"; lives: Record<string, string> }
  /** What is left, in words, and the heap in use, in bytes. */
  | { is: "checked"; left: string[]; heap: number }
  /** It has left; the time that took, in ms. */
  | { is: "left"; took: number };

/** The kinds of report. */
export type ReportKind = Report["is"];

/** A report of some kind. */
export type ReportOf<Kind extends ReportKind> = Extract<Report, { is: Kind }>;

/** Puts chunks of text together to lines. */
export class Lines {
  #rest: string = "";

  /** Takes a chunk, and returns the lines that it completes. */
  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop()!;
    return lines;
  }
}
