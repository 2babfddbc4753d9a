/**
 * A client that answers.
 *
 * @module
 */

import { type ClientName, connectClient, type Place } from "../clients/client.ts";
import { accept } from "../clients/ours.ts";
import { obey } from "./commands.ts";

obey({
  async join({ system, place }: { system: ClientName; place: Place }) {
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
