/**
 * What it takes to play a recorded peer over a real socket: the recording, the peer's end of a
 * link, and our end with a tap on it.
 *
 * Nothing here waits for time. Both ends count what they sent and what they got, and
 * {@linkcode Replay.settle} resolves when the counts agree; our routers' clock is moved by hand.
 *
 * Our side takes the recorded addresses and contexts instead of mapping those of the recording to
 * its own: so every recorded byte, damage included, goes out exactly as it was recorded.
 */

import assert from "node:assert/strict";
import {
  type AlnError,
  type BaseChannel,
  type Bytes,
  type Channel,
  connectWebSocket,
  Packet,
  type PacketFields,
  Router,
  type RouterOptions,
} from "../../mod.ts";
import { connectTcp, listenTcp, upgradeWebSocket } from "../../src/runtime/deno.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { PacketDecoder } from "../../src/wire/mod.ts";
import { concat, hex } from "../wire/hex.ts";
import { type LinkRules, SendRules } from "./replay_rules.ts";

const FRAME_END = 0xc0;

/** How long anything in a replay may take before the replay is stuck, in ms. */
const STUCK = 10_000;

// ── recordings ──────────────────────────────────────────────────────────────

/** What crosses a link: one KISS frame or several, or one WebSocket message. */
export type Message = Bytes | string;

/** One recorded event. */
export interface Step {
  /** `in`: the recorded peer sent it. `out`: our laboratory sent it. */
  dir: "in" | "out" | "note";
  /** Which connection, in recordings of more than one. */
  conn: string;
  /** When, in ms. */
  at: number;
  /** What our laboratory meant by it. */
  label: string;
  /** Of a note. */
  note: string;
  /** Not of a note. */
  message: Message;
  /** Not of a note: what the message means. */
  packet: Packet;
  /** Arduino: which sketch. */
  sketch: string;
}

/** One recording. */
export interface Transcript {
  name: string;
  /** Address of the recorded peer, if it ever said so. */
  address: string;
  steps: Step[];
  /** Connections that are WebSockets; the others are TCP. */
  webSockets: Set<string>;
}

interface RawStep {
  dir: Step["dir"];
  conn?: string;
  t?: number;
  label?: string;
  hex?: string;
  text?: string;
  sketch?: string;
}

/** Reads a recording. */
export function readTranscript(name: string): Transcript {
  const url = new URL(`transcripts/${name}.json`, import.meta.url);
  const { steps: raw }: { steps: RawStep[] } = JSON.parse(Deno.readTextFileSync(url));
  const isMessage = (step: RawStep) => step.dir !== "note";
  const webSockets = new Set(
    raw.filter((step) => isMessage(step) && step.text !== undefined).map(connOf),
  );
  const steps = raw.map((step): Step => {
    const message = step.hex === undefined ? step.text! : hex(step.hex);
    return {
      dir: step.dir,
      conn: connOf(step),
      at: (step.t ?? 0) * 1_000,
      label: step.label ?? "",
      note: isMessage(step) ? "" : step.text!,
      message,
      packet: isMessage(step) ? decode(message, webSockets.has(connOf(step))) : new Packet(),
      sketch: step.sketch ?? "",
    };
  });
  const address = steps.find((step) => step.dir === "in" && step.packet.net === 1)?.packet.src;
  return { name, address: address ?? "", steps, webSockets };
}

/** `A connected` belongs to A, too. */
function connOf(step: RawStep): string {
  return step.conn ?? (step.dir === "note" ? /^([A-Z]) /.exec(step.text!)?.[1] : "A") ?? "";
}

/** What a message means: by our codec, which the recorded vectors prove. */
export function decode(message: Message, webSocket: boolean): Packet {
  if (typeof message === "string") return Packet.fromJson(message);
  if (webSocket) return Packet.fromJson(new TextDecoder().decode(message));
  const packets = new PacketDecoder().push(message);
  assert.equal(packets.length, 1);
  return packets[0]!;
}

/** The fields of a packet as a plain object, without those that are absent. */
export function plain(packet: PacketFields): Partial<PacketFields> {
  const fields: Record<string, unknown> = {};
  for (
    const key of ["net", "srv", "src", "dst", "nxt", "seq", "ack", "ctx", "typ"] as const
  ) if (packet[key]) fields[key] = packet[key];
  if (packet.data.length > 0) fields.data = [...packet.data];
  return fields;
}

// ── how a stream is cut ─────────────────────────────────────────────────────

/** Cuts what is sent at once into what is written at once. */
export type Cut = (bytes: Bytes) => Bytes[];

/** Three ways to cut a stream; the last differs every time, and the same way every run. */
export const cuts: Record<string, Cut> = {
  "in whole chunks": (bytes) => [bytes],
  "byte by byte": (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte)),
  "cut at random": (() => {
    const random = seededRandom(41);
    return (bytes: Bytes) => {
      const chunks: Bytes[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = 1 + Math.floor(random() * 23);
        chunks.push(bytes.slice(at, at + size));
        at += size;
      }
      return chunks;
    };
  })(),
};

// ── waiting ─────────────────────────────────────────────────────────────────

/** Tells those who wait that something has happened. */
class Pulse {
  readonly #waiters: Set<() => void> = new Set();

  beat(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Resolves when the condition holds; fails, and says what was waited for, if it never does. */
  until(condition: () => boolean, what: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(check);
        reject(new Error(`Stuck: ${what()}`));
      }, STUCK);
      this.#waiters.add(check);
      check();
    });
  }
}

// ── the peer's end ──────────────────────────────────────────────────────────

/** The peer's end of a link: a bare socket. It knows frames and messages, and no protocol. */
export interface PeerEnd {
  /** Every frame (with its end) or message that our side has sent. */
  readonly received: Message[];
  /** Whether our side has ended the connection, or the peer. */
  readonly ended: boolean;
  /** Sends messages; on a stream, cut as `cut` says. */
  send(messages: Message[]): Promise<void>;
  /** Ends the connection in an orderly way. */
  close(): void;
}

class TcpPeerEnd implements PeerEnd {
  readonly received: Message[] = [];
  ended: boolean = false;
  readonly #conn: Deno.TcpConn;
  readonly #cut: Cut;
  readonly #onMessage: (message: Message) => void;
  #rest: number[] = [];

  constructor(
    conn: Deno.TcpConn,
    cut: Cut,
    onMessage: (message: Message) => void,
    onEnd: () => void,
  ) {
    this.#conn = conn;
    this.#cut = cut;
    this.#onMessage = onMessage;
    conn.setNoDelay(true);
    this.#read().catch(() => {}).finally(() => {
      this.ended = true;
      this.close();
      onEnd();
    });
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(4_096);
    for (let size; (size = await this.#conn.read(buffer)) !== null;) {
      for (const byte of buffer.subarray(0, size)) {
        this.#rest.push(byte);
        if (byte !== FRAME_END) continue;
        const frame = Uint8Array.from(this.#rest);
        this.#rest = [];
        this.received.push(frame);
        this.#onMessage(frame);
      }
    }
    if (this.#rest.length > 0) this.#onMessage(Uint8Array.from(this.#rest)); // Against the rules.
  }

  async send(messages: Message[]): Promise<void> {
    const stream = concat(...messages.map((message) => message as Bytes));
    for (const chunk of this.#cut(stream)) {
      for (let sent = 0; sent < chunk.length;) {
        sent += await this.#conn.write(chunk.subarray(sent));
      }
    }
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      return; // It is closed.
    }
  }
}

class WebSocketPeerEnd implements PeerEnd {
  readonly received: Message[] = [];
  ended: boolean = false;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, onMessage: (message: Message) => void, onEnd: () => void) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" ? data : new Uint8Array(data);
      this.received.push(message);
      onMessage(message);
    };
    socket.onclose = () => {
      this.ended = true;
      onEnd();
    };
  }

  send(messages: Message[]): Promise<void> {
    for (const message of messages) this.#socket.send(message);
    return Promise.resolve();
  }

  close(): void {
    this.#socket.close();
  }
}

// ── our end ─────────────────────────────────────────────────────────────────

/** Our channel, between the router and the real one: counts what passes. */
class Tap implements Channel {
  readonly inner: BaseChannel<unknown>;
  sent: number = 0;
  received: number = 0;
  dropped: number = 0;
  closed: boolean = false;
  onPacket: ((packet: Packet) => void) | null = null;
  onClose: ((reason?: unknown) => void) | null = null;
  onDrop: ((error: AlnError, packet: Packet | null) => void) | null = null;

  constructor(inner: BaseChannel<unknown>, changed: () => void) {
    this.inner = inner;
    inner.onPacket = (packet) => {
      this.onPacket?.(packet);
      this.received++;
      changed();
    };
    inner.onClose = (reason) => {
      this.closed = true;
      this.onClose?.(reason);
      changed();
    };
    inner.onDrop = (error, packet) => {
      this.dropped++;
      this.onDrop?.(error, packet);
      changed();
    };
  }

  send(packet: Packet): boolean {
    const taken = this.inner.send(packet);
    if (taken) this.sent++;
    return taken;
  }

  close(reason?: unknown): void {
    this.inner.close(reason);
  }
}

/** A router of ours, and all that a replay wants to know of it. */
export interface Node {
  router: Router;
  rules: SendRules;
  /** What its `drop` events said. */
  drops: string[];
  /** Makes its next context this one. */
  pinContext(ctx: number): void;
}

/** One link of a replay. */
export interface Link {
  node: Node;
  peer: PeerEnd;
  tap: Tap;
  rules: LinkRules;
  webSocket: boolean;
  /** Packets that the peer has sent. */
  sent: number;
}

// ── a replay ────────────────────────────────────────────────────────────────

/** A replay: sockets, links, our routers, and their clock. */
export class Replay implements AsyncDisposable {
  readonly clock: ManualClock = new ManualClock();
  readonly links: Map<string, Link> = new Map();
  readonly #nodes: Node[] = [];
  readonly #cut: Cut;
  readonly #pulse: Pulse = new Pulse();
  readonly #cleanup: (() => unknown)[] = [];

  constructor(cut: Cut) {
    this.#cut = cut;
  }

  /** Makes a router of ours. */
  node(address: string, options: RouterOptions = {}): Node {
    const router = new Router(address, { clock: this.clock, random: () => 0, ...options });
    const drops: string[] = [];
    const node: Node = {
      router,
      rules: new SendRules(router, options.removal),
      drops,
      pinContext(ctx) {
        const open = () => {
          const id = router.registerContextHandler(() => {});
          router.releaseContext(id);
          return id;
        };
        // They go in turn, past those in use: up to the one before it.
        let before = open();
        let id: number;
        for (let left = 65_535; (id = open()) !== ctx; before = id) assert(left-- > 0);
        for (let left = 65_535; open() !== before;) assert(left-- > 0);
      },
    };
    router.addEventListener("drop", ({ error }) => drops.push(`${error.code}: ${error.message}`));
    this.#nodes.push(node);
    return node;
  }

  /** Links our router, which connects, to the peer, which listens. */
  async connectToPeer(name: string, node: Node, webSocket: boolean): Promise<Link> {
    const make = this.#makeLink(name, node, webSocket);
    if (!webSocket) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const [conn, channel] = await Promise.all([
        listener.accept(),
        connectTcp({ hostname: "127.0.0.1", port: listener.addr.port }),
      ]);
      listener.close();
      return make(conn, channel);
    }
    const accepted = Promise.withResolvers<WebSocket>();
    const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { response, socket } = Deno.upgradeWebSocket(request);
      socket.onopen = () => accepted.resolve(socket);
      return response;
    });
    this.#cleanup.push(() => http.shutdown());
    const channel = await connectWebSocket(`ws://127.0.0.1:${http.addr.port}/`);
    return make(await accepted.promise, channel);
  }

  /** Links the peer, which connects, to our router, which listens. */
  async connectToUs(name: string, node: Node, webSocket: boolean): Promise<Link> {
    const make = this.#makeLink(name, node, webSocket);
    const accepted = Promise.withResolvers<BaseChannel<unknown>>();
    if (!webSocket) {
      const listener = await listenTcp({ hostname: "127.0.0.1", port: 0 }, accepted.resolve);
      const { port } = listener.address;
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const channel = await accepted.promise;
      await listener.close();
      return make(conn, channel);
    }
    const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { response, channel } = upgradeWebSocket(request);
      accepted.resolve(channel);
      return response;
    });
    this.#cleanup.push(() => http.shutdown());
    const socket = new WebSocket(`ws://127.0.0.1:${http.addr.port}/`);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("the handshake failed"));
    });
    return make(socket, await accepted.promise);
  }

  #makeLink(name: string, node: Node, webSocket: boolean) {
    return (socket: Deno.TcpConn | WebSocket, channel: BaseChannel<unknown>): Link => {
      const rules = node.rules.linkUp(webSocket);
      const changed = () => this.#pulse.beat();
      const onMessage = (message: Message) => {
        rules.sent(message);
        changed();
      };
      const peer = socket instanceof WebSocket
        ? new WebSocketPeerEnd(socket, onMessage, changed)
        : new TcpPeerEnd(socket, this.#cut, onMessage, changed);
      const tap = new Tap(channel, changed);
      const link: Link = { node, peer, tap, rules, webSocket, sent: 0 };
      this.links.set(name, link);
      node.router.addChannel(tap);
      return link;
    };
  }

  /** The peer sends recorded messages, exactly as they were recorded. */
  async send(name: string, steps: Step[]): Promise<void> {
    const link = this.links.get(name)!;
    for (const { packet } of steps) link.rules.heard(packet);
    link.sent += steps.length;
    await link.peer.send(steps.map(({ message }) => message));
  }

  /** Resolves when all that was sent has arrived, and all that this caused, and so on. */
  async settle(): Promise<void> {
    const busy = ([_, { tap, peer, sent }]: [string, Link]) =>
      tap.received + tap.dropped !== sent || peer.received.length !== tap.sent;
    await this.#pulse.until(
      () => ![...this.links].some(busy),
      () =>
        [...this.links].filter(busy).map(([name, { tap, peer, sent }]) =>
          `${name}: peer sent ${sent}, we got ${tap.received} and dropped ${tap.dropped}; ` +
          `we sent ${tap.sent}, peer got ${peer.received.length}`
        ).join("; "),
    );
    for (const node of this.#nodes) node.rules.check();
  }

  /** Lets time pass for our routers. */
  async advance(duration: number): Promise<void> {
    this.clock.advance(duration);
    await this.settle();
  }

  /** The peer ends a connection; resolves when our router has noticed. */
  async closePeer(name: string): Promise<void> {
    const { peer, tap } = this.links.get(name)!;
    this.#unlink(name);
    peer.close();
    await this.#pulse.until(() => tap.closed && peer.ended, () => `we close ${name}, too`);
    await this.settle();
  }

  /** A router of ours ends a connection; resolves when the peer has noticed. */
  async closeOurs(name: string): Promise<void> {
    const { peer, tap, node } = this.links.get(name)!;
    this.#unlink(name);
    node.router.removeChannel(tap);
    await this.#pulse.until(() => tap.closed && peer.ended, () => `the peer closes ${name}, too`);
    await this.settle();
  }

  #unlink(name: string): void {
    const { node, rules } = this.links.get(name)!;
    this.links.delete(name);
    node.rules.linkDown(rules);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { peer } of this.links.values()) peer.close();
    await Promise.all(this.#nodes.map(({ router }) => router.close()));
    for (const cleanup of this.#cleanup) await cleanup();
  }
}
