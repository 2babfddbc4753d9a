/**
 * A client that answers.
 *
 * @module
 */

import { connectClient, type Place } from "../clients/client.ts";
import { accept } from "../clients/ours.ts";
import type { SystemName } from "../host/middle.ts";
import { obey } from "./commands.ts";

obey({
  async join({ system, place }: { system: SystemName; place: Place }) {
    const client = await connectClient(system, place);
    await client.answer();
  },
  /** Listens for a router that comes directly. */
  async accept() {
    const { client, port } = await accept();
    await client.answer();
    return { port };
  },
});
