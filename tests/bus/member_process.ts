/**
 * A program that joins a segment with one router, as `ALN_MEMBER` says, until it is told to leave.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import {
  broadcastBus,
  BusChannel,
  mqttBus,
  mqttWill,
  natsBus,
  redisBus,
} from "../../src/bus/mod.ts";
import type { MemberOptions } from "./member.ts";
import { connectMqtt, connectNats, connectRedis } from "./engines.ts";

const { engine, url, address } = JSON.parse(process.env.ALN_MEMBER!) as MemberOptions;
const router = new Router(address);
let end: () => unknown;
switch (engine) {
  case "nats": {
    const connection = await connectNats("connect", url);
    router.addChannel(new BusChannel(natsBus(connection)));
    end = () => connection.close();
    break;
  }
  case "mqtt": {
    const will = mqttWill(address);
    const client = await connectMqtt(url, { protocolVersion: 5, will });
    router.addChannel(new BusChannel(mqttBus(client), { will }));
    end = () => client.endAsync();
    break;
  }
  case "redis": {
    const publisher = await connectRedis(url);
    const subscriber = await connectRedis(url);
    router.addChannel(new BusChannel(redisBus(publisher, subscriber)));
    end = () => [publisher, subscriber].forEach((connection) => connection.disconnect());
    break;
  }
  case "broadcast": { // In one process, it tells itself to leave.
    const other = new Router("other");
    for (const one of [router, other]) {
      one.addChannel(new BusChannel(broadcastBus(new BroadcastChannel(url))));
    }
    void other.waitForService("leave").then(() => other.request("leave")).then(() => other.close());
    end = () => {};
  }
}
router.registerService("echo", (packet) => packet.data);
router.registerService("hang", () => new Promise(() => {}));
router.registerService("leave", (_packet, reply) => {
  reply("leaving");
  void router.close().then(end);
});
