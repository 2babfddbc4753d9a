/**
 * Recorded peers, played over real sockets against our running router, in both directions. What
 * the recordings are: tests/README.md. How they are played: replay.ts. What our side may
 * send: replay_rules.ts.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  Packet,
  type PacketFields,
  type Registration,
  type RemovalPolicy,
  Router,
} from "../../mod.ts";
import {
  decodeHello,
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeFrame,
  encodeHello,
  encodeRouteAdvert,
  encodeServiceAdvert,
} from "../../src/wire/mod.ts";
import {
  type Cut,
  cuts,
  decode,
  type Link,
  type Message,
  type Node,
  plain,
  readTranscript,
  Replay,
  type Step,
  type Transcript,
} from "./replay.ts";
import { SendRules } from "./replay_rules.ts";

const TIMEOUT = 30_000;

/** From hearing of a host from somebody else until that is believed, in ms. */
const ADOPT_DELAY = 1_000;

/** From losing a route until old peers are told, in ms. */
const BAD_NEWS_DELAY = 1_000;

/** From being told by a peer that it has lost a route until it is offered ours, in ms. */
const OFFER_AGAIN_DELAY = 500;

/** From the last word of a peer until it is asked whether it is there, in ms. */
const KEEPALIVE = 25_000;

/** A query of ours as a plain object, but for the hello in it. */
const QUERY = { net: 3 };

/** How long our calls wait for a peer that does not answer, on the replay's clock, in ms. */
const CALL_TIMEOUT = 250;

/** What the recorded peer's `ping` answers; `null` if it has no such service. */
const servers: Record<string, ((data: Uint8Array, address: string) => string | Uint8Array) | null> =
  {
    node_server_tcp: pongWithData,
    node_server_ws: pongWithData,
    go_local_host_tcp: () => "pong!",
    go_websocket_host_ws: (_data, address) => `pong from ${address}!`,
    go_ws_clean: (_data, address) => `pong from ${address}!`,
    python_host_with_ping_tcp: () => "pong",
    python_local_host_tcp: null,
  };

const clients = [
  "go_local_client",
  "node_simple_client",
  "python_local_ping_service",
  "browser_client_ws",
];

/** Played in ../runtime/maln_test.ts and ../runtime/beacon_test.ts. */
const elsewhere = ["node_maln_client", "python_ip_edge_node_maln", "python_udp_beacon"];

test("every recording is played", { timeout: TIMEOUT }, () => {
  const names = [...Deno.readDirSync(new URL("transcripts", import.meta.url))]
    .map(({ name }) => name.replace(/\.json$/, ""));
  const played = [...Object.keys(servers), ...clients, "arduino_sketches", ...elsewhere];
  assert.deepEqual(names.sort(), played.sort());
});

function pongWithData(data: Uint8Array): Uint8Array {
  return Uint8Array.from([...new TextEncoder().encode("pong:"), ...data]);
}

/** The two ways to tell that a service is gone: the recorded one, and the default. */
const removals = ["announce", "reannounce"] as const satisfies RemovalPolicy[];

/** What a peer is told when a service of a host is gone, and what is left there, by capacity. */
function removalNews(
  removal: RemovalPolicy,
  teller: string,
  host: { address: string; cost: number; left: Map<string, number> },
  service: string,
): Partial<PacketFields>[] {
  const { address, cost, left } = host;
  const route = (cost: number) =>
    new Packet({ net: 1, src: teller, data: encodeRouteAdvert({ address, cost }) });
  const advert = (service: string, capacity: number) =>
    new Packet({ net: 2, data: encodeServiceAdvert({ address, service, capacity }) });
  if (removal === "announce") return [plain(advert(service, 0))];
  return [route(0), route(cost), ...[...left].map(([name, load]) => advert(name, load))].map(plain);
}

/** Stream transports are replayed in every way to cut a stream; messages cannot be cut. */
function waysToCut(transcript: Transcript): [string, Cut][] {
  return transcript.webSockets.has("A")
    ? [["in messages", (bytes) => [bytes]]]
    : Object.entries(cuts);
}

// ── our clients, the recorded servers ───────────────────────────────────────

for (const name of Object.keys(servers)) {
  const transcript = readTranscript(name);
  for (const [how, cut] of waysToCut(transcript)) {
    for (const removal of removals) {
      test(`our client gets from the recorded ${name} what it gave, sent ${how}, with ${removal}`, {
        timeout: TIMEOUT,
      }, async () => {
        await using replay = new Replay(cut);
        await new ClientReplay(replay, transcript, removal).run();
      });
    }
  }
}

/** A call of ours that has been sent. */
interface Call {
  /** Resolves to the answer, or to the error. */
  outcome: Promise<Packet | Error>;
  /** What the peer answers, if it does. */
  expected: Uint8Array | null;
}

/** One of our clients: one for every connection of the recording. */
interface Client {
  node: Node;
  link: Link;
  /** What it should know by what the peer has told it. */
  routes: Map<string, number>;
  services: Map<string, Map<string, number>>;
  /** Calls by context; 0 holds those without. */
  calls: Map<number, Call>;
  /** Packets that others have sent to our service `echo`. */
  heard: Packet[];
  echo: Registration | null;
  expectedDrops: string[];
}

/** Plays the recorded server; our clients do what our laboratory did, each in its own way. */
class ClientReplay {
  readonly #replay: Replay;
  readonly #transcript: Transcript;
  readonly #removal: RemovalPolicy;
  readonly #clients: Map<string, Client> = new Map();

  constructor(replay: Replay, transcript: Transcript, removal: RemovalPolicy) {
    this.#replay = replay;
    this.#transcript = transcript;
    this.#removal = removal;
  }

  async run(): Promise<void> {
    const { steps } = this.#transcript;
    let now = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      await this.#replay.advance(step.at - now);
      now = step.at;
      if (step.dir === "note") {
        await this.#note(step);
      } else if (step.dir === "out") {
        if (this.#clients.has(step.conn)) await this.#out(step, steps.slice(i + 1));
      } else {
        const together = [step];
        while (steps[i + 1]?.dir === "in" && steps[i + 1]!.conn === step.conn) {
          together.push(steps[++i]!);
        }
        await this.#in(step.conn, together);
      }
      for (const client of this.#clients.values()) this.#checkState(client);
    }
    assert.equal(this.#clients.size, 0, "every connection of the recording has ended");
  }

  async #note({ note, conn }: Step): Promise<void> {
    if (/ (connected|websocket upgrade response)$/.test(note)) await this.#connect(conn);
    else if (/ stream ended /.test(note)) await this.#end(conn, "peer");
    else if (/ we (close|send CLOSE)$/.test(note)) await this.#end(conn, "us");
  }

  async #connect(conn: string): Promise<void> {
    const { steps, webSockets } = this.#transcript;
    const own =
      steps.find((step) => step.conn === conn && step.dir === "out" && step.packet.src !== "")!
        .packet.src;
    const node = this.#replay.node(own, { removal: this.#removal });
    const link = await this.#replay.connectToPeer(conn, node, webSockets.has(conn));
    this.#clients.set(conn, {
      node,
      link,
      routes: new Map(),
      services: new Map(),
      calls: new Map(),
      heard: [],
      echo: null,
      expectedDrops: [],
    });
    await this.#replay.settle();
    // Before the peer has said a word, and without any time passing.
    assert.deepEqual(lastPackets(link, 1), [QUERY]);
    assert.equal(link.peer.received.length, 1);
  }

  /** The peer sends what it sent, as it sent it. */
  async #in(conn: string, steps: Step[]): Promise<void> {
    const client = this.#clients.get(conn);
    if (client === undefined) return; // Ours has found out, and left, before theirs.
    for (const { packet } of steps) this.#learn(client, packet);
    await this.#replay.send(conn, steps);
    await this.#replay.settle();
    for (const { packet } of steps) {
      if (packet.net === 0) await this.#checkArrival(client, packet);
    }
  }

  /** What the client should know after this packet. */
  #learn(client: Client, { net, data, ctx, srv }: Packet): void {
    const own = client.node.router.address;
    if (net === 1) {
      const { address, cost } = decodeRouteAdvert(data);
      if (address === own) return; // The way to us is ours to know.
      if (address === this.#transcript.address) {
        if (cost === 1) client.routes.set(address, 1);
      } else if (cost > 0) {
        client.routes.set(address, cost);
      } else {
        client.routes.delete(address);
        client.services.delete(address);
      }
    } else if (net === 2) {
      const { address, service, capacity } = decodeServiceAdvert(data);
      if (address === own) return;
      const known = client.services.get(address) ?? new Map();
      if (capacity > 0) client.services.set(address, known.set(service, capacity));
      else known.delete(service);
    } else if (net === 0 && srv === "" && ctx === 0) {
      client.expectedDrops.push("ERR_NO_SERVICE: Cannot deliver packet: nobody waits in context 0");
    }
  }

  /** A reply comes to whoever asked, with the data that the peer's program gave; a request to us. */
  async #checkArrival(client: Client, packet: Packet): Promise<void> {
    if (packet.srv !== "") return assert.deepEqual(plain(client.heard.pop()!), plain(packet));
    const call = client.calls.get(packet.ctx)!;
    client.calls.delete(packet.ctx);
    if (packet.ctx === 0) return; // A drop, which is checked at the end.
    const answer = await call.outcome;
    assert(answer instanceof Packet, `${answer}`);
    assert.equal(answer.src, this.#transcript.address);
    assert.deepEqual([...answer.data], [...call.expected!]);
  }

  /** Our side does, in its own way, what our laboratory did. */
  async #out(step: Step, rest: Step[]): Promise<void> {
    const { packet } = step;
    const client = this.#clients.get(step.conn)!;
    const { router } = client.node;
    const { link } = client;
    const before = link.peer.received.length;
    switch (packet.net) {
      case 0:
        return await this.#call(client, packet, rest, step.conn);
      case 1: {
        const { address, cost } = decodeRouteAdvert(packet.data);
        const oneself = address === router.address && cost === 1;
        // It announces itself when asked. What is not so, no application can make it say.
        if (oneself) assert.equal(link.rules.view().routes[address], 1);
        else assert.match(router.send(packet)!, /^ERR_PACKET_FIELD/);
        break;
      }
      case 2: {
        const { service, capacity } = decodeServiceAdvert(packet.data);
        const news = router.services()
          .find((info) => info.service === service && info.address === router.address)
          ?.capacity !== (capacity || undefined);
        if (capacity === 0) {
          router.unregisterService(service);
        } else if (client.echo !== null) {
          client.echo.capacity = capacity;
        } else {
          client.echo = router.registerService(
            service,
            (packet) => void client.heard.push(packet),
            {
              capacity,
            },
          );
        }
        await this.#replay.settle();
        const host = { address: router.address, cost: 1, left: new Map() };
        const told = capacity > 0
          ? [plain(packet)]
          : removalNews(this.#removal, router.address, host, service);
        // Once, if it is news, and then never again.
        assert.deepEqual(
          lastPackets(link, link.peer.received.length - before),
          news ? told : [],
        );
        break;
      }
      case 3:
        assert(link.rules.queries > 0);
        break;
      default:
        assert.match(router.send(packet)!, /^ERR_PACKET_FIELD/);
    }
    await this.#replay.settle();
  }

  async #call(client: Client, packet: Packet, rest: Step[], conn: string): Promise<void> {
    const { link, node, routes, calls } = client;
    const { router } = node;
    const { srv, dst, data, ctx, seq, ack, typ } = packet;
    const ahead = rest.slice(0, rest.findIndex((step) => step.dir === "out"));
    const answered = ahead.some(({ dir, conn: at, packet }) =>
      dir === "in" && at === conn && packet.net === 0 && packet.srv === "" && packet.ctx === ctx
    );
    const answer = servers[this.#transcript.name]?.(data, this.#transcript.address);
    const expected = answered ? bytesOf(answer!) : null;
    const host = [...client.services].find(([, services]) => services.has(srv))?.[0];
    const to = dst || host;
    const before = link.peer.received.length;

    node.rules.asks({ srv, ctx, seq, ack, typ });
    if (dst !== "" && ctx !== 0 && seq === 0) {
      node.pinContext(ctx);
      const options = { timeout: CALL_TIMEOUT, dst: dst === host ? undefined : dst };
      const outcome = router.request(srv, data, options).catch((error) => error);
      calls.set(ctx, { outcome, expected });
    } else {
      if (ctx !== 0) node.pinContext(ctx);
      const { promise: outcome, resolve } = Promise.withResolvers<Packet>();
      if (ctx !== 0) assert.equal(router.registerContextHandler(resolve), ctx);
      const failure = router.send({ srv, dst, data, ctx, seq, ack, typ });
      if (to === undefined) assert.match(failure!, /^ERR_NO_SERVICE/);
      else assert.equal(failure, null);
      if (answered) calls.set(ctx, { outcome, expected });
    }
    await this.#replay.settle();

    if (to === undefined || !routes.has(to)) {
      node.rules.asked.pop(); // It never left.
      assert.equal(link.peer.received.length, before);
      return;
    }
    const sent = { srv, src: router.address, dst: to, nxt: link.rules.peer, seq, ack, ctx, typ };
    const fields = plain({ ...new Packet(sent), net: 0, data });
    assert.deepEqual(lastPackets(link, link.peer.received.length - before), [fields]);
  }

  async #end(conn: string, who: "peer" | "us"): Promise<void> {
    const client = this.#clients.get(conn);
    if (client === undefined) return;
    this.#clients.delete(conn);
    if (who === "peer") await this.#replay.closePeer(conn);
    else await this.#replay.closeOurs(conn);
    const { router, drops } = client.node;
    assert.deepEqual(router.routes(), []);
    assert.deepEqual(router.services().filter(({ address }) => address !== router.address), []);
    for (const [ctx, { outcome }] of client.calls) {
      if (ctx === 0) continue;
      const error = await outcome;
      assert(error instanceof Error, `the recorded peer did not answer in context ${ctx}`);
      assert(error.name === "TimeoutError" || error.name === "UnreachableError", error.name);
    }
    assert.deepEqual(drops, client.expectedDrops);
  }

  #checkState({ node: { router }, routes, services }: Client): void {
    const via = this.#transcript.address;
    assert.deepEqual(
      sorted(router.routes()),
      sorted([...routes].map(([address, cost]) => ({ address, cost, via }))),
    );
    const known = [...services].filter(([address]) => routes.has(address))
      .flatMap(([address, capacities]) =>
        [...capacities].map(([service, capacity]) => ({ service, address, capacity }))
      );
    assert.deepEqual(
      sorted(router.services().filter(({ address }) => address !== router.address)),
      sorted(known),
    );
  }
}

// ── our server, the recorded clients of the recorded servers ────────────────

for (const name of Object.keys(servers)) {
  const transcript = readTranscript(name);
  for (const [how, cut] of waysToCut(transcript)) {
    for (const removal of removals) {
      test(
        `our server answers whatever the recorded ${name} answered, asked ${how}, with ${removal}`,
        {
          timeout: TIMEOUT,
        },
        async () => {
          await using replay = new Replay(cut);
          await new ServerReplay(replay, transcript, removal).run();
        },
      );
    }
  }
}

/** Plays our laboratory, byte for byte, to a server of ours in the recorded server's place. */
class ServerReplay {
  readonly #replay: Replay;
  readonly #transcript: Transcript;
  readonly #removal: RemovalPolicy;
  readonly #node: Node;
  /** What is to be so once the time until the next step has passed. */
  #later: () => void = () => {};

  constructor(replay: Replay, transcript: Transcript, removal: RemovalPolicy) {
    this.#replay = replay;
    this.#transcript = transcript;
    this.#removal = removal;
    this.#node = replay.node(transcript.address, { removal });
    const answer = servers[transcript.name];
    if (!answer) return;
    this.#node.router.registerService("ping", (packet, reply) => {
      reply(answer(packet.data, transcript.address));
    });
  }

  async run(): Promise<void> {
    const { steps } = this.#transcript;
    let now = 0;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      await this.#replay.advance(step.at - now);
      now = step.at;
      if (step.dir === "in") continue; // What the recorded server did is not ours to do.
      if (step.dir === "out" && this.#replay.links.has(step.conn)) {
        this.#later();
        this.#later = () => {};
        await this.#out(step, steps.slice(i + 1));
      } else if (/ (connected|websocket upgrade response)$/.test(step.note)) {
        await this.#connect(step.conn);
      } else if (/ (we close|we send CLOSE|stream ended .*)$/.test(step.note)) {
        this.#later();
        this.#later = () => {};
        await this.#close(step.conn);
      }
    }
    assert.equal(this.#replay.links.size, 0, "every connection of the recording has ended");
    assert.deepEqual(this.#node.router.routes(), []);
  }

  async #connect(conn: string): Promise<void> {
    const { webSockets } = this.#transcript;
    const link = await this.#replay.connectToUs(conn, this.#node, webSockets.has(conn));
    await this.#replay.settle();
    assert.deepEqual(lastPackets(link, link.peer.received.length), [QUERY]);
  }

  async #close(conn: string): Promise<void> {
    if (!this.#replay.links.has(conn)) return;
    await this.#replay.closePeer(conn);
    await this.#replay.advance(BAD_NEWS_DELAY);
    // Whoever is still there forgets what only the one that left has offered.
    for (const link of this.#replay.links.values()) {
      assert.deepEqual(link.rules.view(), this.#ownView());
    }
  }

  /** What everybody is told of us. */
  #ownView(): { routes: Record<string, number>; services: Record<string, number> } {
    const { address, name } = this.#transcript;
    return {
      routes: { [address]: 1 },
      services: servers[name] ? { [`ping@${address}`]: 1 } : {},
    };
  }

  async #out(step: Step, rest: Step[]): Promise<void> {
    const counts = new Map(this.#received());
    await this.#replay.send(step.conn, [step]);
    await this.#replay.settle();
    const news = this.#received().flatMap(([conn, count]) =>
      lastPackets(this.#replay.links.get(conn)!, count - counts.get(conn)!)
        .map((packet) => ({ conn, ...packet }))
    );
    const { packet } = step;
    if (packet.net === 0) this.#checkPacket(step, rest, news);
    else if (packet.net === 1) await this.#checkRoute(step);
    else if (packet.net === 2) this.#checkService(step, news);
    else if (packet.net === 3) this.#checkTables(step.conn);
    else assert.match(this.#node.drops.pop()!, /^ERR_(CHANNEL_PEER|PACKET_FIELD)/);
  }

  #received(): [string, number][] {
    return [...this.#replay.links].map(([conn, { peer }]) => [conn, peer.received.length]);
  }

  /** Every request is answered, carried on or dropped, as it should. */
  #checkPacket(step: Step, rest: Step[], news: (Partial<PacketFields> & { conn: string })[]): void {
    const { address, name } = this.#transcript;
    const { srv, src, dst, ctx, data, seq, ack, typ } = step.packet;
    const answer = servers[name];
    const forUs = srv === "ping" && answer && src !== "" && (dst === address || dst === "");
    const last = this.#replay.links.get("A")!.rules;
    const forA = srv === "echo" && dst !== address;
    const reply = { src: address, dst: src, nxt: src, ctx };
    const carried = { srv, src, dst: last.peer, nxt: last.peer, seq, ack, ctx, typ, data };
    const expected = forUs
      ? [{ conn: step.conn, ...plain(new Packet({ ...reply, data: answer(data, address) })) }]
      : forA
      ? [{ conn: "A", ...plain(new Packet(carried)) }]
      : [];
    assert.deepEqual(news, expected);
    if (forUs || forA || src === "") assert.deepEqual(this.#node.drops, []);
    else assert.match(this.#node.drops.pop()!, /^ERR_NO_(SERVICE|ROUTE)/);

    const ahead = rest.slice(0, rest.findIndex((step) => step.dir === "out"));
    for (const { dir, conn, packet } of ahead) {
      if (dir === "in" && packet.net === 0) assert.deepEqual(news, [{ conn, ...plain(packet) }]);
    }
  }

  async #checkRoute({ label, packet, conn }: Step): Promise<void> {
    const { address } = this.#transcript;
    const { router } = this.#node;
    const own = packet.src;
    const far = "lab-z";
    const view = (conn: string) => this.#replay.links.get(conn)!.rules.view();
    const viaA = { address: far, cost: 2, via: own };
    const found = () => router.routes().find((route) => route.address === far);
    switch (label) {
      case "NET_ROUTE self":
        assert.deepEqual(router.routes(), [{ address: own, cost: 1, via: own }]);
        return assert.deepEqual(view(conn), this.#ownView());
      case "route z 2": // A rumour is believed in time, for A might have it from us; but not twice.
        if (found() === undefined) {
          assert.equal(view("B").routes[far], undefined);
          await this.#replay.advance(ADOPT_DELAY);
        }
        assert.deepEqual(found(), viaA);
        return assert.equal(view("B").routes[far], 3);
      case "route z 3": // B need not know what may be over in a moment, and is.
        assert.deepEqual(found(), { ...viaA, cost: 3 });
        return assert.equal(view("B").routes[far], 3);
      case "route z 2 by B": // No better than what we have: nothing happens.
        assert.equal(found()!.via, "lab-a");
        return assert.equal(view("B").routes[far], 3);
      case "route z 0 by B": // B has forgotten ours, too, and is offered it again.
        assert.equal(found()!.via, "lab-a");
        assert.equal(view("B").routes[far], undefined);
        await this.#replay.advance(OFFER_AGAIN_DELAY);
        return assert.equal(view("B").routes[far], 3);
      case "route peer 3": // We know the way to ourselves.
        assert.equal(router.routes().some((route) => route.address === address), false);
        return assert.equal(view("B").routes[address], 1);
      case "route peer 0": { // Whoever withdraws us hears that we are here.
        assert.equal(view("A").routes[address], undefined);
        this.#later = () => {
          assert.deepEqual(view("A"), { ...view("A"), ...this.#ownView() });
          assert.equal(view("B").routes[address], 1);
        };
        return;
      }
      default:
        assert.fail(`an unknown step: ${label}`);
    }
  }

  /** Everybody else hears of it, if it is news. */
  #checkService(
    { conn, packet }: Step,
    news: (Partial<PacketFields> & { conn: string })[],
  ): void {
    const { address, service, capacity } = decodeServiceAdvert(packet.data);
    const key = `${service}@${address}`;
    const others = [...this.#replay.links.keys()].filter((other) => other !== conn);
    for (const other of others) {
      const { services } = this.#replay.links.get(other)!.rules.view();
      assert.equal(services[key], capacity || undefined);
    }
    const value = this.#capacities.get(key) ?? 0;
    this.#capacities.set(key, capacity);
    const left = new Map(
      this.#node.router.services().filter((info) => info.address === address)
        .map(({ service, capacity }) => [service, capacity]),
    );
    const told = capacity > 0 ? [plain(packet)] : removalNews(
      this.#removal,
      this.#transcript.address,
      { address, cost: 2, left },
      service,
    );
    const expected = value === capacity
      ? []
      : others.flatMap((conn) => told.map((packet) => ({ conn, ...packet })));
    assert.deepEqual(news, expected);
  }
  readonly #capacities: Map<string, number> = new Map();

  /** An answer holds everything but what the asker itself is or offers. */
  #checkTables(conn: string): void {
    const { rules } = this.#replay.links.get(conn)!;
    const { routes } = rules.view();
    assert.equal(routes[this.#transcript.address], 1);
    for (const { address, cost, via } of this.#node.router.routes()) {
      assert.equal(routes[address], via === rules.peer ? undefined : cost + 1);
    }
    for (const { service, address, capacity } of this.#node.router.services()) {
      const told = rules.view().services[`${service}@${address}`];
      assert.equal(told, address in routes ? capacity : undefined);
    }
  }
}

// ── our server, the recorded clients ────────────────────────────────────────

for (const name of clients) {
  const transcript = readTranscript(name);
  for (const [how, cut] of waysToCut(transcript)) {
    for (const removal of removals) {
      test(`our server gives the recorded ${name} what it needs, sent ${how}, with ${removal}`, {
        timeout: TIMEOUT,
      }, async () => {
        await using replay = new Replay(cut);
        await playClient(replay, transcript, removal);
      });
    }
  }
}

/** Plays a recorded client to our server, which calls the client's service where the client has one. */
async function playClient(
  replay: Replay,
  { steps, address, webSockets }: Transcript,
  removal: RemovalPolicy,
) {
  const node = replay.node("lab-host", { removal });
  const { router } = node;
  // The services that our laboratory offered to this client, and their answers.
  for (const { dir, packet } of steps) {
    if (dir !== "out" || packet.net !== 2) continue;
    const { service } = decodeServiceAdvert(packet.data);
    router.registerService(service, (_packet, reply) => void reply("pong"));
  }
  const link = await replay.connectToUs("A", node, webSockets.has("A"));
  await replay.settle();
  assert.deepEqual(lastPackets(link, link.peer.received.length), [QUERY]);

  let call: Promise<Packet> | null = null;
  let now = 0;
  for (const step of steps) {
    const { dir, packet, message } = step;
    const isOurs = packet.src === "lab-host" || packet.net !== 0;
    await replay.advance(step.at - now);
    now = step.at;
    if (/peer closed|browser closes|we close/.test(step.note) && replay.links.has("A")) {
      await replay.closePeer("A");
      assert.deepEqual(router.routes(), []);
    } else if (dir === "in") {
      await replay.send("A", [step]);
      await replay.settle();
      if (packet.net === 1) {
        assert.deepEqual(router.routes(), [{ address, cost: 1, via: address }]);
      } else if (packet.net === 2) {
        assert(router.serviceAddresses("ping").includes(address));
      } else if (packet.net === 0 && packet.srv === "") {
        assert.deepEqual([...(await call!).data], [...packet.data]);
        call = null;
      }
    } else if (dir === "out" && isOurs) {
      if (packet.net === 0 && packet.srv === "") { // Our handler has answered at once.
        const sent = link.peer.received.at(-1)!;
        assert.deepEqual(plain(decodeOurs(link, sent)), plain(packet));
        if (!link.webSocket) assert.deepEqual(sent, message);
      } else if (packet.net === 0 && steps.some((reply) => isReply(reply, packet))) {
        node.pinContext(packet.ctx);
        node.rules.asks({ srv: packet.srv, ctx: packet.ctx });
        call = router.request(packet.srv, packet.data, { dst: address });
        await replay.settle();
        const sent = plain(new Packet({ ...packet, data: packet.data, nxt: address }));
        assert.deepEqual(lastPackets(link, 1), [sent]);
      } else if (packet.net === 1) {
        assert.equal(link.rules.view().routes["lab-host"], 1);
      } else if (packet.net === 2) {
        const { service, capacity } = decodeServiceAdvert(packet.data);
        if (capacity === 0) {
          router.unregisterService(service);
          await replay.settle();
          const left = new Map(
            router.services().filter((info) => info.address === "lab-host")
              .map(({ service, capacity }) => [service, capacity]),
          );
          const host = { address: "lab-host", cost: 1, left };
          const news = removalNews(removal, "lab-host", host, service);
          assert.deepEqual(lastPackets(link, news.length), news);
          if (removal === "announce") assert.deepEqual(link.peer.received.at(-1), message);
        }
        const { services } = link.rules.view();
        assert.equal(services[`${service}@lab-host`], capacity || undefined);
      }
    }
  }
  assert.equal(replay.links.size, 0);
  assert.equal(call, null);
  assert.deepEqual(node.drops, []);
}

function isReply({ dir, packet }: Step, request: Packet): boolean {
  return dir === "in" && packet.net === 0 && packet.srv === "" && packet.ctx === request.ctx;
}

// ── our server, the recorded sketches ───────────────────────────────────────

describe("our server reads the log packets of the recorded arduino sketches", () => {
  const { steps } = readTranscript("arduino_sketches");
  const sketches: Record<string, { routes: string[]; text: string }> = {
    "ESP32.ino": { routes: [], text: "23.33*F" }, // Its advertisement is malformed.
    "ESP32_BLE_UART.ino": { routes: ["ESP32-black-box-a"], text: "23.33*F" },
    "ESP8266_MCP9808.ino": { routes: ["ESP8266-09"], text: "72.500F" }, // Its cost says 256.
  };
  for (const [sketch, { routes, text }] of Object.entries(sketches)) {
    for (const [how, cut] of Object.entries(cuts)) {
      test(`${sketch}, sent ${how}`, { timeout: TIMEOUT }, async () => {
        await using replay = new Replay(cut);
        const node = replay.node("server");
        const logged: string[] = [];
        node.router.registerService("log", (packet) => {
          logged.push(`${packet.src}: ${packet.text()}`);
          assert.equal(packet.dst, "server"); // It said no dst; we have resolved it.
        });
        const [route, log] = steps.filter((step) => step.sketch === sketch);
        const link = await replay.connectToUs("A", node, false);
        await replay.settle();

        // A sketch answers every query with its route and else logs every 2 seconds.
        let answered = 0;
        for (let seconds = 0; seconds < 120; seconds += 2) {
          while (answered < link.rules.queries) {
            answered++;
            await replay.send("A", [route!]);
            await replay.settle();
          }
          await replay.send("A", [log!]);
          await replay.settle();
          await replay.advance(2_000);
        }
        assert.deepEqual(logged, Array(60).fill(`${log!.packet.src}: ${text}`));
        assert.deepEqual(
          node.router.routes(),
          routes.map((address) => ({ address, cost: 1, via: address })),
        );
        if (routes.length > 0) {
          assert.equal(link.rules.queries, 2, "a query, and whether all is still so");
          assert.deepEqual(node.drops, []);
        } else {
          assert.equal(link.rules.queries, 7, "a query and five more, then one in a while");
          assert.equal(node.drops.length, 7, "every malformed route is told as a drop");
          for (const drop of node.drops) assert.match(drop, /^ERR_PACKET_/);
        }
      });
    }
  }
});

// ── a server that loses what it is sent ─────────────────────────────────────

test("our retries get through to the recorded go_websocket_host, which loses messages", {
  timeout: TIMEOUT,
}, async () => {
  const { steps, address } = readTranscript("go_websocket_host_ws");
  await using replay = new Replay((bytes) => [bytes]);
  const node = replay.node("lab-w");
  const { router } = node;
  const link = await replay.connectToPeer("A", node, true);
  const find = (net: number, srv = "") =>
    steps.filter((step) =>
      step.conn === "A" && step.dir === "in" && step.packet.net === net && step.packet.srv === srv
    );
  const [query] = find(3);
  const tables = [...find(1), ...find(2)];
  const [answer] = find(0);
  const lost = steps.filter(({ dir, conn, packet, label }) =>
    dir === "out" && conn === "A" && packet.srv === "ping" && packet.src !== "" &&
    !steps.some((reply) => isReply(reply, packet)) && !label.includes("binary ws frame")
  );
  assert.equal(lost.length, 6, "requests that the recorded server lost");

  // It asks, and gets our tables; what we ask, it loses twice.
  const announced = { net: 1, src: "lab-w", data: [5, ...bytesOf("lab-w"), 0, 1] };
  await replay.send("A", [query!]);
  await replay.settle();
  assert.deepEqual(lastPackets(link, link.peer.received.length), [QUERY, announced]);
  await replay.advance(1_000);
  assert.deepEqual(lastPackets(link, 2), [announced, QUERY]);
  await replay.advance(2_000);
  assert.deepEqual(lastPackets(link, 2), [announced, QUERY]);
  assert.equal(link.rules.queries, 3);

  // The third time it answers; and we ask no more until it is silent. That it has answered one query
  // of three shows that its silence means nothing: the link stays.
  const found = router.waitForService("ping");
  await replay.send("A", tables);
  await replay.settle();
  assert.equal(await found, address);
  const { length: before } = link.peer.received;
  await replay.advance(KEEPALIVE - 1);
  assert.equal(link.peer.received.length, before);
  await replay.advance(3_600_000);
  const later = lastPackets(link, link.peer.received.length - before);
  const queries = later.filter(({ net }) => net === QUERY.net).length;
  const most = 3_600_000 / KEEPALIVE;
  assert(queries > most - 5 && queries <= most + 2, `${queries} queries`);
  for (const packet of later) if (packet.net !== QUERY.net) assert.deepEqual(packet, announced);

  // What it loses ends in time; who asks again is answered.
  for (const { packet: { data } } of lost) {
    node.rules.asks({ srv: "ping", ctx: 4660 });
    node.pinContext(4660);
    const call = assert.rejects(router.request("ping", data), { name: "TimeoutError" });
    await replay.settle();
    await replay.advance(5_000);
    await call;
  }
  node.rules.asks({ srv: "ping", ctx: 4660 });
  node.pinContext(4660);
  const call = router.request("ping", "hello");
  await replay.settle();
  await replay.send("A", [answer!]);
  assert.equal((await call).text(), `pong from ${address}!`);
  assert.deepEqual(node.drops, []);
});

// ── the rules themselves ────────────────────────────────────────────────────

describe("the rules of what old peers bear notice", () => {
  const us = "us";
  const route = (address: string, cost: number, src = us) =>
    new Packet({ net: 1, src, data: encodeRouteAdvert({ address, cost }) });
  const service = (address: string, service: string, capacity: number) =>
    new Packet({ net: 2, data: encodeServiceAdvert({ address, service, capacity }) });
  const query = new Packet({ net: 3 });
  const hello = (address: string) =>
    encodeHello({
      caps: 3,
      address,
      instance: 1,
      session: "0123456789abcdef",
      keepalive: 0,
      dead: 0,
      role: 0,
      maxFrame: 0,
      maxRoutes: 0,
      seen: "",
      also: "",
    });
  const reply = { src: us, dst: "peer", nxt: "peer", ctx: 7, data: "pong" };
  const toUs = new Packet({ src: "peer", dst: us, srv: "ping", ctx: 7 });

  /** What we send after a query and our tables; the peer has asked, and offers `ping` itself. */
  const offences: Record<string, (Packet | Message)[]> = {
    "an empty frame": [Uint8Array.of(0xc0)],
    "an empty packet": [Uint8Array.of(0, 0, 0xc0)],
    "a frame that begins with C0": [Uint8Array.of(0xc0), query],
    "a checksum": [encodeFrame(query.toBinary({ crc: true }))],
    "bytes after a packet": [encodeFrame(Uint8Array.of(...query.toBinary(), 0))],
    "an error": [new Packet({ net: 255, data: "no" })],
    "an unknown net": [new Packet({ net: 9 })],
    "a query with a source": [new Packet({ net: 3, src: us })],
    "a query with data that is no hello": [new Packet({ net: 3, data: "hello" })],
    "a query with bytes behind its hello": [
      new Packet({ net: 3, data: Uint8Array.of(...hello(us), 99, 0) }),
    ],
    "a query with somebody else's hello": [new Packet({ net: 3, data: hello("peer") })],
    "a hello that is no query": [new Packet({ net: 2, data: hello(us) })],
    "a link frame": [new Packet({ net: 4, data: Uint8Array.of(6, 0, 0) })],
    "a trailer": [new Packet({ ...reply, trailer: { hops: 9, instance: 0, counter: 0 } })],
    "a route without a source": [route(us, 1, "")],
    "a route without data": [new Packet({ net: 1, src: us })],
    "a route of somebody else's making": [route(us, 1, "other")],
    "a route that nobody offers": [route("ghost", 2)],
    "a route learned from the same peer": [route("behind-peer", 3)],
    "a route to the peer itself": [route("peer", 2)],
    "a cost that is not one more": [route("beyond", 4)],
    "a cost above 64": [route("distant", 65)],
    "the same route twice": [route("beyond", 3), route("beyond", 3)],
    "a withdrawal of ourselves": [route(us, 0)],
    "a withdrawal of what was never told": [route("beyond", 0)],
    "a service with bytes behind it": [
      new Packet({ net: 2, data: Uint8Array.of(...service(us, "ping", 1).data, 0) }),
    ],
    "a service without data": [new Packet({ net: 2 })],
    "the same service twice": [service(us, "ping", 1)],
    "a service that we do not have": [service(us, "pong", 1)],
    "a service at another capacity": [service(us, "ping", 2)],
    "a service of the peer's own": [service("peer", "ping", 1)],
    "a service of a host that was not told": [service("beyond", "echo", 5)],
    "a withdrawal of a service by capacity 0": [service(us, "gone", 0)],
    "a withdrawal of ourselves that is not made up for": [route(us, 0), query],
    "a withdrawal of a service that is there": [service(us, "ping", 0)],
    "a withdrawal of a service that was never told": [service(us, "pong", 0)],
    "a reply with a service": [new Packet({ ...reply, srv: "ping" })],
    "a reply in another context": [new Packet({ ...reply, ctx: 8 })],
    "a second reply": [new Packet(reply), new Packet(reply)],
    "a reply with a type": [new Packet({ ...reply, typ: 1 })],
    "a reply with a sequence number": [new Packet({ ...reply, seq: 1 })],
    "a reply without a next hop": [new Packet({ ...reply, nxt: "" })],
    "a reply without a destination": [new Packet({ ...reply, dst: "" })],
    "a request that nobody made": [new Packet({ ...reply, srv: "echo" })],
    "a packet carried that never came": [new Packet({ ...reply, src: "beyond" })],
  };
  for (const [what, messages] of Object.entries(offences)) {
    test(what, { timeout: TIMEOUT }, async () => {
      await using router = new Router(us);
      router.registerService("ping", () => {});
      const rules = new SendRules(router);
      const link = rules.linkUp(false);
      const other = rules.linkUp(false);
      const send = (message: Packet | Message) => {
        link.sent(message instanceof Packet ? encodeFrame(message.toBinary()) : message);
      };
      send(query);
      link.heard(query);
      for (const packet of [route(us, 1), service(us, "ping", 1)]) send(packet);
      link.heard(route("peer", 1, "peer"));
      link.heard(service("peer", "ping", 1));
      link.heard(route("behind-peer", 2, "peer"));
      link.heard(toUs);
      other.heard(route("other", 1, "other"));
      other.heard(route("beyond", 2, "other"));
      other.heard(route("distant", 64, "other"));
      other.heard(service("beyond", "echo", 5));
      rules.check();
      for (const message of messages) send(message);
      assert.throws(() => rules.check());
    });
  }

  test("nothing wrong with what is right", { timeout: TIMEOUT }, async () => {
    await using router = new Router(us);
    router.registerService("ping", () => {});
    const rules = new SendRules(router);
    const [link, other] = [rules.linkUp(false), rules.linkUp(false)];
    const send = (packet: Packet) => link.sent(encodeFrame(packet.toBinary()));
    send(query);
    for (const packet of [route("other", 1, "other"), route("beyond", 2, "other")]) {
      other.heard(packet);
    }
    other.heard(service("beyond", "echo", 5));
    other.heard(new Packet({ src: "beyond", dst: "peer", srv: "ping", ctx: 3, typ: 2 }));
    link.heard(route("peer", 1, "peer"));
    const tables = [route(us, 1), route("other", 2), route("beyond", 3), service(us, "ping", 1)];
    for (let asked = 0; asked < 2; asked++) {
      link.heard(query);
      tables.forEach(send);
      link.heard(toUs);
      send(new Packet(reply));
    }
    send(service("beyond", "echo", 5));
    rules.asks({ srv: "ping", ctx: 9 });
    send(new Packet({ src: us, dst: "peer", nxt: "peer", srv: "ping", ctx: 9 }));
    send(new Packet({ src: "beyond", dst: "peer", nxt: "peer", srv: "ping", ctx: 3, typ: 2 }));
    send(route("beyond", 0));
    send(new Packet({ net: 3, data: hello(us) }));
    router.unregisterService("ping");
    send(route(us, 0));
    send(route(us, 1));
    rules.check();
  });

  const jsonOffences: Record<string, Message> = {
    "a binary message": encodeFrame(query.toBinary()),
    "text that is no JSON": "query",
    "two packets in a message": `${query.toJson()}\n${query.toJson()}`,
    "a null": '{"cf":13312,"net":3,"data":null}',
    "a key that no peer knows": '{"cf":13312,"net":3,"ttl":1}',
    "a number as text": '{"cf":13312,"net":"3"}',
    "a number out of range": '{"cf":13312,"net":3,"ctx":65536}',
    "a fraction": '{"cf":13312,"net":3.5}',
    "an empty string": '{"cf":13312,"net":3,"src":""}',
    "base64 without padding": '{"cf":13314,"net":3,"data_sz":1,"data":"aA"}',
    "base64 of another alphabet": '{"cf":13314,"net":3,"data_sz":3,"data":"_-_-"}',
    "a wrong size": '{"cf":13314,"net":3,"data_sz":2,"data":"aA=="}',
  };
  for (const [what, message] of Object.entries(jsonOffences)) {
    test(`${what} over a WebSocket`, { timeout: TIMEOUT }, async () => {
      await using router = new Router(us);
      const rules = new SendRules(router);
      const link = rules.linkUp(true);
      link.sent(query.toJson());
      rules.check();
      link.sent(message);
      assert.throws(() => rules.check());
    });
  }

  test("anything said before the query", { timeout: TIMEOUT }, async () => {
    await using router = new Router(us);
    const rules = new SendRules(router);
    rules.linkUp(false).sent(encodeFrame(route(us, 1).toBinary()));
    assert.throws(() => rules.check(), /not a query/);
  });
});

// ── plain things ────────────────────────────────────────────────────────────

/** The last packets that our side has sent over a link, as plain objects; a hello is left out. */
function lastPackets(link: Link, count: number): Partial<PacketFields>[] {
  const { received } = link.peer;
  return received.slice(received.length - count).map((sent) => {
    const packet = decodeOurs(link, sent);
    if (packet.net === 3 && decodeHello(packet.data) !== null) packet.data = null;
    return plain(packet);
  });
}

function decodeOurs(link: Link, message: Message): Packet {
  return decode(message, link.webSocket);
}

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}

function sorted<T extends ReturnType<Router["routes"]> | ReturnType<Router["services"]>>(
  list: T,
): string[] {
  return list.map((item) => JSON.stringify(item)).sort();
}
