/**
 * Our router, with `send()`, `request()` and services.
 *
 * @module
 */

import { Router } from "../../../mod.ts";
import { connect as connectUrl, type ConnectOptions, listen } from "../../../src/runtime/net.ts";
import type { Client, Place } from "./client.ts";

const SERVICE = "bench";

/** Connects; see {@linkcode Client}. */
export async function connect({ role, transport, port }: Place): Promise<Client> {
  const router = new Router(role);
  const scheme = transport === "ws" ? "ws" : "tcp+aln";
  const options: ConnectOptions = { format: "binary" };
  router.addChannel(await connectUrl(`${scheme}://127.0.0.1:${port}`, options));
  return clientOf(router);
}

/** Listens, for a client that comes directly; resolves to the port, too. */
export async function accept(): Promise<{ client: Client; port: number }> {
  const router = new Router("sink");
  const listener = await listen("tcp+aln://127.0.0.1:0", router);
  return { client: clientOf(router), port: listener.address.port };
}

/** A router as a client. */
export function clientOf(router: Router): Client {
  return {
    ready: () => router.waitForService(SERVICE),
    subscribe: (onMessage) => void router.registerService(SERVICE, onMessage),
    publish(data) {
      const failure = router.send({ dst: "sink", srv: SERVICE, data });
      if (failure !== null) throw new Error(failure);
    },
    answer: () => void router.registerService(SERVICE, (packet) => packet.data),
    request: (data) => router.request(SERVICE, data),
  };
}
