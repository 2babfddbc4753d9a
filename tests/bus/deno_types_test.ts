/** What the adapters take is what the engines' own clients are, and the platform's own channels. */

import assert from "node:assert/strict";
import { mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clients, haveClients } from "../support/engines.ts";
import { needing, run } from "../support/toolchain.ts";

const bus = new URL("../../src/bus/mod.ts", import.meta.url).href;

/** Types alone decide about it; it is not run. */
const PROGRAM = `
import { connect, type NatsConnection, wsconnect } from "@nats-io/transport-node";
import { Cluster, Redis } from "ioredis";
import mqtt, { type MqttClient } from "mqtt";
import { broadcastBus, type Bus, BusChannel, mqttBus, mqttWill, natsBus, redisBus } from "${bus}";

const connection: NatsConnection = await connect();
const client: MqttClient = await mqtt.connectAsync("mqtt://localhost", { protocolVersion: 5 });
const redis = new Redis();
const cluster = new Cluster([]);
const { port1 } = new MessageChannel();
const buses: Bus[] = [
  natsBus(connection),
  natsBus(await wsconnect({ servers: "ws://localhost" }), { inboxPrefix: "_INBOX_aln" }),
  mqttBus(client),
  mqttBus(mqtt.connect("ws://localhost")),
  redisBus(redis, redis.duplicate()),
  redisBus(cluster, cluster.duplicate(), { unheard: false }),
  broadcastBus(new BroadcastChannel("aln")),
  broadcastBus(port1),
];
const will = mqttWill("lamp");
const channel = new BusChannel(mqttBus(mqtt.connect("mqtt://localhost", { will })), { will });
console.log(buses, channel);
`;

/** Each line is wrong. */
const MISTAKES = `
import { type NatsConnection } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { type MqttClient } from "mqtt";
import { broadcastBus, mqttBus, natsBus, redisBus } from "${bus}";
declare const connection: NatsConnection, client: MqttClient, redis: Redis;
natsBus(client);
mqttBus(redis);
redisBus(redis, connection);
broadcastBus(connection);
`;

test(
  ...needing(await haveClients(), "Adapters take the clients of npm by their own types", 120_000),
  async () => {
    const { folder, versions } = await clients();
    const path = await realpath(await mkdtemp(join(tmpdir(), "aln-")));
    try {
      const dependencies = Object.fromEntries(versions.map((it) => it.split(/(?<=.)@/)));
      await writeFile(join(path, "package.json"), JSON.stringify({ type: "module", dependencies }));
      await symlink(join(folder, "node_modules"), join(path, "node_modules"));
      await writeFile(join(path, "program.ts"), PROGRAM);
      await writeFile(join(path, "mistakes.ts"), MISTAKES);
      const env = { NO_COLOR: "1" };
      const right = await run(Deno.execPath(), ["check", "program.ts"], { cwd: path, env });
      assert.equal(right.code, 0, right.stderr);
      const wrong = await run(Deno.execPath(), ["check", "mistakes.ts"], { cwd: path, env });
      const lines = [...wrong.stderr.matchAll(/mistakes\.ts:(\d+):/g)].map(([, line]) => line);
      assert.deepEqual(lines, ["7", "8", "9", "10"], wrong.stderr);
    } finally {
      await rm(path, { recursive: true });
    }
  },
);
