/**
 * Old peers, linked to routers: models of what runs elsewhere, which the test plays the application
 * of.
 *
 * @module
 */

import { createChannelPair, Packet, type PacketInit, type Router } from "../../mod.ts";
import { type Effect, type LegacyKind, LegacyRouter, type LinkId } from "../../src/testing/mod.ts";
import type { BaseChannel, Channel, Clock } from "../../mod.ts";

/** What an old application does with a packet for one of its services. */
export type OldHandler = (packet: Packet, reply: (data: string) => void) => void;

/** An old peer and its application. */
export class OldPeer {
  /** Its address. */
  readonly address: string;
  /** Every application's packet that has come to it, be it for others. */
  readonly received: Packet[] = [];
  /** Every packet for its application that no service of it took. */
  readonly delivered: Packet[] = [];
  readonly #router: LegacyRouter;
  readonly #clock: Clock;
  readonly #links: Map<LinkId, Channel> = new Map();
  readonly #handlers: Map<string, OldHandler> = new Map();

  /** Constructs a new instance. */
  constructor(address: string, clock: Clock, kind: LegacyKind = "node") {
    this.address = address;
    this.#clock = clock;
    this.#router = new LegacyRouter(address, kind);
  }

  /** Whether a packet has ended it. */
  get killed(): boolean {
    return this.#router.killed;
  }

  /** Links it with a router; returns the router's channel. */
  join(router: Router): BaseChannel<Packet> {
    const [ours, theirs] = createChannelPair();
    this.#attach(theirs);
    router.addChannel(ours);
    return ours;
  }

  /** Links it with another old peer. */
  joinOld(other: OldPeer): void {
    const [ours, theirs] = createChannelPair();
    other.#attach(theirs);
    this.#attach(ours);
  }

  /** Offers a service. */
  offer(service: string, handler: OldHandler = () => {}, capacity: number = 1): void {
    this.#handlers.set(service, handler);
    this.#apply(this.#router.offer(service, capacity, this.#clock.now()));
  }

  /** Sends a packet. */
  send(packet: PacketInit): void {
    this.#apply(this.#router.send(new Packet(packet), this.#clock.now()));
  }

  #attach(channel: Channel): void {
    const link = this.#links.size + 1;
    this.#links.set(link, channel);
    channel.onPacket = (packet) => {
      if (packet.net === 0) this.received.push(packet.copy());
      this.#apply(this.#router.receive(link, packet, this.#clock.now()));
    };
    channel.onClose = () => this.#apply(this.#router.linkDown(link, this.#clock.now()));
    this.#apply(this.#router.linkUp(link, this.#clock.now()));
  }

  #apply(effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "transmit") this.#links.get(effect.link)?.send(effect.packet);
      else if (effect.kind === "deliver") this.#deliver(effect.packet);
    }
    const deadline = this.#router.deadline();
    if (deadline === Infinity) return;
    this.#clock.schedule(deadline, () => this.#apply(this.#router.tick(this.#clock.now())));
  }

  #deliver(packet: Packet): void {
    const handler = this.#handlers.get(packet.srv);
    if (handler === undefined) return void this.delivered.push(packet);
    handler(packet, (data) => this.send({ dst: packet.src, ctx: packet.ctx, data }));
  }
}
