/**
 * Our WebSocket server beside those of the runtimes and npm's `ws`, and plain TCP as a control:
 *
 *     deno run -A tests/bench/websocket.ts [milliseconds for each figure]
 *
 * or with `bun` or `node` (`NODE_PATH` leads to `ws`). Packets of 64 bytes in binary messages,
 * thousands of them in a second, from a client to the server and back; both ends in this process, so
 * that a figure is the cost of both. "raw" is a client that sends frames made beforehand and
 * counts what comes; "standard" is the runtime's own client, as a `WebSocketChannel`.
 *
 * A server "as a channel" is wrapped in a `WebSocketChannel`, as a router needs it; "bare" it is
 * driven by nothing but its own API, and nobody makes or reads packets. Rounds take turns, and the best of them counts.
 */

import { createHash } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { connect as connectNode, createServer, type Socket } from "node:net";
import process from "node:process";
import {
  type BaseChannel,
  connectWebSocket,
  Packet,
  WebSocketChannel,
  type WebSocketLike,
} from "../../mod.ts";
import { ServerWebSocketChannel } from "../../src/channel/server_websocket_channel.ts";
import { type NodeSocketLike, NodeSocketTransport } from "../../src/channel/tcp_channel.ts";
import { encodeBinaryMessage, WebSocketDecoder } from "../../src/framing/websocket_frames.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";
import { connectRawWebSocket } from "../support/websocket_client.ts";
import { clientFrame, OPCODE } from "../support/websocket_frames.ts";
import { loadWs } from "../support/ws_package.ts";
import { concat } from "../wire/hex.ts";

const DURATION = Number(process.argv[2] ?? 500); // ms for each figure
const ROUNDS = 3;
const BATCH = 4_000; // messages in one write of the raw client: about 256 KiB
const WINDOW = 1 << 20; // bytes that a bare server may hold

const PACKET = new Packet({ srv: "bench", src: "a", dst: "b", data: new Uint8Array(50) });
const MESSAGE = PACKET.toBinary();
const FRAMES = concat(...Array.from({ length: BATCH }, () => clientFrame(OPCODE.binary, MESSAGE)));
/** What the server sends for each message: two bytes of header, for it is short. */
const SERVER_FRAME = 2 + MESSAGE.length;

/** The server's end of one connection. */
interface Far {
  /** Told of each message. */
  onMessage: () => void;
  /** Sends messages until told to stop; resolves to how many. */
  flood(isOver: () => boolean): Promise<number>;
}

/** A server of one kind. */
interface Contestant {
  name: string;
  /** Listens; `onFar` is given each connection. */
  listen(onFar: (far: Far) => void): Promise<{ port: number; close(): unknown }>;
}

const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A channel as {@linkcode Far}. */
function channelFar(channel: BaseChannel<unknown>): Far {
  const far: Far = {
    onMessage: () => {},
    async flood(isOver) {
      let sent = 0;
      while (!isOver()) {
        for (let i = 0; i < 1_000 && channel.send(PACKET); i++) sent++;
        await channel.drained();
      }
      return sent;
    },
  };
  channel.onPacket = () => far.onMessage();
  return far;
}

/** A socket with an API like the standard one, by that API alone. */
function bareFar(
  socket: { send(data: Uint8Array<ArrayBuffer>): unknown },
  buffered: () => number,
): Far {
  return {
    onMessage: () => {},
    async flood(isOver) {
      let sent = 0;
      while (!isOver()) {
        for (let i = 0; i < 1_000 && buffered() < WINDOW; i++, sent++) socket.send(MESSAGE);
        await pause();
      }
      return sent;
    },
  };
}

/** Our framing alone: messages are made and counted, and no packet is looked at. */
class BareChannel extends ServerWebSocketChannel {
  readonly #framing: WebSocketDecoder = new WebSocketDecoder({ limit: 1 << 17 });
  onMessage: () => void = () => {};

  protected override encode(): Uint8Array<ArrayBuffer> {
    return encodeBinaryMessage(MESSAGE);
  }

  protected override receive(chunk: Uint8Array): void {
    this.#framing.push(chunk, () => this.onMessage());
  }
}

const contestants: Contestant[] = [{
  name: "ours bare",
  async listen(onFar) {
    const server = createHttpServer();
    server.on("upgrade", (request, socket, head) => {
      const key = request.headers["sec-websocket-key"];
      const digest = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${digest.digest("base64")}\r\n\r\n`,
      );
      const channel = new BareChannel(new NodeSocketTransport(socket as NodeSocketLike), head);
      const far = channelFar(channel);
      channel.onMessage = () => far.onMessage();
      onFar(far);
    });
    server.listen(0, "127.0.0.1");
    await new Promise<void>((resolve) => server.once("listening", resolve));
    return { port: (server.address() as { port: number }).port, close: () => server.close() };
  },
}, {
  name: "ours",
  async listen(onFar) {
    const onChannel = (channel: ServerWebSocketChannel) => onFar(channelFar(channel));
    const listener = await sockets.listenWebSocket(LOOPBACK, onChannel, { format: "binary" });
    return { port: listener.address.port, close: () => listener.close() };
  },
}];

// deno-lint-ignore no-explicit-any -- One runtime has no types for what only the other one has.
const { Deno, Bun } = globalThis as any;
if (Deno) {
  for (const bare of [false, true]) {
    contestants.push({
      name: `Deno.upgradeWebSocket ${bare ? "bare" : "as a channel"}`,
      listen(onFar) {
        const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (
          request: Request,
        ) => {
          const { response, socket } = Deno.upgradeWebSocket(request);
          if (bare) {
            const far = bareFar(socket, () => socket.bufferedAmount);
            socket.addEventListener("message", () => far.onMessage());
            socket.addEventListener("open", () => onFar(far));
          } else {
            onFar(channelFar(new WebSocketChannel(socket, { format: "binary" })));
          }
          return response;
        });
        return Promise.resolve({ port: server.addr.port, close: () => server.shutdown() });
      },
    });
  }
}
if (Bun) {
  for (const bare of [false, true]) {
    contestants.push({
      name: `Bun.serve ${bare ? "bare" : "as a channel"}`,
      listen(onFar) {
        const server = Bun.serve({
          hostname: "127.0.0.1",
          port: 0,
          fetch: (request: Request) => server.upgrade(request, { data: {} }),
          websocket: {
            backpressureLimit: 1 << 26, // Or it drops what is beyond.
            // deno-lint-ignore no-explicit-any -- Bun's socket.
            open(socket: any) {
              socket.binaryType = "arraybuffer";
              if (bare) {
                const far = bareFar(socket, () => socket.getBufferedAmount());
                socket.data.message = () => far.onMessage();
                return onFar(far);
              }
              const like: WebSocketLike = {
                binaryType: "",
                readyState: 1,
                get bufferedAmount() {
                  return socket.getBufferedAmount();
                },
                send: (data) => socket.send(data),
                close: (code, reason) => socket.close(code, reason),
                addEventListener(type: string, listener: (event: never) => void) {
                  socket.data[type] = listener;
                },
              };
              onFar(channelFar(new WebSocketChannel(like, { format: "binary" })));
            },
            // deno-lint-ignore no-explicit-any -- Bun's socket.
            message: (socket: any, data: ArrayBuffer) => socket.data.message?.({ data }),
            // deno-lint-ignore no-explicit-any -- Bun's socket.
            close: (socket: any, code: number) => socket.data.close?.({ code, reason: "" }),
          },
        });
        return Promise.resolve({ port: server.port, close: () => server.stop(true) });
      },
    });
  }
}
const ws = await loadWs();
if (ws === null) console.log("npm's ws cannot be loaded, and is left out\n");
else {
  for (const bare of [false, true]) {
    contestants.push({
      name: `${Bun ? "Bun's own ws" : "npm's ws"} ${bare ? "bare" : "as a channel"}`,
      async listen(onFar) {
        const server = new ws.WebSocketServer({ host: "127.0.0.1", port: 0 });
        await new Promise<void>((resolve) => server.once("listening", resolve));
        server.on("connection", (socket) => {
          if (!bare) {
            return onFar(channelFar(new WebSocketChannel(socket, { format: "binary" })));
          }
          const far = bareFar(socket, () => socket.bufferedAmount);
          socket.on("message", () => far.onMessage());
          onFar(far);
        });
        return { port: server.address().port, close: () => server.close() };
      },
    });
  }
}

/** Counts to a number that is known later. */
class Counter {
  #count: number = 0;
  #goal: number = Infinity;
  #done: () => void = () => {};

  add(count: number): void {
    this.#count += count;
    if (this.#count >= this.#goal) this.#done();
  }

  reach(goal: number): Promise<void> {
    this.#goal = goal;
    return new Promise((resolve) => {
      this.#done = resolve;
      if (this.#count >= goal) resolve();
    });
  }
}

/** Counts what a socket gets, in pieces of a size. */
function counted(socket: Socket, size: number): Counter {
  const counter = new Counter();
  let bytes = 0;
  socket.on("data", (chunk) => {
    const before = Math.floor(bytes / size);
    bytes += chunk.length;
    counter.add(Math.floor(bytes / size) - before);
  });
  return counter;
}

/** Writes what was made beforehand, over and over. */
async function floodRaw(
  socket: Socket,
  bytes: Uint8Array,
  count: number,
  isOver: () => boolean,
): Promise<number> {
  let sent = 0;
  while (!isOver()) {
    sent += count;
    if (!socket.write(bytes)) await new Promise<void>((resolve) => socket.once("drain", resolve));
    else await pause();
  }
  return sent;
}

/** Messages in a second, in thousands: what is sent until the time is up, once it has arrived. */
async function measure(
  counter: Counter,
  flood: (isOver: () => boolean) => Promise<number>,
): Promise<number> {
  const started = performance.now();
  const sent = await flood(() => performance.now() - started > DURATION);
  await counter.reach(sent);
  return sent / (performance.now() - started);
}

type Figures = Record<string, number>;

async function race({ listen }: Contestant): Promise<Figures> {
  const figures: Figures = {};
  let accept: (far: Far) => void = () => {};
  const server = await listen((far) => accept(far));
  const next = () => new Promise<Far>((resolve) => accept = resolve);

  {
    const [far, { socket }] = await Promise.all([next(), connectRawWebSocket(server.port)]);
    const there = new Counter();
    far.onMessage = () => there.add(1);
    figures["raw → server"] = await measure(
      there,
      (isOver) => floodRaw(socket, FRAMES, BATCH, isOver),
    );
    socket.removeAllListeners("data");
    figures["server → raw"] = await measure(counted(socket, SERVER_FRAME), far.flood);
    socket.destroy();
  }
  {
    const url = `ws://127.0.0.1:${server.port}/`;
    const [far, channel] = await Promise.all([
      next(),
      connectWebSocket(url, { format: "binary" }),
    ]);
    const near = channelFar(channel);
    const there = new Counter();
    far.onMessage = () => there.add(1);
    figures["standard → server"] = await measure(there, near.flood);
    const back = new Counter();
    near.onMessage = () => back.add(1);
    figures["server → standard"] = await measure(back, far.flood);
    channel.close(new Error("enough"));
  }
  await server.close();
  return figures;
}

/** Plain TCP: as many bytes, in large writes, and nobody looks at them. */
async function control(): Promise<Figures> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ noDelay: true }, accepted.resolve);
  server.listen(0, "127.0.0.1");
  await new Promise<void>((resolve) => server.once("listening", resolve));
  const near = connectNode((server.address() as { port: number }).port, "127.0.0.1");
  const far = await accepted.promise;
  const there = counted(far, FRAMES.length / BATCH);
  const figures: Figures = {
    "raw → server": await measure(there, (isOver) => floodRaw(near, FRAMES, BATCH, isOver)),
    "server → raw": await measure(
      counted(near, SERVER_FRAME),
      (isOver) => floodRaw(far, new Uint8Array(1_000 * SERVER_FRAME), 1_000, isOver),
    ),
  };
  near.destroy();
  far.destroy();
  server.close();
  return figures;
}

const best = new Map<string, Figures>();
for (let round = 0; round < ROUNDS; round++) {
  const runs: [string, () => Promise<Figures>][] = [
    ["control: node:net, no messages", control],
    ...contestants.map((one): [string, () => Promise<Figures>] => [one.name, () => race(one)]),
  ];
  for (const [name, run] of runs) {
    const figures = await run();
    const before = best.get(name) ?? {};
    for (const [what, figure] of Object.entries(figures)) {
      before[what] = Math.max(before[what] ?? 0, figure);
    }
    best.set(name, before);
  }
}

const version = Deno?.version.deno ?? Bun?.version ?? process.version;
console.log(`${runtime} ${version}, messages of ${MESSAGE.length} bytes, thousands in a second`);
const columns = ["raw → server", "server → raw", "standard → server", "server → standard"];
console.log(["".padEnd(36), ...columns.map((column) => column.padStart(18))].join(""));
for (const [name, figures] of best) {
  const cells = columns.map((column) => {
    const figure = figures[column];
    if (figure === undefined) return "–";
    const ours = best.get(name.endsWith("bare") ? "ours bare" : "ours")!;
    const factor = ours === figures ? "" : ` (×${(ours[column]! / figure).toFixed(1)})`;
    return `${figure.toFixed(0)}${factor}`;
  });
  console.log([name.padEnd(36), ...cells.map((cell) => cell.padStart(18))].join(""));
}
console.log("(×n): ours is n times as fast, bare beside bare and channel beside channel");
process.exit(0);
