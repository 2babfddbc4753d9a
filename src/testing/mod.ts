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
export { type InvariantOptions, Invariants } from "./invariants.ts";
export { type LegacyKind, LegacyRouter, legacyRouter, StormError } from "./legacy_router.ts";
export { ManualClock } from "./manual_clock.ts";
export { NextHops } from "./next_hops.ts";
export {
  checkIdle,
  checkQuiet,
  inspectQuiet,
  type QuietOptions,
  type QuietReport,
  type RestingNetwork,
} from "./quiet_checks.ts";
export {
  checkScenario,
  type EventKind,
  randomScenario,
  type RandomScenarioOptions,
  shrink,
} from "./random_scenario.ts";
export {
  runScenario,
  type Scenario,
  type ScenarioEvent,
  type ScenarioReport,
  type Step,
} from "./scenario.ts";
export { seededRandom } from "./seeded_random.ts";
export { type End, type LinkOptions, Links, type Notice } from "./simulated_links.ts";
export {
  type Port,
  type Publication,
  type Segment,
  type SegmentOptions,
  Segments,
} from "./simulated_segments.ts";
export { SimulatedNetwork, type SimulatedNetworkOptions } from "./simulated_network.ts";
export type { NodeOptions, Sent, SimulatedNode, Watcher } from "./simulated_node.ts";
export type { CreateRouter, SimulatedRouter } from "./simulated_router.ts";
export {
  fullMesh,
  geometric,
  grid,
  line,
  randomDegree,
  ring,
  scaleFree,
  star,
  type Topology,
  tree,
} from "./topologies.ts";
export { Traffic } from "./traffic.ts";
export type { DropReason } from "../mesh/drop_reason.ts";
export type {
  Candidate,
  Effect,
  LinkId,
  NeighbourInfo,
  NeighbourKind,
  PeerId,
  RouteInfo,
  ServiceInfo,
} from "../mesh/effects.ts";
export { Mesh, type RouteDetails, type ToldRoute } from "../mesh/mesh.ts";
export type { Passage } from "../mesh/passage.ts";
export type { AddressFilter, LinkPolicy, ServiceFilter } from "../mesh/link_policy.ts";
export type { LinkSettings, MeshOptions, RemovalPolicy } from "../mesh/options.ts";
export type { LinkLimits } from "../mesh/rate_limits.ts";
