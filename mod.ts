/**
 * A mesh of routers: programs call each other's services by name, over any number of hops, with no
 * server in the middle.
 *
 * This module runs in Deno, Bun, Node and browsers. To open and accept connections by URL, see
 * `@aln/mesh/net`; for workers, pages of one origin, serial ports and Bluetooth, `@aln/mesh/channels`;
 * to look into routers, `@aln/mesh/inspect`, and in a page, `@aln/mesh/dashboard`; for the wire
 * format, `@aln/mesh/wire`; for tests, `@aln/mesh/testing`.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import assert from "node:assert/strict";
 *
 * const a = new Router("a");
 * const b = new Router("b");
 * const [left, right] = createChannelPair();
 * a.addChannel(left);
 * b.addChannel(right);
 *
 * b.registerService("ping", (_packet, reply) => void reply("pong"));
 *
 * await a.waitForService("ping");
 * const answer = await a.request("ping");
 * assert.equal(answer.text(), "pong");
 * await Promise.all([a.close(), b.close()]);
 * ```
 *
 * @module
 */

export * from "./src/errors.ts";
export { BaseChannel } from "./src/channel/base_channel.ts";
export { ByteChannel } from "./src/channel/byte_channel.ts";
export type {
  ByteDuplex,
  Channel,
  ChannelCounters,
  ChannelOptions,
  ChannelSide,
  FrameCarrier,
  FrameOutlet,
  FrameRoom,
  OverflowPolicy,
  PacketDuplex,
  PeerCertificate,
  SegmentPort,
} from "./src/channel/channel.ts";
export { createChannelPair } from "./src/channel/channel_pair.ts";
export { DuplexChannel, type OutgoingChunk } from "./src/channel/duplex_channel.ts";
export { PacketStreamChannel, packetStreams } from "./src/channel/packet_streams.ts";
export { StreamChannel, type StreamChannelOptions } from "./src/channel/stream_channel.ts";
export { type NodeSocketLike, TcpChannel } from "./src/channel/tcp_channel.ts";
export type {
  ByteTransport,
  StreamPair,
  Transport,
  TransportSink,
} from "./src/channel/transport.ts";
export {
  connectWebSocket,
  WebSocketChannel,
  type WebSocketChannelOptions,
  type WebSocketLike,
} from "./src/channel/websocket_channel.ts";
export type { DropReason } from "./src/mesh/drop_reason.ts";
export type { RouteInfo, ServiceInfo } from "./src/mesh/effects.ts";
export type { AddressFilter, LinkPolicy, ServiceFilter } from "./src/mesh/link_policy.ts";
export type { LinkSettings, MeshOptions, RemovalPolicy } from "./src/mesh/options.ts";
export type { LinkLimits } from "./src/mesh/rate_limits.ts";
export type { LinkIdentity } from "./src/router/admission.ts";
export { type Clock, systemClock } from "./src/router/clock.ts";
export {
  ChannelEvent,
  ConflictEvent,
  type DropDetails,
  DropEvent,
  FallbackEvent,
  type FallbackReason,
  RouteEvent,
  type RouterEventMap,
  ServiceEvent,
} from "./src/router/events.ts";
export type { BalancePolicy } from "./src/router/balancer.ts";
export type {
  CallOptions,
  GatherOptions,
  RequestOptions,
  StreamOptions,
} from "./src/router/call_options.ts";
export type { PacketDataStream } from "./src/router/chunks.ts";
export type { PacketHandler } from "./src/router/handlers.ts";
export type {
  Reply,
  SendFailure,
  ServiceCall,
  ServiceHandler,
} from "./src/router/incoming_call.ts";
export type { Registration, ServiceOptions } from "./src/router/local_service.ts";
export type { AuthPolicy, LinkOptions, NetworkKey } from "./src/router/link_options.ts";
export { ReplyStream } from "./src/router/reply_stream.ts";
export { Router, type RouterOptions } from "./src/router/router.ts";
export type { ChannelStats, RouterStats } from "./src/router/stats.ts";
export { type ListenerOptions, TypedEventTarget } from "./src/router/typed_event_target.ts";
export type { Bytes } from "./src/wire/bytes.ts";
export { type DecodeOptions, Packet, type PacketData, type PacketInit } from "./src/wire/packet.ts";
export type { EncodeOptions, PacketFields } from "./src/wire/packet_codec.ts";
export type { Trailer } from "./src/wire/trailer.ts";
