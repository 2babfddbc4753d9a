/**
 * The links of a simulated network, and what may be wrong with them.
 *
 * @module
 */

import type { LinkId } from "../mesh/effects.ts";
import type { LinkSettings } from "../mesh/options.ts";

/** How a link behaves. */
export interface LinkOptions {
  /**
   * How long a packet takes over a link, in ms.
   *
   * @default {() => 1}
   */
  delay?: (random: () => number) => number;
  /**
   * Chance that a packet is lost.
   *
   * @default {0}
   */
  loss?: number;
  /**
   * Chance that a packet may overtake others.
   *
   * @default {0}
   */
  reorder?: number;
  /** What the routers at both ends are told about it. */
  settings?: readonly [LinkSettings, LinkSettings];
}

/** Who notices that a link between two nodes is gone. */
export type Notice = "both" | "first" | "second" | "neither";

/** One end of a link. */
export interface End<Node> {
  /** Where it ends. */
  readonly node: Node;
  /** What the router there calls it; no other end has the same name. */
  readonly link: LinkId;
  /** How it behaves. */
  readonly options: LinkOptions;
  /** The other end. */
  readonly far: End<Node>;
  /** Whether nothing that is sent to it arrives. */
  deaf: boolean;
  /** Whether the link is broken, noticed or not. */
  cut: boolean;
  /** When the last packet for it arrives: links keep the order. */
  arrival: number;
}

/** Every link whose end some router believes to be up. */
export class Links<Node> {
  readonly #ends: (End<Node> | undefined)[] = [];
  readonly #byNode: Map<Node, Set<End<Node>>> = new Map();

  /** The end that its router calls so; `undefined` if it is gone. */
  end(link: LinkId): End<Node> | undefined {
    return this.#ends[link];
  }

  /** The ends at a node, as of now. */
  of(node: Node): End<Node>[] {
    return [...this.#byNode.get(node) ?? []];
  }

  /** The ends at a node of its links to another. */
  between(node: Node, other: Node): End<Node>[] {
    return this.of(node).filter(({ far }) => far.node === other);
  }

  /** Whether packets pass from an end to the other, and back. */
  works(end: End<Node>): boolean {
    const { far } = end;
    return !end.cut && !end.deaf && !far.deaf && this.end(end.link) === end &&
      this.end(far.link) === far;
  }

  /** One end of every link that works, the one that was made first. */
  *working(): Generator<End<Node>> {
    for (const end of this.#ends) {
      if (end !== undefined && end.link < end.far.link && this.works(end)) yield end;
    }
  }

  /** Makes a link. */
  add(a: Node, b: Node, options: LinkOptions): [End<Node>, End<Node>] {
    const link = this.#ends.length;
    const state = { options, deaf: false, cut: false, arrival: 0 };
    const left = { ...state, node: a, link } as End<Node>;
    const right: End<Node> = { ...state, node: b, link: link + 1, far: left };
    const ends: [End<Node>, End<Node>] = [Object.assign(left, { far: right }), right];
    for (const end of ends) {
      this.#ends.push(end);
      const others = this.#byNode.get(end.node);
      if (others) others.add(end);
      else this.#byNode.set(end.node, new Set([end]));
    }
    return ends;
  }

  /** Takes an end away; `false` if it is gone already. */
  remove(end: End<Node>): boolean {
    if (this.#ends[end.link] !== end) return false;
    this.#ends[end.link] = undefined;
    this.#byNode.get(end.node)!.delete(end);
    return true;
  }
}
