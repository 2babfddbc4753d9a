/**
 * What a router may send to an old peer, one method for each kind of packet.
 *
 * It watches the wire at the peer's end, knows what all peers have sent, and infers nothing from
 * our code. A violation is kept until {@linkcode SendRules.check}, which throws it.
 */

import assert from "node:assert/strict";
import type { Bytes, Packet, RemovalPolicy, Router } from "../../mod.ts";
import {
  decodeHello,
  decodePacket,
  decodePacketJson,
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeFrame,
  encodeHello,
  encodePacket,
  encodePacketJson,
  encodeServiceAdvert,
  type PacketFields,
} from "../../src/wire/mod.ts";
import { toHex } from "../wire/hex.ts";

const MAX_COST = 64;
const SWAPPED_ONE = 256; // An ESP8266's 1.
const JSON_KEYS = new Set([
  ...["cf", "net", "srv", "src", "dst", "nxt", "seq", "ack", "ctx", "typ", "data", "data_sz"],
]);
const PADDED_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MAXIMA: Record<string, number> = {
  cf: 0xffff,
  net: 0xff,
  seq: 0xffff,
  ack: 0xffff_ffff,
  ctx: 0xffff,
  typ: 0xff,
  data_sz: 0xffff,
};

/** What we last advertised, and whether the peer has asked for it again since. */
interface Told {
  value: number;
  mayRepeat: boolean;
}

/** `host` and `service` as one key. */
function at(host: string, service: string): string {
  return `${service}@${host}`;
}

/** What one router of ours may send, over all its links. */
export class SendRules {
  /** How the router tells that a service is gone. */
  readonly removal: RemovalPolicy;
  readonly #router: Router;
  readonly #links: Set<LinkRules> = new Set();
  readonly #failures: unknown[] = [];
  /** What the application has sent and what has not been seen on a link yet. */
  readonly asked: Partial<PacketFields>[] = [];
  /** Requests from peers that no reply has been seen to. */
  readonly requests: Packet[] = [];

  constructor(router: Router, removal: RemovalPolicy = "reannounce") {
    this.#router = router;
    this.removal = removal;
  }

  get address(): string {
    return this.#router.address;
  }

  linkUp(webSocket: boolean): LinkRules {
    const link = new LinkRules(this, webSocket);
    this.#links.add(link);
    return link;
  }

  linkDown(link: LinkRules): void {
    this.#links.delete(link);
  }

  /** The application is about to send a packet with a service: one such may appear. */
  asks(packet: Partial<PacketFields>): void {
    this.asked.push(packet);
  }

  others(link: LinkRules): LinkRules[] {
    return [...this.#links].filter((other) => other !== link);
  }

  /** The capacity at which we offer a service now; 0 if we do not. */
  offers(service: string): number {
    const own = this.#router.services()
      .find((info) => info.address === this.address && info.service === service);
    return own?.capacity ?? 0;
  }

  guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failures.push(error);
    }
  }

  /** Throws the first violation. */
  check(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}

/** What may be sent over one link. */
export class LinkRules {
  /** Address of the peer, once it has said it. */
  peer: string = "";
  /** What we have told the peer of routes, withdrawals taken off. */
  readonly routes: Map<string, Told> = new Map();
  /** What we have told the peer of services, withdrawals taken off. */
  readonly services: Map<string, Told> = new Map();
  /** What the peer offers. */
  readonly offers: Map<string, number> = new Map();
  /** What the peer says of services. */
  readonly capacities: Map<string, number> = new Map();
  /** Application packets from the peer. */
  readonly packets: Packet[] = [];
  /** Queries that we have sent. */
  queries: number = 0;

  readonly #all: SendRules;
  readonly #webSocket: boolean;
  #count: number = 0;
  /** The host that was withdrawn only to be told again: what comes next has to be that. */
  #again: string = "";

  constructor(all: SendRules, webSocket: boolean) {
    this.#all = all;
    this.#webSocket = webSocket;
  }

  /** What the peer should know by what we told it. */
  view(): { routes: Record<string, number>; services: Record<string, number> } {
    const values = (told: Map<string, Told>) =>
      Object.fromEntries([...told].map(([key, { value }]) => [key, value]));
    return { routes: values(this.routes), services: values(this.services) };
  }

  // ── what the peer sends ───────────────────────────────────────────────────

  heard(packet: Packet): void {
    switch (packet.net) {
      case 0:
        this.packets.push(packet);
        if (packet.srv !== "") this.#all.requests.push(packet);
        return;
      case 1:
        return this.#heardRoute(packet);
      case 2:
        return this.#heardService(packet);
      case 3:
        for (const told of [...this.routes.values(), ...this.services.values()]) {
          told.mayRepeat = true;
        }
    }
  }

  #heardRoute(packet: Packet): void {
    let advert;
    try {
      advert = decodeRouteAdvert(packet.data);
    } catch {
      return; // An ESP32's.
    }
    const { address, cost } = advert;
    if (cost > 0) {
      this.peer = packet.src;
      this.offers.set(address, cost === SWAPPED_ONE ? 1 : cost);
      return;
    }
    // The peer has forgotten what it knew of the address, its services included.
    this.offers.delete(address);
    this.routes.delete(address);
    for (const key of this.services.keys()) {
      if (key.endsWith(`@${address}`)) this.services.delete(key);
    }
  }

  #heardService({ data }: Packet): void {
    const { address, service, capacity } = decodeServiceAdvert(data);
    if (capacity > 0) this.capacities.set(at(address, service), capacity);
    else this.capacities.delete(at(address, service));
  }

  // ── what we send ──────────────────────────────────────────────────────────

  sent(message: Bytes | string): void {
    this.#all.guard(() => {
      const packet = this.#webSocket ? this.#oneJsonText(message) : this.#oneFrame(message);
      assert.equal(packet.trailer ?? null, null, "a trailer, which no old peer knows");
      if (this.#count++ === 0) assert.equal(packet.net, 3, "the first packet is not a query");
      if (this.#again !== "") assert.equal(packet.net, 1, `${this.#again} was not told again`);
      switch (packet.net) {
        case 0:
          return this.#applicationData(packet);
        case 1:
          return this.#route(packet);
        case 2:
          return this.#service(packet);
        case 3:
          return this.#query(packet);
        default:
          assert.fail(`net ${packet.net} was sent`);
      }
    });
  }

  /** A frame: not empty, no leading or double C0, nothing but one packet, no checksum. */
  #oneFrame(message: Bytes | string): PacketFields {
    assert(typeof message !== "string");
    const frame = toHex(message);
    assert(message.length > 3, `an empty frame or an empty packet was sent: ${frame}`);
    const bytes: number[] = [];
    for (let i = 0; i < message.length - 1; i++) {
      const byte = message[i]!;
      if (byte !== 0xdb) bytes.push(byte);
      else bytes.push({ 0xdc: 0xc0, 0xdd: 0xdb }[message[++i]!]!);
    }
    const packet = decodePacket(Uint8Array.from(bytes));
    const again = toHex(encodeFrame(encodePacket(packet)));
    assert.equal(frame, again, "a frame is not plain: a checksum, trailing bytes, odd escapes");
    return packet;
  }

  /** A message: text, one JSON object, padded base64, integers in range, nothing `null`. */
  #oneJsonText(message: Bytes | string): PacketFields {
    assert(typeof message === "string", "a binary message was sent");
    const object: Record<string, unknown> = JSON.parse(message);
    for (const [key, value] of Object.entries(object)) {
      assert(JSON_KEYS.has(key), `no peer knows the key ${key}: ${message}`);
      if (key in MAXIMA) {
        assert(Number.isInteger(value), message);
        assert((value as number) > 0 && (value as number) <= MAXIMA[key]!, message);
      } else {
        assert(typeof value === "string" && value !== "", message);
      }
    }
    if (object.data !== undefined) assert.match(object.data as string, PADDED_BASE64);
    const packet = decodePacketJson(message);
    assert.equal(object.data_sz ?? 0, packet.data.length);
    assert.equal(message, encodePacketJson(packet));
    return packet;
  }

  #onlyFields(packet: PacketFields, allowed: string[]): void {
    for (const key of ["net", "srv", "src", "dst", "nxt", "seq", "ack", "ctx", "typ"] as const) {
      const present = packet[key] !== 0 && packet[key] !== "";
      assert.equal(present, allowed.includes(key), `${key} in a packet with net ${packet.net}`);
    }
    const present = packet.data.length > 0;
    assert.equal(present, allowed.includes("data"), `data in a packet with net ${packet.net}`);
  }

  /** With our hello, or without data; old peers do not look at it. */
  #query(packet: PacketFields): void {
    this.queries++;
    const bare = packet.data.length === 0;
    this.#onlyFields(packet, bare ? ["net"] : ["net", "data"]);
    if (bare) return;
    const hello = decodeHello(packet.data);
    assert(hello !== null, "the data of a query is no hello");
    assert.deepEqual(packet.data, encodeHello(hello), "bytes follow a hello");
    assert.equal(hello.address, this.#all.address, "a hello of somebody else's");
  }

  /** Always with data and src; exact; no split horizon violated; no cost 0 without need. */
  #route(packet: PacketFields): void {
    this.#onlyFields(packet, ["net", "src", "data"]);
    assert.equal(packet.src, this.#all.address);
    const { address, cost } = decodeRouteAdvert(packet.data, { repair: false });
    const what = `route to ${address} at cost ${cost}, to ${this.peer || "a new peer"}`;
    assert(cost <= MAX_COST, what);
    assert.notEqual(address, this.peer, `a peer was told about itself: ${what}`);
    const told = this.routes.get(address);
    if (this.#again !== "") {
      assert(address === this.#again && cost > 0, `${this.#again} was not told again: ${what}`);
      this.#again = "";
    }
    if (cost === 0) {
      assert(told, `withdrew what was never told: ${what}`);
      if (this.#all.removal === "reannounce" && this.#lacksService(address)) this.#again = address;
      else assert.notEqual(address, this.#all.address, `we withdrew ourselves: ${what}`);
      this.routes.delete(address);
      for (const key of this.services.keys()) {
        if (key.endsWith(`@${address}`)) this.services.delete(key);
      }
      return;
    }
    if (address === this.#all.address) {
      assert.equal(cost, 1, what);
    } else {
      const sources = this.#all.others(this).map(({ offers }) => (offers.get(address) ?? 0) + 1);
      assert(sources.includes(cost), `nobody else offers it: ${what}`);
      if (told?.value === cost) assert(told.mayRepeat, `repeated without a cause: ${what}`);
    }
    this.routes.set(address, { value: cost, mayRepeat: false });
  }

  /** Whether a service that the peer was told of, at a host that is still there, is gone. */
  #lacksService(host: string): boolean {
    const own = host === this.#all.address;
    const others = this.#all.others(this);
    if (!own && !others.some(({ offers }) => offers.has(host))) return false;
    return [...this.services.keys()].some((key) => {
      const service = key.slice(0, -host.length - 1);
      if (key !== at(host, service)) return false;
      return own
        ? this.#all.offers(service) === 0
        : !others.some(({ capacities }) => capacities.has(key));
    });
  }

  /** Exact; of something that is so; never again unless it changed or was asked for. */
  #service(packet: PacketFields): void {
    this.#onlyFields(packet, ["net", "data"]);
    const advert = decodeServiceAdvert(packet.data, { repair: false });
    assert.deepEqual(packet.data, encodeServiceAdvert(advert), "bytes follow a service");
    const { address, service, capacity } = advert;
    const key = at(address, service);
    const what = `${key} at capacity ${capacity}, to ${this.peer || "a new peer"}`;
    assert.notEqual(address, this.peer, `a peer was told about itself: ${what}`);
    const known = address === this.#all.address
      ? [this.#all.offers(service)]
      : this.#all.others(this).map(({ capacities }) => capacities.get(key) ?? 0);
    const told = this.services.get(key);
    if (capacity === 0) {
      assert.equal(this.#all.removal, "announce", `ends Python peers: ${what}`);
      assert(told, `withdrew what was never told: ${what}`);
      assert(!known.some((value) => value > 0), `withdrew what is there: ${what}`);
      this.services.delete(key);
      return;
    }
    assert(this.routes.has(address), `a service of an unreachable host: ${what}`);
    assert(known.includes(capacity), `nobody else offers it: ${what}`);
    if (told?.value === capacity) assert(told.mayRepeat, `repeated without a cause: ${what}`);
    this.services.set(key, { value: capacity, mayRepeat: false });
  }

  /** dst set, nxt the neighbour's address if known, a reply without srv, nothing made up. */
  #applicationData(packet: PacketFields): void {
    const { srv, src, dst, nxt, seq, ack, ctx, typ } = packet;
    assert(src !== "" && dst !== "", "src or dst is missing");
    assert.equal(nxt, this.peer, "nxt is not the neighbour");
    if (src !== this.#all.address) {
      const carried = this.#all.others(this).flatMap(({ packets }) => packets).some((from) =>
        from.src === src && from.srv === srv && (from.dst === dst || from.dst === "") &&
        from.seq === seq && from.ack === ack && from.ctx === ctx && from.typ === typ &&
        toHex(from.data) === toHex(packet.data)
      );
      assert(carried, `not what ${src} has sent`);
    } else if (srv !== "") {
      const index = this.#all.asked.findIndex((asked) => asked.srv === srv && asked.ctx === ctx);
      assert(index >= 0, `a packet for service ${srv} that the application never sent`);
      const [asked] = this.#all.asked.splice(index, 1);
      const { seq: s = 0, ack: a = 0, typ: t = 0 } = asked!;
      assert.deepEqual([seq, ack, typ], [s, a, t], "seq, ack or typ unasked");
    } else {
      const { requests } = this.#all;
      const index = requests.findIndex((request) => request.src === dst && request.ctx === ctx);
      assert(index >= 0, `a reply to ${dst} in context ${ctx}, which never asked`);
      requests.splice(index, 1);
      assert.deepEqual([seq, ack, typ], [0, 0, 0], "seq, ack or typ in a reply");
    }
  }
}
