/**
 * Segments that many routers share, on engines that programs have already: NATS, MQTT, Redis, a
 * `BroadcastChannel`. The engines' clients are the program's; nothing is imported here.
 *
 * @module
 */

export { type Bus, type BusEvents, topicOf } from "../channel/bus.ts";
export type { MessageLike, MessagePortLike } from "../channel/message_port_channel.ts";
export { BusChannel, type BusChannelOptions, type LastWill } from "../channel/bus_channel.ts";
export { broadcastBus } from "./broadcast_bus.ts";
export {
  mqttBus,
  type MqttLike,
  type MqttSubscriptionLike,
  type MqttWill,
  mqttWill,
} from "./mqtt_bus.ts";
export { natsBus, type NatsBusOptions, type NatsLike, type NatsMessageLike } from "./nats_bus.ts";
export {
  redisBus,
  type RedisBusOptions,
  type RedisLike,
  type RedisPublisherLike,
  type RedisSubscriberLike,
} from "./redis_bus.ts";
