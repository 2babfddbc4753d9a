/**
 * One destination: which way leads there now, and how near we have said that we are to it.
 *
 * @module
 */

import type { Neighbour } from "./neighbour.ts";

/** How near we have said that we are, to one origin's word. */
export interface Source {
  /** The origin, signed. */
  origin: number;
  /** The newest sequence number that we have passed on. */
  seq: number;
  /** The lowest cost, as told, that we have passed on with it. */
  cost: number;
  /** When it was last of use, in seconds. */
  usedAt: number;
}

/** A search for a usable route, or somebody else's that passes through us. */
export interface Search {
  /** Whether it is ours: there is no usable route, and packets wait. */
  starving: boolean;
  /** How often we have asked. */
  tries: number;
  /** When we shall ask next, in ms; `Infinity` if no more. */
  askAt: number;
  /** The origin and number last asked for, and when, in ms. */
  origin: number;
  seq: number;
  askedAt: number;
  /** Neighbours that have asked us, and have had no answer. */
  requesters: Set<Neighbour>;
  /** When we may next ask for a better route, in ms, and whether we are about to. */
  betterAt: number;
  betterDue: boolean;
}

/** What the border to old peers keeps of a destination. */
export interface Border {
  /** From when hearsay of old peers may be used, in ms. */
  adoptAt: number;
  /** Until when no old peer is told of it, in ms. */
  blockedUntil: number;
  /** When we shall see whether old peers must be told that it is lost or further away. */
  checkAt: number;
  /** How long the next offer after a withdrawal waits, in ms, and since when. */
  backOff: number;
  backOffAt: number;
}

/** One destination. */
export class Destination {
  /** Its address. */
  readonly address: string;
  /** Its number in every ledger. */
  readonly id: number;
  /** Neighbours that offer it, whether or not that is usable. */
  offers: number = 0;

  /** The neighbour in use; `null` if there is none. */
  selected: Neighbour | null = null;
  /** Our distance; 0 while there is no way. */
  cost: number = 0;
  /** Whose word the route is, signed, and its sequence number. */
  origin: number = 0;
  seq: number = 0;
  /** Whether the way is an old peer's hearsay. */
  hearsay: boolean = false;

  /** Sources but for the first, which most destinations have alone. */
  source: Source | null = null;
  moreSources: Source[] | null = null;
  /** The latest native origin seen: earlier lives of the destination are not believed. */
  newest: number = 0;
  /** Our own sequence number when we speak for it. */
  proxySeq: number = 0;

  /** Searches; `null` if there have been none lately. */
  search: Search | null = null;
  /** What the border keeps; `null` if no old peer has to do with it. */
  border: Border | null = null;

  /** Changes told since `changesAt`, in seconds; whether news wait until it is calmer. */
  changes: number = 0;
  changesAt: number = 0;
  calming: boolean = false;
  /** When a new sequence number was last passed on by itself, in seconds. */
  refreshedAt: number = 0;

  /** Constructs a new instance. */
  constructor(address: string, id: number) {
    this.address = address;
    this.id = id;
  }
}
