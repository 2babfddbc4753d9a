/**
 * A process whose listeners throw at their first channel, and take the second: prints what is
 * reported, and what becomes of the channels. A test runner would take such an error for its own.
 */

import process from "node:process";
import { connectWebSocket, type StreamChannel, type WebSocketChannel } from "../../mod.ts";
import { testCertificate } from "./certificate.ts";
import { LOOPBACK, sockets } from "./runtime.ts";

const report = (error: unknown) => console.log(`reported: ${(error as Error).message}`);
if ("Deno" in globalThis) {
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    report(event.error);
  });
} else {
  process.on("uncaughtException", report);
}

const { ca, ...identity } = testCertificate;
const kinds = {
  tcp: [
    (onChannel: () => void) => sockets.listenTcp(LOOPBACK, onChannel),
    (port: number) => sockets.connectTcp({ hostname: "127.0.0.1", port }),
  ],
  tls: [
    (onChannel: () => void) => sockets.listenTls(LOOPBACK, onChannel, identity),
    (port: number) => sockets.connectTls({ hostname: "localhost", port }, { ca: [ca] }),
  ],
  websocket: [
    (onChannel: () => void) => sockets.listenWebSocket(LOOPBACK, onChannel),
    (port: number) => connectWebSocket(`ws://127.0.0.1:${port}/`),
  ],
} as const;

for (const [kind, [listen, connect]] of Object.entries(kinds)) {
  let calls = 0;
  const second = Promise.withResolvers<void>();
  const listener = await listen(() => {
    if (++calls === 1) throw new Error(`no room for ${kind}`);
    second.resolve();
  });
  const near: Promise<StreamChannel | WebSocketChannel> = connect(listener.address.port);
  await near.then((channel) => channel.closed, () => {}); // It may be cut before it is open.
  console.log(`${kind} closed`);
  await connect(listener.address.port);
  await second.promise;
  console.log(`${kind} accepts`);
}
process.exit(0);
