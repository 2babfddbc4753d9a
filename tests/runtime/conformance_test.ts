import { test } from "node:test";
import { type ChannelOptions, connectWebSocket, type WebSocketChannelOptions } from "../../mod.ts";
import { channelConformance, type OpenChannels } from "../../src/testing/mod.ts";
import { testCertificate } from "../support/certificate.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";

const { cert, key, ca } = testCertificate;

const kinds: Record<string, (options: ChannelOptions) => Promise<OpenChannels>> = {
  async "connectTcp()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await sockets.listenTcp(LOOPBACK, accepted.resolve);
    const near = await sockets.connectTcp(listener.address, options);
    return { near, far: await accepted.promise, cleanup: () => listener.close() };
  },
  async "listenTcp()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await sockets.listenTcp(LOOPBACK, accepted.resolve, options);
    const far = await sockets.connectTcp(listener.address);
    return { near: await accepted.promise, far, cleanup: () => listener.close() };
  },
  async "connectTls()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await sockets.listenTls(LOOPBACK, accepted.resolve, { cert, key });
    const near = await sockets.connectTls(listener.address, { ...options, ca: [ca] });
    return { near, far: await accepted.promise, cleanup: () => listener.close() };
  },
  async "listenTls()"(options) {
    const accepted = Promise.withResolvers<OpenChannels["far"]>();
    const listener = await sockets.listenTls(LOOPBACK, accepted.resolve, { ...options, cert, key });
    const far = await sockets.connectTls(listener.address, { ca: [ca] });
    return { near: await accepted.promise, far, cleanup: () => listener.close() };
  },
  "connectWebSocket()": (options) => webSockets(options, {}),
  "connectWebSocket() in binary": (options) => webSockets({ ...options, format: "binary" }, {}),
  "listenWebSocket()": async (options) => {
    const { near, far, cleanup } = await webSockets({}, options);
    return { near: far, far: near, cleanup };
  },
  "listenWebSocket() in binary": async (options) => {
    const { near, far, cleanup } = await webSockets({}, { ...options, format: "binary" });
    return { near: far, far: near, cleanup };
  },
};

async function webSockets(
  client: WebSocketChannelOptions,
  server: WebSocketChannelOptions,
): Promise<OpenChannels> {
  const accepted = Promise.withResolvers<OpenChannels["far"]>();
  const listener = await sockets.listenWebSocket(LOOPBACK, accepted.resolve, server);
  const near = await connectWebSocket(`ws://127.0.0.1:${listener.address.port}/`, client);
  return { near, far: await accepted.promise, cleanup: () => listener.close() };
}

for (const [kind, open] of Object.entries(kinds)) {
  for (const { name, run } of channelConformance(open)) {
    test(`${kind} under ${runtime} ${name}`, { timeout: 10_000 }, run);
  }
}
