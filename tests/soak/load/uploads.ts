/**
 * Load of calls that upload: numbered pieces, of which the service must get each once and in order.
 *
 * @module
 */

import { below } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { type Site, sleep } from "./site.ts";
import { impatience, someone, token } from "./tokens.ts";

/** The longest that an upload may take, in ms. */
const MAX_TIMEOUT = 12_000;

/** Pieces of an upload, at most: more than fit into a call's window. */
const MAX_PIECES = 100;

/** The longest pause between two pieces, in ms, and the largest piece, in bytes. */
const MAX_PAUSE = 100;
const MAX_SIZE = 10_000;

/** Uploads numbered pieces. */
export const uploads: Load = {
  name: "uploads",
  weight: 2,
  serve(site) {
    const { router, ledger: { tally } } = site;
    router.registerService("measure", async (_packet, _reply, call) => {
      const letGo = site.held.hold("handlers of uploads");
      let count = 0;
      let bytes = 0;
      let word = "";
      try {
        for await (const piece of call.body) {
          const [number, said] = new TextDecoder().decode(piece).trimEnd().split(" ");
          word ||= said!;
          if (Number(number) !== count || said !== word) {
            tally.violation(`piece ${count} of upload "${word}" is ${number} of "${said}"`);
          }
          count++;
          bytes += piece.length;
          if (site.random() < 0.05) await sleep(site, site.random() * MAX_PAUSE);
        }
        return `${count} ${bytes}`;
      } finally {
        letGo();
      }
    });
  },
  async run(site) {
    const { router, random, ledger } = site;
    const timeout = 100 + random() * MAX_TIMEOUT;
    const signal = random() < 0.15 ? impatience(site, timeout) : undefined;
    const reliable = random() < 0.3;
    const dst = someone(site, "measure");
    const sent = { count: 0, bytes: 0 };
    const data = random() < 0.5 ? pieces(site, sent) : asStream(pieces(site, sent));
    await ledger.attempt(site, {
      kind: reliable ? "reliable upload" : "upload",
      timeout,
      signal,
      make: () => router.request("measure", data, { timeout, signal, dst, reliable }),
      fault(answer) {
        const right = `${sent.count} ${sent.bytes}`;
        return answer.text() === right ? null : `"${answer.text()}", not "${right}"`;
      },
    });
  },
};

/** Pieces of random sizes, counted as they are asked for. */
async function* pieces(
  site: Site,
  sent: { count: number; bytes: number },
): AsyncGenerator<string, void> {
  const letGo = site.held.hold("generators of uploads");
  const { random } = site;
  const count = below(random, MAX_PIECES);
  const pause = random() < 0.5 ? 0 : MAX_PAUSE * random();
  const size = random() < 0.2 ? MAX_SIZE : 100;
  const word = token(site);
  try {
    for (let i = 0; i < count; i++) {
      if (pause > 0) await sleep(site, random() * pause);
      const piece = `${i} ${word}`.padEnd(random() * size);
      sent.count++;
      sent.bytes += piece.length;
      yield piece;
    }
  } finally {
    letGo();
  }
}

/** The same as a stream. */
function asStream(items: AsyncGenerator<string, void>): ReadableStream<string> {
  return new ReadableStream<string>({
    async pull(controller) {
      const next = await items.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await items.return();
    },
  }, { highWaterMark: 0 });
}
