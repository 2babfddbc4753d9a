/**
 * The segments of a simulated network: buses on which what one node publishes is heard by all.
 *
 * @module
 */

import type { LinkId, PeerId } from "../mesh/effects.ts";
import type { LinkSettings } from "../mesh/options.ts";
import type { Packet } from "../wire/packet.ts";

/** How a segment behaves, and what the routers on it are told about it. */
export interface SegmentOptions {
  /**
   * How long a publication takes to each who hears it, in ms.
   *
   * @default {() => 1}
   */
  delay?: (random: () => number) => number;
  /**
   * Chance that somebody does not hear a publication.
   *
   * @default {0}
   */
  loss?: number;
  /** What the routers are told about it. */
  settings?: LinkSettings;
}

/** A node on a segment. */
export interface Port<Node> {
  /** Who. */
  readonly node: Node;
  /** What its router calls the segment. */
  readonly link: LinkId;
  /** Which segment. */
  readonly segment: Segment<Node>;
  /** What others know it by. */
  readonly peer: PeerId;
  /** What its router calls each of the others. */
  readonly ways: Map<LinkId, PeerId>;
  /** When the last publication of each other node arrives: segments keep the order. */
  readonly arrivals: Map<PeerId, number>;
  /** Only those on the same side hear each other. */
  side: number;
}

/** One segment. */
export interface Segment<Node> {
  /** Its name. */
  readonly name: string;
  /** How it behaves. */
  readonly options: SegmentOptions;
  /** Who is on it. */
  readonly ports: Map<PeerId, Port<Node>>;
  /** Messages that were published: what a router says to one, or to all, in one go. */
  publications: number;
  /** Messages that were handed to somebody. */
  deliveries: number;
}

/** What is published in one go: packets for one node, or (`null`) for all. */
export interface Publication {
  /** For whom. */
  to: PeerId | null;
  /** The packets. */
  packets: Packet[];
}

/** From here on routers are told numbers of segments: no link has such a one. */
const FIRST_LINK = 1_000_000_000;

/** Every segment. */
export class Segments<Node> {
  readonly #byName: Map<string, Segment<Node>> = new Map();
  readonly #byNode: Map<Node, Map<LinkId, Port<Node>>> = new Map();
  #ports: number = 0;

  /** The segment of that name; made if there is none. */
  get(name: string, options: SegmentOptions = {}): Segment<Node> {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const segment = { name, options, ports: new Map(), publications: 0, deliveries: 0 };
    this.#byName.set(name, segment);
    return segment;
  }

  /** Every segment. */
  all(): Iterable<Segment<Node>> {
    return this.#byName.values();
  }

  /** The ports of a node. */
  of(node: Node): Port<Node>[] {
    return [...this.#byNode.get(node)?.values() ?? []];
  }

  /** Puts a node on a segment. */
  add(node: Node, segment: Segment<Node>): Port<Node> {
    const peer = ++this.#ports;
    const link = FIRST_LINK + peer;
    const port = { node, link, segment, peer, ways: new Map(), arrivals: new Map(), side: 0 };
    segment.ports.set(peer, port);
    const ports = this.#byNode.get(node);
    if (ports) ports.set(link, port);
    else this.#byNode.set(node, new Map([[link, port]]));
    return port;
  }

  /** Takes a node off a segment. */
  remove({ node, link, segment, peer }: Port<Node>): void {
    segment.ports.delete(peer);
    this.#byNode.get(node)?.delete(link);
  }

  /** The port of a node that its router calls so. */
  port(node: Node, link: LinkId): Port<Node> | undefined {
    return this.#byNode.get(node)?.get(link);
  }

  /** To which segment, and to whom there (`null`: to all), a link of a node leads. */
  way(node: Node, link: LinkId): { port: Port<Node>; to: PeerId | null } | null {
    for (const port of this.#byNode.get(node)?.values() ?? []) {
      if (port.link === link) return { port, to: null };
      const to = port.ways.get(link);
      if (to !== undefined) return { port, to };
    }
    return null;
  }

  /** The port that a link of a node leads to, if it is still there; whether or not it hears us. */
  far(node: Node, link: LinkId): Port<Node> | null {
    const way = this.way(node, link);
    return way === null || way.to === null ? null : way.port.segment.ports.get(way.to) ?? null;
  }

  /** Whether what is sent over a link of a node is heard. */
  works(node: Node, link: LinkId): boolean {
    return this.far(node, link)?.side === this.way(node, link)?.port.side;
  }

  /** What a node calls another on the same segment; `null` if it does not know it. */
  linkTo(from: Port<Node>, to: Port<Node>): LinkId | null {
    for (const [link, peer] of from.ways) if (peer === to.peer) return link;
    return null;
  }

  /** Those who hear what a node publishes. */
  hearers(from: Port<Node>, to: PeerId | null): Port<Node>[] {
    const { ports } = from.segment;
    const those = to === null ? [...ports.values()] : [ports.get(to)];
    return those.filter((port): port is Port<Node> => {
      return port !== undefined && port !== from && port.side === from.side;
    });
  }
}
