/**
 * {@linkcode generate}: a language model without the model. Put a real one here: whatever yields
 * strings, and ends when its signal aborts.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";

/** How long a token takes, in ms. */
const PACE = 30;

/** All that there is to say about a question, word by word. */
export function tokensFor(question: string): string[] {
  const text =
    `You have asked: "${question.slice(0, 200)}". There is no model in this worker, so ` +
    `here is what every one of its kind would say. Each of these words is one reply of a stream. ` +
    `It was made by the worker that had the least to do when you asked, and it came over whichever ` +
    `way there was. If you stop reading, that worker stops, too. If somebody pulls its plug, ` +
    `another one goes on from here, word for word.`;
  return text.match(/\S+\s*/g)!;
}

/**
 * Answers a question.
 *
 * @param from How many tokens the asker has already, of another worker that did not live to the end.
 * @param signal Ends it when it aborts.
 */
export async function* generate(
  question: string,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  for (const token of tokensFor(question).slice(from)) {
    await pause(PACE, undefined, { signal });
    yield token;
  }
}
