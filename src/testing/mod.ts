/**
 * For tests: of this library, of programs that use it, and of channels that others write.
 *
 * @module
 */

export {
  type AnyChannel,
  type ChannelCase,
  channelConformance,
  type OpenChannels,
} from "./channel_conformance.ts";
export { ManualClock } from "./manual_clock.ts";
export {
  seededRandom,
  type Sent,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
  type SimulatedNode,
} from "./simulated_network.ts";
export type { Effect, LinkId } from "../mesh/effects.ts";
export { Mesh } from "../mesh/mesh.ts";
export type { RemovalPolicy } from "../mesh/announcer.ts";
export type { MeshOptions } from "../mesh/control_plane.ts";
