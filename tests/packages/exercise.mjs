/**
 * What a program does that has installed the package, in whichever runtime and module system it is:
 * it is given what it has imported. JavaScript, for Node 20 runs no other; copied beside the installed
 * package, so it imports nothing of ours.
 *
 * @module
 */

/**
 * Calls a service in memory, over a message port and over TCP, and uses the other entries.
 *
 * @param mesh What `@aln/mesh` exports.
 * @param net What `@aln/mesh/net` exports.
 * @param wire What `@aln/mesh/wire` exports.
 * @param testing What `@aln/mesh/testing` exports.
 * @param channels What `@aln/mesh/channels` exports.
 * @param bus What `@aln/mesh/bus` exports.
 * @param inspect What `@aln/mesh/inspect` exports.
 * @returns What became of it, entry by entry.
 */
export async function exercise(mesh, net, wire, testing, channels, bus, inspect) {
  return {
    memory: await callOver(mesh, mesh.createChannelPair()),
    ports: await callOver(mesh, messagePorts(channels)),
    tcp: await callOverTcp(mesh, net),
    wire: wire.decodePacket(wire.encodePacket(new wire.Packet({ srv: "ping", ctx: 7 }))).ctx,
    testing: routesInSimulation(testing),
    bus: await callOverBus(mesh, bus),
    inspect: await trace(mesh, inspect),
    error: await new mesh.Router("alone").request("nothing").catch((error) => error.name),
  };
}

function messagePorts({ MessagePortChannel }) {
  const { port1, port2 } = new MessageChannel();
  return [new MessagePortChannel(port1), new MessagePortChannel(port2)];
}

async function callOver({ Router }, [left, right]) {
  const [a, b] = [new Router("a"), new Router("b")];
  a.addChannel(left);
  b.addChannel(right);
  const answer = await call(a, b);
  await Promise.all([a.close(), b.close()]);
  return answer;
}

async function callOverBus({ Router }, { broadcastBus, BusChannel }) {
  const [a, b] = [new Router("a"), new Router("b")];
  for (const router of [a, b]) {
    router.addChannel(new BusChannel(broadcastBus(new BroadcastChannel("exercise"))));
  }
  const answer = await call(a, b);
  await Promise.all([a.close(), b.close()]);
  return answer;
}

async function callOverTcp({ Router }, { connect, listen }) {
  const [a, b] = [new Router("a"), new Router("b")];
  const listener = await listen("tcp+aln://127.0.0.1:0", b);
  a.addChannel(await connect(listener.url));
  const answer = await call(a, b);
  await a.close();
  await listener.close();
  await b.close();
  return answer;
}

async function call(a, b) {
  b.registerService("upper", (packet, reply) => void reply(packet.text().toUpperCase()));
  await a.waitForService("upper");
  return (await a.request("upper", "grüße")).text();
}

async function trace({ Router, createChannelPair }, { inspect, inspectable }) {
  const [a, b] = [new Router("a"), new Router("b")];
  const [left, right] = createChannelPair();
  a.addChannel(left);
  b.addChannel(right);
  inspectable(b);
  b.registerService("ready", () => "");
  await a.waitForService("ready");
  const { hops } = await inspect(a).trace("b");
  await Promise.all([a.close(), b.close()]);
  return hops.map(({ address }) => address);
}

function routesInSimulation({ SimulatedNetwork }) {
  const network = new SimulatedNetwork();
  network.connect("a", "b");
  network.connect("b", "c");
  network.settle();
  return network.node("a").mesh.routes().map(({ address, cost, via }) => [address, cost, via]);
}
