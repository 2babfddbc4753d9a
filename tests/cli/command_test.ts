/** Commands that `aln handle --exec` runs: what they are given, what comes of them, how they end. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { type CommandEnding, runCommand } from "../../src/cli/command.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const skip = process.platform === "win32"; // These are commands of a POSIX shell.
const options = { timeout: 30_000, skip };
const never = new AbortController().signal;

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield encoder.encode(text);
}

/** Reads all that a command prints, and how it ends. */
async function read(
  output: AsyncGenerator<Uint8Array, CommandEnding>,
): Promise<{ text: string; ending: CommandEnding }> {
  let text = "";
  for (;;) {
    const { done, value } = await output.next();
    if (done) return { text, ending: value };
    text += decoder.decode(value);
  }
}

/** Whether there is such a process. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test(
  "runCommand() gives a command its input and variables, and tells its exit code",
  options,
  async () => {
    const command = 'cat; printf " for %s" "$ALN_FROM"; exit 3';
    const output = runCommand(command, chunks("a ", "payload"), { ALN_FROM: "b" }, never);
    assert.deepEqual(await read(output), { text: "a payload for b", ending: { code: 3 } });
  },
);

test("runCommand() never makes input a part of the command", options, async () => {
  const output = runCommand("cat", chunks('\'; echo broken; "$(id)" `id`'), {}, never);
  const { text } = await read(output);
  assert.equal(text, '\'; echo broken; "$(id)" `id`');
});

test("runCommand() takes a command that reads no input", options, async () => {
  const much = "x".repeat(1 << 20);
  const output = runCommand("echo done", chunks(much, much), {}, never);
  assert.deepEqual(await read(output), { text: "done\n", ending: { code: 0 } });
});

test(
  "runCommand() ends a command, and what it has started, when its signal aborts",
  options,
  async () => {
    const caller = new AbortController();
    const command = 'sleep 600 & echo "$$ $!"; wait';
    const output = runCommand(command, chunks(), {}, caller.signal);
    const { value } = await output.next();
    const pids = decoder.decode(value as Uint8Array).trim().split(" ").map(Number);
    assert.deepEqual(pids.map(lives), [true, true]);
    caller.abort();
    const { ending } = await read(output);
    assert.equal(ending.code === 0, false);
    assert.equal(lives(pids[0]!), false);
  },
);

test("runCommand() ends a command when nobody reads on", options, async () => {
  const output = runCommand("echo $$; sleep 600", chunks(), {}, never);
  const { value } = await output.next();
  assert.equal(lives(Number(decoder.decode(value as Uint8Array))), true);
  await output.return({ code: null });
});
