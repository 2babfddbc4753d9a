/**
 * `aln call`: calls a service.
 *
 * @module
 */

import { join } from "../connection.ts";
import { EXIT, reasonOf, UsageError } from "../exit.ts";
import { payloadOf, printItem, printReply, SENDING, uploadOf } from "../payload.ts";
import { reach, reachService } from "../reach.ts";
import { printable } from "../text.ts";
import type { Context, Verb } from "../verb.ts";

/** Calls a service, and prints what it answers. */
export const call: Verb = {
  name: "call",
  usage: "SERVICE [DATA|-]",
  summary: "Call a service, and print what it answers",
  arity: [1, 2],
  joins: true,
  options: {
    stream: { short: "s", help: "print any number of replies, each on a line, until they end" },
    gather: { short: "g", help: "call every instance, and print one reply of each" },
    dst: { value: "ADDRESS", short: "d", help: "call the instance there" },
    limit: { value: "N", help: "with --stream: so many replies are enough" },
    upload: { help: "send a file, or the input, piece by piece as it is read" },
    retries: { value: "N", help: "try so many other instances; for calls that do no harm twice" },
    reliable: { help: "send again over links that are lost and come back" },
    ...SENDING,
  },
  examples: [
    "aln call time",
    'aln call echo "hello there" --json',
    "aln call tokens 'a prompt' --stream --limit 10",
    "aln call temperature --gather",
    "tar c . | aln call backup - --upload --timeout 10m",
  ],
  run: runCall,
};

async function runCall(context: Context): Promise<number> {
  const { options, args: [service = "", data], out } = context;
  const [streams, gathers] = [options.has("stream"), options.has("gather")];
  const dst = options.text("dst");
  if (streams && gathers) throw new UsageError("Cannot use --stream and --gather at once");
  if (gathers && dst !== undefined) {
    throw new UsageError("Cannot use --gather with --dst: it calls every instance");
  }
  if (gathers && options.has("upload")) throw new UsageError("Cannot upload to many at once");
  const limit = options.has("limit") ? options.count("limit", 1) : undefined;
  const retries = options.count("retries", 0, 0, 64);
  const payload = options.has("upload") ? uploadOf(options, data) : await payloadOf(options, data);
  const member = await join(context);
  const { router, signal, timeLeft } = member;
  if (dst === undefined) await reachService(member, service);
  else await reach(member, dst);
  const done = out.progress(`Waiting for ${printable(service)}`);
  const common = { dst, signal, reliable: options.has("reliable") };
  try {
    if (streams) {
      // How long it may take in all is up to the user; the time-out is for each reply, then.
      const idle = options.time("timeout", 30_000);
      for await (const packet of router.stream(service, payload, { ...common, idle, limit })) {
        printItem(out, packet, false);
        if (out.full) await out.flush(); // The service waits while nobody reads.
      }
      return EXIT.ok;
    }
    if (gathers) {
      let failures = 0;
      const packets = await router.gather(service, payload as Uint8Array, {
        timeout: timeLeft(),
        signal,
        onFailure(address, error) {
          failures++;
          out.note(`${printable(address)}: ${printable(reasonOf(error))}`);
        },
      });
      for (const packet of packets) printItem(out, packet, true);
      return failures === 0 ? EXIT.ok : EXIT.failed;
    }
    const start = performance.now();
    const timeout = timeLeft();
    const packet = await router.request(service, payload, { ...common, timeout, retries });
    printReply(out, packet, performance.now() - start);
    return EXIT.ok;
  } finally {
    done();
  }
}
