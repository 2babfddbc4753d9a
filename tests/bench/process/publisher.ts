/**
 * A client that publishes as fast as the sink grants it.
 *
 * @module
 */

import { type Client, connectClient, type Place } from "../clients/client.ts";
import type { SystemName } from "../host/middle.ts";
import { obey } from "./commands.ts";
import { Credits } from "./credits.ts";
import { payload } from "./payload.ts";

/** Bytes on their way, about, and messages: less than any relay and any client may hold. */
const WINDOW_BYTES = 1 << 19;
const WINDOW_MESSAGES = 8_192;

/** Portions in a window. */
const PORTIONS = 32;

const credits = new Credits();
let client: Client;
let data: Uint8Array;
let portion = 1;
let sent = 0;
let limit = 0;

function pump(): void {
  while (sent < Math.min(limit, credits.granted + PORTIONS)) {
    for (let i = 0; i < portion; i++) client.publish(data);
    sent++;
  }
}
credits.onGrant = pump;

obey({
  async join({ system, place, size }: { system: SystemName; place: Place; size: number }) {
    data = payload(size);
    const window = Math.min(WINDOW_MESSAGES, Math.ceil(WINDOW_BYTES / size));
    portion = Math.ceil(window / PORTIONS);
    client = await connectClient(system, place);
    await client.ready();
    return { control: await credits.listen(), portion };
  },
  /** Sends one message, for the sink to see that it comes. */
  one: () => void client.publish(data),
  flood() {
    limit = Infinity;
    pump();
  },
});
