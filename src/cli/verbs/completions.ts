/**
 * `aln completions`: for shells, so that they complete what is typed.
 *
 * @module
 */

import { UsageError } from "../exit.ts";
import { optionsOf, type Verb } from "../verb.ts";

/**
 * Prints a script that a shell is to run.
 *
 * @param verbs All of them, this one included.
 */
export function completions(verbs: () => readonly Verb[]): Verb {
  return {
    name: "completions",
    usage: "bash|zsh|fish",
    summary: "Print a script that makes a shell complete verbs and options",
    arity: [1, 1],
    joins: false,
    options: {},
    examples: [
      'eval "$(aln completions bash)"',
      "aln completions fish > ~/.config/fish/completions/aln.fish",
    ],
    run({ args: [shell = ""], out }) {
      const script = { bash, zsh, fish }[shell];
      if (script === undefined) {
        throw new UsageError(`Cannot complete for "${shell}": it is bash, zsh or fish`);
      }
      out.bytes(new TextEncoder().encode(script(verbs())));
      return Promise.resolve();
    },
  };
}

function names(verb: Verb): string[] {
  return Object.keys(optionsOf(verb)).map((name) => `--${name}`);
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => `    ${verb.name}) words="${names(verb).join(" ")}" ;;`);
  return `_aln() {
  local words="" word="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${verbs.map(({ name }) => name).join(" ")} --version --help"
  else case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _aln aln
`;
}

function zsh(verbs: readonly Verb[]): string {
  const quote = (text: string) => text.replace(/'/g, "'\\''").replace(/[[\]:]/g, "\\$&");
  const list = verbs.map(({ name, summary }) => `    '${name}:${quote(summary)}'`);
  const cases = verbs.map((verb) => {
    const options = Object.entries(optionsOf(verb)).map(([name, { value, multiple, help }]) =>
      `'${multiple ? "*" : ""}--${name}[${quote(help)}]${value ? `:${quote(value)}:_files` : ""}'`
    );
    return `    ${verb.name}) _arguments ${options.join(" ")} '*:argument:_files' ;;`;
  });
  return `#compdef aln
_aln() {
  local -a verbs
  verbs=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
${cases.join("\n")}
  esac
}
compdef _aln aln
`;
}

function fish(verbs: readonly Verb[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const lines = verbs.flatMap((verb) => [
    `complete -c aln -n __fish_use_subcommand -f -a ${verb.name} -d ${quote(verb.summary)}`,
    ...Object.entries(optionsOf(verb)).map(([name, { value, short, help }]) =>
      `complete -c aln -n '__fish_seen_subcommand_from ${verb.name}' -l ${name}` +
      `${short ? ` -s ${short}` : ""}${value ? " -r" : ""} -d ${quote(help)}`
    ),
  ]);
  return `${lines.join("\n")}\n`;
}
