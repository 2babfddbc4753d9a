/**
 * One mesh core played by hand: what its neighbours say goes in, what it does comes out as short
 * lines that read like a log.
 *
 * @module
 */

import type { MeshOptions } from "../../src/mesh/options.ts";
import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import {
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
  Packet,
  type PacketInit,
} from "../../src/wire/mod.ts";

/** A mesh core called "me", and the time. */
export class Script {
  now: number = 0;
  readonly mesh: Mesh;

  constructor(options: MeshOptions = {}) {
    this.mesh = new Mesh("me", seededRandom(1), options);
  }

  /** A link comes up; its neighbour asks, and says its name if it has one. */
  up(link: number, name: string = ""): string[] {
    const lines = log(this.mesh.linkUp(link, this.now));
    lines.push(...this.query(link));
    if (name !== "") lines.push(...this.route(link, name, 1, name));
    return lines;
  }

  /** A link goes down. */
  down(link: number): string[] {
    return log(this.mesh.linkDown(link, this.now));
  }

  /** A neighbour advertises a route; `src` is whom it says that it is. */
  route(link: number, address: string, cost: number, src: string = ""): string[] {
    return this.hear(link, { net: 1, src, data: encodeRouteAdvert({ address, cost }) });
  }

  /** A neighbour advertises a service. */
  service(link: number, service: string, address: string, capacity: number): string[] {
    return this.hear(link, { net: 2, data: encodeServiceAdvert({ address, service, capacity }) });
  }

  /** A neighbour asks for our tables. */
  query(link: number): string[] {
    return this.hear(link, { net: 3 });
  }

  /** A neighbour sends any packet. */
  hear(link: number, packet: PacketInit): string[] {
    return log(this.mesh.receive(link, new Packet(packet), this.now));
  }

  /** We send a packet. */
  send(packet: PacketInit): string[] {
    return log(this.mesh.send(new Packet(packet)));
  }

  /** We offer a service. */
  offer(service: string, capacity: number): string[] {
    return log(this.mesh.offer(service, capacity));
  }

  /** Time passes. */
  wait(duration: number): string[] {
    const end = this.now + duration;
    const lines: string[] = [];
    while (this.mesh.deadline() <= end) {
      this.now = Math.max(this.now, this.mesh.deadline());
      lines.push(...log(this.mesh.tick(this.now)));
    }
    this.now = end;
    return lines;
  }

  /** Our routes, as "address cost via". */
  routes(): string[] {
    return this.mesh.routes().map(({ address, cost, via }) => `${address} ${cost} ${via}`);
  }

  /** The services that can be used, as "service@address capacity". */
  services(): string[] {
    return this.mesh.services().map(({ service, address, capacity }) =>
      `${service}@${address} ${capacity}`
    );
  }
}

/** Effects as lines: `> 2` is sent over link 2; `!` is told to the application. */
export function log(effects: Effect[]): string[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case "transmit":
        return `> ${effect.link}: ${describe(effect.packet)}`;
      case "deliver":
        return `deliver ${describe(effect.packet)}`;
      case "drop":
        return `drop ${effect.error.code}`;
      case "route":
        return `! route ${effect.route.address} ${effect.route.cost} ${effect.route.via}`.trimEnd();
      case "service": {
        const { service, address, capacity } = effect.service;
        return `! service ${service}@${address} ${capacity}`;
      }
    }
  });
}

/** Only what is sent. */
export function sent(lines: string[]): string[] {
  return lines.filter((line) => line.startsWith(">"));
}

function describe(packet: Packet): string {
  switch (packet.net) {
    case 1: {
      const { address, cost } = decodeRouteAdvert(packet.data);
      return `route ${address} ${cost}`;
    }
    case 2: {
      const { address, service, capacity } = decodeServiceAdvert(packet.data);
      return `service ${service}@${address} ${capacity}`;
    }
    case 3:
      return "query";
    default: {
      const { srv, src, dst, nxt, ctx } = packet;
      const parts = Object.entries({ srv, src, dst, nxt, ctx }).filter(([, value]) => value);
      return parts.map(([key, value]) => `${key}=${value}`).join(" ");
    }
  }
}
