/**
 * `aln send`: sends a packet that nobody has to answer.
 *
 * @module
 */

import { join } from "../connection.ts";
import { FailedError, UsageError } from "../exit.ts";
import { inputChunks } from "../hosting.ts";
import { MAX_PAYLOAD, payloadOf, SENDING } from "../payload.ts";
import { reach, reachService } from "../reach.ts";
import type { Context, Verb } from "../verb.ts";

/** Sends a packet to every instance of a service, or to one. */
export const send: Verb = {
  name: "send",
  usage: "SERVICE [DATA|-]",
  summary: "Send a packet to every instance of a service, and wait for no answer",
  arity: [1, 2],
  joins: true,
  options: {
    dst: { value: "ADDRESS", short: "d", help: "send it to the instance there alone" },
    lines: { help: "send each line of the input, or of the file, as a packet" },
    typ: { value: "N", help: "data type, 0-255; Python peers do not survive one" },
    ...SENDING,
  },
  examples: [
    'aln send log "the door is open"',
    "tail -f /var/log/syslog | aln send log - --lines",
  ],
  run: runSend,
};

async function runSend(context: Context): Promise<void> {
  const { options, args: [srv = "", data], out } = context;
  const lines = options.has("lines");
  if (lines && data !== "-" && !options.has("file")) {
    throw new UsageError('Cannot send lines: --lines needs --file FILE, or "-"');
  }
  const typ = options.count("typ", 0, 0, 255);
  const dst = options.text("dst");
  const payload = lines ? undefined : await payloadOf(options, data);
  const member = await join(context, { lasting: lines });
  const { router, signal } = member;
  if (dst === undefined) await reachService(member, srv);
  else await reach(member, dst);
  let sent = 0;
  const send = async (data: Uint8Array | string | undefined) => {
    let failure = router.send({ srv, dst, typ, data });
    if (failure?.startsWith("ERR_CHANNEL_FULL")) {
      await new Promise((resolve) => setTimeout(resolve, 20)); // The link empties meanwhile.
      failure = router.send({ srv, dst, typ, data });
    }
    if (failure !== null) throw new FailedError(failure.replace(/^\w+: /, ""));
    sent++;
  };
  if (lines) {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of inputChunks(options.text("file") ?? null)) {
      signal.throwIfAborted();
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop()!;
      if (rest.length > MAX_PAYLOAD) throw new FailedError("Cannot send a line that never ends");
      for (const line of parts) await send(line);
    }
    if (rest !== "") await send(rest);
  } else await send(payload);
  if (out.json) out.value({ service: srv, sent });
}
