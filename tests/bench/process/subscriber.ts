/**
 * A client that is told of messages, and counts them.
 *
 * @module
 */

import { connectClient, type Place } from "../clients/client.ts";
import type { SystemName } from "../host/middle.ts";
import { obey } from "./commands.ts";
import { Granter } from "./credits.ts";

let messages = -1; // The first one counts for nothing.
let granted = 0;
let portion = Infinity;
let granter: Granter;
let onFirst: () => void;
const first = new Promise<void>((resolve) => onFirst = resolve);

function receive(): void {
  if (++messages === 0) return onFirst();
  if (messages < (granted + 1) * portion) return;
  granted++;
  granter.grant(1);
}

obey({
  async join({ system, place }: { system: SystemName; place: Place }) {
    const client = await connectClient(system, place);
    await client.subscribe(receive);
  },
  async first({ control, portion: size }: { control: number; portion: number }) {
    granter = await Granter.connect(control);
    portion = size;
    await first;
  },
  /** Messages so far, and when, in ms. */
  count: () => ({ messages, at: performance.now() }),
});
