/**
 * `aln help`: how it is used.
 *
 * @module
 */

import { UsageError } from "../exit.ts";
import { manual, overview } from "../help.ts";
import type { Verb } from "../verb.ts";

/**
 * Says how verbs are used.
 *
 * @param verbs All of them, this one included.
 */
export function help(verbs: () => readonly Verb[]): Verb {
  return {
    name: "help",
    usage: "[VERB]",
    summary: "Say how a verb is used, or which there are",
    arity: [0, 1],
    joins: false,
    options: {},
    examples: ["aln help call"],
    run({ args: [name], out }) {
      if (name === undefined) {
        out.line(overview(verbs()));
        return Promise.resolve();
      }
      const verb = verbs().find((verb) => verb.name === name);
      if (verb === undefined) throw new UsageError(`Cannot help with "${name}": no such verb`);
      out.line(manual(verb));
      return Promise.resolve();
    },
  };
}
