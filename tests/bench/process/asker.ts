/**
 * A client that asks, with so many questions in flight, and waits for each answer.
 *
 * @module
 */

import { type Client, type ClientName, connectClient, type Place } from "../clients/client.ts";
import { quantile } from "../report/statistics.ts";
import { obey } from "./commands.ts";
import { payload } from "./payload.ts";

let client: Client;
let data: Uint8Array;

/** Asks for so long, in ms; resolves to how long each answer took, in µs, and to all of the time. */
async function ask(inFlight: number, duration: number): Promise<{ times: number[]; all: number }> {
  const times: number[] = [];
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, async () => {
    for (let now = performance.now(); now - start < duration;) {
      const asked = now;
      await client.request(data);
      now = performance.now();
      times.push((now - asked) * 1_000);
    }
  }));
  return { times, all: performance.now() - start };
}

obey({
  async join({ system, place, size }: { system: ClientName; place: Place; size: number }) {
    data = payload(size);
    client = await connectClient(system, place);
    await client.ready();
    await client.request(data);
  },
  async ask({ inFlight, duration }: { inFlight: number; duration: number }) {
    const { times, all } = await ask(inFlight, duration);
    const sorted = Float64Array.from(times).sort();
    return {
      count: times.length,
      rate: 1_000 * times.length / all,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
    };
  },
});
