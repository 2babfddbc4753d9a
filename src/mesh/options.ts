/**
 * What a mesh can be told about itself, and about a link.
 *
 * @module
 */

import type { LinkPolicy } from "./link_policy.ts";
import type { LinkLimits } from "./rate_limits.ts";

/**
 * How to tell old neighbours that a service is gone while its host stays; our own kind is always
 * told. No way is safe with every old peer, so a mesh that has fragile ones chooses:
 *
 * - `"announce"`: capacity 0, once to each neighbour. What the specification says. It ends every
 *   *Python* router that it reaches, and never stops circulating in a cycle made of *Go*, *Node*
 *   or *Java* routers alone.
 * - `"silent"`: nothing. Remote old routers keep a dead entry, as they do with Node, browser and
 *   Java peers; calls to it go unanswered.
 * - `"reannounce"`: the host's route is withdrawn and advertised again, with the services that are
 *   left. Every old peer survives it; but inside a cycle of *Node* or *browser* routers alone the
 *   route then keeps flapping.
 */
export type RemovalPolicy = "announce" | "silent" | "reannounce";

/** The most that a link may cost, so that ways over it can still be told. */
export const MAX_LINK_COST = 65_534;

/** Options of a mesh. */
export interface MeshOptions {
  /**
   * How to tell old neighbours that a service is gone.
   *
   * @default {"reannounce"}
   */
  removal?: RemovalPolicy;
  /**
   * Be a leaf: tell of nobody but ourselves, and carry no packet for others.
   *
   * @default {false}
   */
  stub?: boolean;
  /**
   * Do not tell of ourselves: packets can pass through us, but none can be sent to us.
   *
   * @default {false}
   */
  hidden?: boolean;
  /**
   * Tell neighbours that our timers may run late, as in a hidden page, so that they are patient.
   *
   * @default {false}
   */
  throttled?: boolean;
  /**
   * When this router started, in seconds since the beginning of 2024; a later life of the same
   * address must have a higher number. Without it, a low one is drawn.
   */
  incarnation?: number;
  /**
   * Destinations held at once; adverts of more are dropped.
   *
   * @default {10000}
   */
  maxRoutes?: number;
  /**
   * Services held at once, of each old neighbour, and of all others together; adverts of more are
   * dropped.
   *
   * @default {20000}
   */
  maxServices?: number;
  /**
   * Understand the known damaged encodings of other peers' adverts, too.
   *
   * @default {true}
   */
  repair?: boolean;
}

/** What a mesh can be told about one link. */
export interface LinkSettings {
  /**
   * What a hop over it counts for, 1-65534: ways are chosen by their sum. Old peers are told no way
   * that costs more than 64.
   *
   * @default {1}
   */
  cost?: number;
  /** How much the neighbour may say in a second. */
  limits?: LinkLimits;
  /** What the neighbour may tell us, and what it may know and use of us; by default everything. */
  policy?: LinkPolicy;
  /**
   * Whether packets that come over it may be for the services of routers themselves, whose names
   * begin with "aln.", here and beyond: they tell of the whole mesh. If not, such packets are refused
   * like others that the policy does not let pass, wherever they come from.
   *
   * @default {true}
   */
  trusted?: boolean;
  /**
   * Silence after which an old peer is asked for its tables, in ms. One that has ever answered, and
   * does not three times in a row, is taken for gone: within 55 s, or 100 s where our timers are
   * throttled. 0 or `Infinity` for never. Our own kind is asked every 10 s, whatever is said here.
   *
   * @default {25000}
   */
  keepalive?: number;
}
