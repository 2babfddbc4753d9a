/**
 * One mesh core played by hand: what its neighbours say goes in, what it does comes out as short
 * lines that read like a log.
 *
 * @module
 */

import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import type { LinkSettings, MeshOptions } from "../../src/mesh/options.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import {
  decodeLinkFrame,
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
  type Hello,
  type LinkFrameVisitor,
  LinkFrameWriter,
  Packet,
  type PacketInit,
} from "../../src/wire/mod.ts";
import { helloOf } from "../support/hellos.ts";

/** When "me" and the neighbours of its kind started, unless a test says otherwise. */
export const LIFE = 1_000;

/** A mesh core called "me", and the time. */
export class Script {
  now: number = 0;
  readonly mesh: Mesh;
  /** Links whose neighbours answer each ping at once. */
  readonly alive: Set<number> = new Set();

  constructor(options: MeshOptions = {}) {
    this.mesh = new Mesh("me", seededRandom(1), { incarnation: LIFE, ...options });
  }

  /** A link comes up. Nobody asks old peers whether they live, unless the test says so. */
  link(link: number, settings: LinkSettings = {}): string[] {
    return log(this.mesh.linkUp(link, this.now, { keepalive: Infinity, ...settings }));
  }

  /** A link comes up; its neighbour, an old peer, asks, and says its name if it has one. */
  up(link: number, name: string = "", settings: LinkSettings = {}): string[] {
    const lines = this.link(link, settings);
    lines.push(...this.query(link));
    if (name !== "") lines.push(...this.route(link, name, 1, name));
    return lines;
  }

  /** A link comes up; its neighbour is of our kind, says hello and tells its own route. */
  join(
    link: number,
    name: string,
    hello: Partial<Hello> = {},
    settings: LinkSettings = {},
  ): string[] {
    const lines = this.link(link, settings);
    lines.push(...this.hello(link, name, hello));
    lines.push(...this.tell(link, (frame) => frame.route(name, 1, 1, hello.instance ?? LIFE)));
    return lines;
  }

  /** A neighbour says hello. */
  hello(link: number, address: string, hello: Partial<Hello> = {}): string[] {
    const data = helloOf(link, address, hello);
    return this.hear(link, { net: 3, data });
  }

  /** A neighbour of our kind sends a link frame. */
  tell(link: number, write: (frame: LinkFrameWriter) => unknown): string[] {
    const frame = new LinkFrameWriter();
    write(frame);
    return this.hear(link, { net: 4, data: frame.finish() });
  }

  /** A link goes down. */
  down(link: number): string[] {
    return log(this.mesh.linkDown(link, this.now));
  }

  /** An old peer advertises a route; `src` is whom it says that it is. */
  route(link: number, address: string, cost: number, src: string = ""): string[] {
    return this.hear(link, { net: 1, src, data: encodeRouteAdvert({ address, cost }) });
  }

  /** An old peer advertises a service. */
  service(link: number, service: string, address: string, capacity: number): string[] {
    return this.hear(link, { net: 2, data: encodeServiceAdvert({ address, service, capacity }) });
  }

  /** An old peer asks for our tables. */
  query(link: number): string[] {
    return this.hear(link, { net: 3 });
  }

  /** A neighbour sends any packet. */
  hear(link: number, packet: PacketInit): string[] {
    return log(this.mesh.receive(link, new Packet(packet), this.now));
  }

  /** We send a packet. */
  send(packet: PacketInit): string[] {
    return log(this.mesh.send(new Packet(packet), this.now));
  }

  /** We offer a service. */
  offer(service: string, capacity: number): string[] {
    return log(this.mesh.offer(service, capacity, this.now));
  }

  /** Time passes. */
  wait(duration: number): string[] {
    const end = this.now + duration;
    const lines: string[] = [];
    while (this.mesh.deadline() <= end) {
      this.now = Math.max(this.now, this.mesh.deadline());
      const effects = this.mesh.tick(this.now);
      lines.push(...log(effects), ...this.#answer(effects));
    }
    this.now = end;
    return lines;
  }

  #answer(effects: Effect[]): string[] {
    const lines: string[] = [];
    for (const effect of effects) {
      if (effect.kind !== "transmit" || !this.alive.has(effect.link)) continue;
      const { link, packet } = effect;
      if (packet.net !== 4) continue;
      const ping = (token: number) =>
        void lines.push(...this.tell(link, (frame) => frame.pong(token)));
      decodeLinkFrame(packet.data, { ...IGNORANT, ping });
    }
    return lines;
  }

  /** Lets the next frame to a neighbour that begins with a record of this kind out, and returns it. */
  frame(link: number, op: number): Uint8Array {
    for (let ticks = 0; ticks < 10_000 && this.mesh.deadline() < Infinity; ticks++) {
      this.now = Math.max(this.now, this.mesh.deadline());
      for (const effect of this.mesh.tick(this.now)) {
        if (effect.kind !== "transmit" || effect.link !== link || effect.packet.net !== 4) continue;
        if (effect.packet.data[0] === op) return effect.packet.data;
      }
    }
    throw new Error("Cannot find the frame");
  }

  /** Lets the next ping of a neighbour out, and reads its number. */
  ping(link: number): number {
    const { buffer, byteOffset } = this.frame(link, 4);
    return new DataView(buffer, byteOffset).getUint32(3);
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

/** Does not look at what a link frame says. */
const IGNORANT: LinkFrameVisitor = {
  route: () => {},
  service: () => {},
  seqRequest: () => {},
  ping: () => {},
  pong: () => {},
  digest: () => {},
  resync: () => {},
  bye: () => {},
};

/** Keeps the neighbours alive while time passes. */
export function live(me: Script, duration: number, links: number[]): string[] {
  const lines: string[] = [];
  for (const end = me.now + duration; me.now < end;) {
    lines.push(...me.wait(5_000));
    for (const link of links) me.tell(link, (frame) => frame.pong(0));
  }
  return lines;
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
        return `drop ${effect.error.code}${effect.count ? ` x${effect.count}` : ""}`;
      case "route": {
        const { address, cost, via } = effect.route;
        return `! route ${address} ${effect.held ? "held" : `${cost} ${via}`.trimEnd()}`;
      }
      case "service": {
        const { service, address, capacity } = effect.service;
        return `! service ${service}@${address} ${capacity}`;
      }
      case "join":
        return `join ${effect.link}: ${effect.peer} on ${effect.segment}`;
      case "part":
        return `part ${effect.link}`;
      case "format":
        return `format ${effect.link} ${effect.binary ? "binary" : "text"}`;
      case "close":
        return `close ${effect.link}`;
      case "conflict":
        return `! conflict ${effect.address}`;
    }
  });
}

/** Only what is sent. */
export function sent(lines: string[]): string[] {
  return lines.filter((line) => line.startsWith(">"));
}

/** A packet in words; link frames as `[record; record]`, routes with origin and sequence number. */
export function describe(packet: Packet): string {
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
    case 4:
      return `[${records(packet).join("; ")}]`;
    default: {
      const { srv, src, dst, nxt, ctx } = packet;
      const parts = Object.entries({ srv, src, dst, nxt, ctx }).filter(([, value]) => value);
      return parts.map(([key, value]) => `${key}=${value}`).join(" ");
    }
  }
}

/** What a link frame says, a line each: sequence numbers of ours are random, and left out. */
function records(packet: Packet): string[] {
  const lines: string[] = [];
  decodeLinkFrame(packet.data, {
    route(address, cost, seq, origin) {
      if (cost === 0) lines.push(`retract ${address}`);
      else if (address === "me") lines.push(`route me ${cost} by ${origin}`);
      else if (origin >= 0x8000_0000) lines.push(`route ${address} ${cost} by us #${seq}`);
      else lines.push(`route ${address} ${cost} by ${origin} #${seq}`);
    },
    service(host, name, load, _origin, version) {
      lines.push(`service ${name}@${host} ${load} v${version}`);
    },
    seqRequest: (address, origin, seq, hops) =>
      void lines.push(`request ${address} by ${origin} #${seq} ${hops} hops`),
    ping: () => void lines.push("ping"),
    pong: (token) => void lines.push(`pong ${token}`),
    digest: ({ routes, services }) => void lines.push(`digest ${routes} ${services}`),
    resync: (what) => void lines.push(`resync ${what}`),
    bye: () => void lines.push("bye"),
  });
  return lines;
}
