/**
 * {@linkcode VERBS}: all there are, in the order in which they are told.
 *
 * @module
 */

import type { Verb } from "./verb.ts";
import { bench } from "./verbs/bench.ts";
import { bridge } from "./verbs/bridge.ts";
import { call } from "./verbs/call.ts";
import { completions } from "./verbs/completions.ts";
import { discover } from "./verbs/discover.ts";
import { doctor } from "./verbs/doctor.ts";
import { handle } from "./verbs/handle.ts";
import { help } from "./verbs/help.ts";
import { links } from "./verbs/links.ts";
import { nodes } from "./verbs/nodes.ts";
import { ping } from "./verbs/ping.ts";
import { record } from "./verbs/record.ts";
import { replay } from "./verbs/replay.ts";
import { routes } from "./verbs/routes.ts";
import { send } from "./verbs/send.ts";
import { serve } from "./verbs/serve.ts";
import { services } from "./verbs/services.ts";
import { top } from "./verbs/top.ts";
import { trace } from "./verbs/trace.ts";
import { watch } from "./verbs/watch.ts";

/** Every verb. */
export const VERBS: readonly Verb[] = [
  serve,
  call,
  send,
  handle,
  services,
  nodes,
  routes,
  links,
  ping,
  trace,
  watch,
  top,
  bench,
  record,
  replay,
  bridge,
  discover,
  doctor,
  completions(() => VERBS),
  help(() => VERBS),
];
