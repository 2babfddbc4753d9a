/**
 * What can be said of one link, beside the channel that carries it.
 *
 * @module
 */

/** A secret that all routers of a network share: text, which is taken as UTF-8, or bytes. */
export type NetworkKey = string | Uint8Array;

/**
 * Whom a key lets in:
 *
 * - `"require"`: who proves that it knows the key, and nobody else.
 * - `"prefer"`: also who does not answer for two seconds, or speaks of something else, as routers
 *   without a key and old peers do. Who tries to prove it and fails is refused all the same. Anyone
 *   can do as old peers do, so this keeps nobody out: it is for the time until all have the key.
 */
export type AuthPolicy = "require" | "prefer";

/** Options of one link. */
export interface LinkOptions {
  /**
   * The key that both ends have to know; `null` for none. The neighbour has five seconds to prove
   * it, from when the channel is attached. By default the router's own, `RouterOptions.networkKey`.
   */
  key?: NetworkKey | null;
  /**
   * Whom the key lets in; by default as the router has it, `RouterOptions.auth`.
   *
   * @default {"require"}
   */
  auth?: AuthPolicy;
  /**
   * The neighbour must have an address that its certificate names; or that this function accepts,
   * which is given the names and the address, and refuses by `false` and by throwing. The link is
   * closed otherwise, and if no certificate is known: see {@linkcode Channel.peer}.
   *
   * @default {false}
   */
  identity?: boolean | ((names: readonly string[], address: string) => boolean);
}
