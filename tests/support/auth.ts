/**
 * For tests of who may come in: a neighbour whose every word is the test's.
 *
 * @module
 */

import type { ChannelSide, PeerCertificate, Router } from "../../mod.ts";
import { type LinkOptions, Packet } from "../../mod.ts";
import { LinkKey } from "../../src/router/link_key.ts";
import { CAP, encodeHello, encodeRouteAdvert, LinkFrameWriter } from "../../src/wire/mod.ts";
import {
  decodeLinkAuth,
  encodeLinkAuth,
  type LinkAuthMessage,
  type LinkChallenge,
  linkChallenge,
  linkProofInput,
  type SentChallenge,
} from "../../src/wire/link_auth.ts";
import { ForeignChannel } from "./routers.ts";

/** A message of one kind. */
type Message<Kind extends LinkAuthMessage["kind"]> = Extract<LinkAuthMessage, { kind: Kind }>;

/** What a router says of itself, as our own kind does. */
export function helloOf(address: string): Packet {
  const data = encodeHello({
    caps: CAP.seq | CAP.bulk | CAP.hops,
    address,
    instance: 7,
    session: "00112233445566ff",
    keepalive: 10,
    dead: 30,
    role: 0,
    maxFrame: 0,
    maxRoutes: 0,
    seen: "",
    also: "",
  });
  return new Packet({ net: 3, data });
}

/** How a router of our kind becomes a neighbour: it says who it is, and that it is there. */
export function introduction(address: string): Packet[] {
  const frame = new LinkFrameWriter();
  frame.route(address, 1, 1, 7);
  return [helloOf(address), new Packet({ net: 4, data: frame.finish() })];
}

/** What an old peer says of the way to an address. */
export function routeOf(src: string, address: string = src, cost: number = 1): Packet {
  return new Packet({ net: 1, src, data: encodeRouteAdvert({ address, cost }) });
}

/** A channel to a router, at whose far end the test is. */
export class Stranger extends ForeignChannel {
  side?: ChannelSide;
  peer?: PeerCertificate;
  /** What the router has said of keys, in its order. */
  readonly messages: LinkAuthMessage[] = [];
  /** What it has said beside that. */
  readonly others: Packet[] = [];
  #wake: () => void = () => {};

  /** Attaches itself to a router. */
  constructor(
    router: Router,
    options: { side?: ChannelSide; peer?: PeerCertificate; link?: LinkOptions } = {},
  ) {
    super();
    if (options.side) this.side = options.side;
    if (options.peer) this.peer = options.peer;
    this.answer = (packet) => {
      const message = packet.net === 4 ? decodeLinkAuth(packet.data) : null;
      if (message !== null) this.messages.push(message);
      else this.others.push(packet.copy());
      this.#wake();
    };
    router.addChannel(this, options.link);
  }

  override close(reason?: unknown): void {
    super.close(reason);
    this.#wake();
  }

  /** Whether the router has closed the channel. */
  get isClosed(): boolean {
    return this.closes.length > 0;
  }

  /** The router's challenge. */
  get challenge(): SentChallenge {
    return this.of("challenge")[0]!.challenge;
  }

  /** What the router has said of one kind. */
  of<Kind extends LinkAuthMessage["kind"]>(kind: Kind): Message<Kind>[] {
    return this.messages.filter((message) => message.kind === kind) as Message<Kind>[];
  }

  /** Waits until the router has said or done something. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  /** Says packets, unless nobody listens any more. */
  say(...packets: Packet[]): void {
    for (const packet of packets) this.onPacket?.(packet);
  }

  /** Says something of keys. */
  tell(message: LinkAuthMessage): void {
    this.say(new Packet({ net: 4, data: encodeLinkAuth(message) }));
  }

  /** Says a challenge; returns it as it was sent. */
  ask(values: Partial<LinkChallenge> = {}): SentChallenge {
    const challenge = challengeOf(values);
    this.tell({ kind: "challenge", challenge });
    return challenge;
  }

  /** Proves that it knows a key. */
  async prove(
    key: string,
    mine: SentChallenge = challengeOf(),
    theirs: SentChallenge = this.challenge,
  ): Promise<void> {
    const mac = await new LinkKey(key).sign(linkProofInput(mine, theirs));
    this.tell({ kind: "proof", challenge: mine, mac });
  }
}

/** A challenge of the neighbour "b". */
export function challengeOf(values: Partial<LinkChallenge> = {}): SentChallenge {
  return linkChallenge({ flags: 0, nonce: new Uint8Array(20).fill(7), address: "b", ...values });
}
