import { test } from "node:test";
import { type ChannelOptions, connectWebSocket, type WebSocketChannel } from "../../mod.ts";
import {
  connectTcp,
  connectTls,
  listenTcp,
  listenTls,
  upgradeWebSocket,
} from "../../src/runtime/deno.ts";
import { channelConformance, type OpenChannels } from "../../src/testing/mod.ts";
import { testCertificate } from "../support/certificate.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

const kinds: Record<string, (options: ChannelOptions) => Promise<OpenChannels>> = {
  async "connectTcp()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await listenTcp(LOOPBACK, accepted.resolve);
    const near = await connectTcp(listener.address, options);
    return { near, far: await accepted.promise, cleanup: () => listener.close() };
  },
  async "listenTcp()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await listenTcp(LOOPBACK, accepted.resolve, options);
    const far = await connectTcp(listener.address);
    return { near: await accepted.promise, far, cleanup: () => listener.close() };
  },
  async "connectTls()"(options) {
    const { cert, key, ca } = testCertificate;
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await listenTls(LOOPBACK, accepted.resolve, { cert, key });
    const { port } = listener.address;
    const near = await connectTls({ hostname: "localhost", port }, { ...options, ca: [ca] });
    return { near, far: await accepted.promise, cleanup: () => listener.close() };
  },
  "connectWebSocket()": (options) => webSockets(options, {}),
  "upgradeWebSocket()": (options) => webSockets({}, options, true),
  "connectWebSocket() in binary": (options) => webSockets({ ...options, format: "binary" }, {}),
};

async function webSockets(
  client: ConstructorParameters<typeof WebSocketChannel>[1],
  server: ChannelOptions,
  swap: boolean = false,
): Promise<OpenChannels> {
  const accepted = Promise.withResolvers<OpenChannels["far"]>();
  const http = Deno.serve({ ...LOOPBACK, onListen() {} }, (request) => {
    const { response, channel } = upgradeWebSocket(request, server);
    accepted.resolve(channel);
    return response;
  });
  const near = await connectWebSocket(`ws://127.0.0.1:${http.addr.port}/`, client);
  const far = await accepted.promise;
  const cleanup = () => http.shutdown();
  return swap ? { near: far, far: near, cleanup } : { near, far, cleanup };
}

for (const [kind, open] of Object.entries(kinds)) {
  for (const { name, run } of channelConformance(open)) {
    test(`${kind} ${name}`, { timeout: 10_000 }, run);
  }
}
