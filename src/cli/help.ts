/**
 * What the command says of itself.
 *
 * @module
 */

import { columns } from "./text.ts";
import { COMMON, JOINING, type OptionSpecs, type Verb } from "./verb.ts";

/** What all verbs are, in one screen. */
export function overview(verbs: readonly Verb[]): string {
  const rows = verbs.map(({ name, usage, summary }) => [`  ${name} ${usage}`, summary]);
  return [
    "usage: aln VERB [ARGUMENT]... [OPTION]...",
    "",
    "Looks into a mesh of ALN routers, calls its services, and adds routers to it.",
    "",
    ...columns(rows),
    "",
    "options of verbs that join a mesh:",
    ...optionLines(JOINING),
    "",
    "options of every verb:",
    ...optionLines(COMMON),
    "",
    "`aln help VERB` says more. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no connection,",
    "4 too late, 130 interrupted.",
  ].join("\n");
}

/** How one verb is used. */
export function manual(verb: Verb): string {
  const lines = [
    `usage: aln ${verb.name} ${verb.usage}`.trimEnd() + " [OPTION]...",
    "",
    `${verb.summary}.`,
  ];
  if (Object.keys(verb.options).length > 0) lines.push("", ...optionLines(verb.options));
  if (verb.joins) lines.push("", "to join the mesh:", ...optionLines(JOINING));
  lines.push("", "as always:", ...optionLines(COMMON));
  if (verb.examples.length > 0) {
    lines.push("", "examples:", ...verb.examples.map((example) => `  ${example}`));
  }
  return lines.join("\n");
}

function optionLines(options: OptionSpecs): string[] {
  return columns(
    Object.entries(options).map(([name, { value, short, multiple, help }]) => [
      `  ${short === undefined ? "   " : `-${short},`} --${name}${value ? ` ${value}` : ""}` +
      (multiple ? "..." : ""),
      help,
    ]),
  );
}
