/**
 * A process that listens on `wss:` and connects to itself with the runtime's own client, which is
 * told by the environment whom to trust. Prints what it was answered.
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { connect, listen } from "../../src/runtime/net.ts";
import { testCertificate } from "./certificate.ts";

const { cert, key } = testCertificate;
const server = new Router("server");
server.registerService("greet", (packet, reply) => void reply(`hello ${packet.text()}`));
const listener = await listen("wss://localhost:0/aln", server, { cert, key });
const client = new Router("client");
client.addChannel(await connect(listener.url));
await client.waitForService("greet");
console.log((await client.request("greet", new URL(listener.url).protocol)).text());
await client.close();
await listener.close();
await server.close();
process.exit(0);
