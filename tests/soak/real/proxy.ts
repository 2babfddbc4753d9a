/**
 * A stretch of network between two processes: a TCP proxy that delays, stalls, and cuts.
 *
 * @module
 */

import { createConnection, createServer, type Server, type Socket } from "node:net";

/** Bytes that may be under way in one direction of one connection. */
const WINDOW = 1 << 16;

/** One direction of one connection. */
interface Flow {
  from: Socket;
  to: Socket;
  /** Whether it leads from who dials to who listens. */
  there: boolean;
  /** What has come, and when it may go on; `null` for the end. */
  waiting: { chunk: Uint8Array | null; at: number }[];
  size: number;
  /** Whether what is to take it has no room. */
  full: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Forwards connections to a port. */
export class Proxy implements AsyncDisposable {
  /** Where it forwards to; 0: nobody is there. */
  target: number = 0;
  /** How long bytes are under way, in ms. */
  readonly #delay: number;
  readonly #server: Server;
  readonly #flows: Set<Flow> = new Set();
  readonly #sockets: Set<Socket> = new Set();
  readonly #stalled: { there: boolean; back: boolean } = { there: false, back: false };
  #refuses: boolean = false;

  private constructor(delay: number) {
    this.#delay = delay;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Opens one on a port that is free. */
  static async open(delay: number): Promise<Proxy> {
    const proxy = new Proxy(delay);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  /** The port that it listens on. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Whether nothing is wrong with it. */
  get fair(): boolean {
    return !this.#refuses && !this.#stalled.there && !this.#stalled.back;
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Resets every connection, and accepts no other; or does so again. */
  cut(isCut: boolean): void {
    this.#refuses = isCut;
    if (isCut) this.reset();
  }

  /** Lets nothing through any more, and tells nobody; or does so again. */
  stall(direction: "there" | "back", isStalled: boolean): void {
    this.#stalled[direction] = isStalled;
    if (!isStalled) { for (const flow of this.#flows) this.#forward(flow); }
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut(true);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(near: Socket): void {
    if (this.#refuses || this.target === 0) {
      near.on("error", () => {});
      return void near.resetAndDestroy();
    }
    const far = createConnection({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    const flows = [this.#flow(near, far, true), this.#flow(far, near, false)];
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // Its close follows.
      socket.on("close", () => {
        this.#sockets.delete(socket);
        for (const flow of flows) {
          clearTimeout(flow.timer);
          this.#flows.delete(flow);
        }
        this.#tellClosed(other);
      });
    }
  }

  /** The other side hears of the end of a connection, unless nothing gets through. */
  #tellClosed(other: Socket): void {
    if (other.destroyed) return;
    if (!this.#stalled.there && !this.#stalled.back) return void other.resetAndDestroy();
    // It is told when something gets through again, or the proxy ends.
    const timer = setInterval(() => {
      if (!other.destroyed && (this.#stalled.there || this.#stalled.back)) return;
      clearInterval(timer);
      if (!other.destroyed) other.resetAndDestroy();
    }, 50);
  }

  #flow(from: Socket, to: Socket, there: boolean): Flow {
    const flow: Flow = { from, to, there, waiting: [], size: 0, full: false, timer: undefined };
    this.#flows.add(flow);
    const add = (chunk: Uint8Array | null) => {
      flow.waiting.push({ chunk, at: performance.now() + this.#delay });
      flow.size += chunk?.length ?? 0;
      if (flow.size > WINDOW) from.pause();
      this.#forward(flow);
    };
    to.on("drain", () => {
      flow.full = false;
      this.#forward(flow);
    });
    from.on("data", add);
    from.on("end", () => add(null));
    return flow;
  }

  #forward(flow: Flow): void {
    clearTimeout(flow.timer);
    const stalled = this.#stalled[flow.there ? "there" : "back"];
    while (flow.waiting.length > 0 && !stalled && !flow.full) {
      const { chunk, at } = flow.waiting[0]!;
      const wait = at - performance.now();
      if (wait > 0) {
        flow.timer = setTimeout(() => this.#forward(flow), wait);
        return;
      }
      flow.waiting.shift();
      if (chunk === null) {
        flow.to.end();
        continue;
      }
      flow.size -= chunk.length;
      flow.full = !flow.to.write(chunk);
    }
    if (flow.size <= WINDOW) flow.from.resume();
  }
}
