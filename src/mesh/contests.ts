/**
 * Names that several go by, where one of them is a neighbour, or we: who keeps the name, who has to
 * prove alive for it, and who is told.
 *
 * Pure: what is told goes out through the announcer and as effects.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Between two times that a neighbour hears of another life under its name, in ms. */
const KEEPER_INTERVAL = 1_000;

/** Between two times that the application is told of one address, in ms; addresses remembered. */
const TELL_INTERVAL = 10_000;
const MAX_TOLD = 1_000;

/** How far a request may go. */
const MAX_HOPS = 255;

/** Settles whose name it is. */
export class Contests {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #challenge: (neighbour: Neighbour, now: number) => void;
  /** The last claim to what is a neighbour's, until that has proved alive. */
  readonly #claims: WeakMap<Destination, { by: Neighbour; life: number }> = new WeakMap();
  /** When each neighbour was last told of another life under its name, or will be, in ms. */
  readonly #keepers: WeakMap<Neighbour, number> = new WeakMap();
  /** When the application was last told of each address, in ms. */
  readonly #told: Map<string, number> = new Map();

  /**
   * Constructs a new instance.
   *
   * @param challenge Has a neighbour prove that it is alive.
   */
  constructor(
    core: Core,
    announcer: Announcer,
    challenge: (neighbour: Neighbour, now: number) => void,
  ) {
    this.#core = core;
    this.#announcer = announcer;
    this.#challenge = challenge;
  }

  /**
   * Somebody speaks of an address as only whose it is may. A neighbour that goes by it is most likely
   * dead, and nobody has noticed: it keeps the name if it proves alive.
   *
   * @param life The life that is spoken of, if it is not the speaker's own.
   */
  claimed(destination: Destination, by: Neighbour, now: number, life: number = Infinity): void {
    const { routes } = this.#core;
    if (destination === routes.self) return this.#tell(destination.address, now);
    const keeper = routes.keeper(destination);
    if (keeper === null) return;
    this.#claims.set(destination, { by, life });
    this.#challenge(keeper, now);
    this.#tellKeeper(destination, keeper, now);
  }

  /** It is time to see whether several live ones go by an address; if so, the application is told. */
  settle(address: string, now: number): void {
    const { routes } = this.#core;
    const destination = routes.get(address);
    if (destination === undefined) return;
    const keeper = routes.keeper(destination);
    const claim = this.#claims.get(destination);
    if (keeper === null || claim === undefined) return;
    this.#claims.delete(destination);
    if (claim.by.router === keeper.router) return;
    if (claim.life > keeper.offers.origin(destination.id)) this.#tell(address, now);
  }

  /** A neighbour that lives must hear of a later life under its name, to contradict it. */
  #tellKeeper(destination: Destination, keeper: Neighbour, now: number): void {
    const { routes, agenda } = this.#core;
    const last = this.#keepers.get(keeper) ?? -Infinity;
    if (keeper.kind !== "modern" || last > now) return; // It will.
    const at = Math.max(now, last + KEEPER_INTERVAL);
    this.#keepers.set(keeper, at);
    if (at > now) {
      agenda.add(at, (later) => {
        this.#keepers.set(keeper, later - KEEPER_INTERVAL);
        if (routes.keeper(destination) === keeper) this.#tellKeeper(destination, keeper, later);
      });
      return;
    }
    const { address, id } = destination;
    let origin = keeper.offers.origin(id);
    let seq = 0;
    for (const { offers } of destination.offers) {
      if (offers.origin(id) <= origin) continue;
      origin = offers.origin(id);
      seq = offers.seq(id);
    }
    if (seq === 0) return;
    this.#announcer.request(keeper, { address, origin, seq, hops: MAX_HOPS }, now);
  }

  #tell(address: string, now: number): void {
    const last = this.#told.get(address);
    if (last !== undefined && now - last < TELL_INTERVAL) return;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.set(address, now);
    this.#core.emit({ kind: "conflict", address });
  }
}
