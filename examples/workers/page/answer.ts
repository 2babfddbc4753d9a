/**
 * {@linkcode answer}: the whole answer to a question, whatever becomes of those who work on it.
 *
 * @module
 */

// Served as /app/answer.ts, where "../../.." is "/": the same paths are right for a page and on disk.
import { CallError, type Router, UnreachableError } from "../../../mod.ts";

/** Workers that may fail before the question is taken for the reason. */
const MAX_FAILURES = 5;

/** How long to wait until there is a worker, in ms. */
const PATIENCE = 5_000;

/** Options of {@linkcode answer}. */
export interface AnswerOptions {
  /** Stops it, and the worker, when it aborts. */
  signal: AbortSignal;
  /** Told who answers, each time that this changes. */
  onWorker(name: string): void;
  /** Told that a worker was lost, and another one is to go on. */
  onRetry(error: Error): void;
}

/**
 * Asks a question; yields the words of the answer as they come. If a worker is lost on the way,
 * another one is asked for the rest.
 */
export async function* answer(
  router: Router,
  question: string,
  { signal, onWorker, onRetry }: AnswerOptions,
): AsyncGenerator<string, void> {
  let from = 0;
  for (let failures = 0;;) {
    await someWorker(router, signal);
    try {
      let worker = "";
      // Answers differ in length, workers tell their load: the best case for two choices.
      const stream = router.stream("llm", JSON.stringify({ question, from }), {
        balance: "two-choices",
        signal,
      });
      for await (const packet of stream) {
        if (worker !== packet.src) onWorker(worker = packet.src);
        from++;
        yield packet.text();
      }
      return;
    } catch (error) {
      if (signal.aborted || !isLoss(error) || ++failures > MAX_FAILURES) throw error;
      onRetry(error);
    }
  }
}

async function someWorker(router: Router, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(PATIENCE);
  try {
    await router.waitForService("llm", { signal: AbortSignal.any([signal, late]) });
  } catch (error) {
    throw late.aborted ? new Error("Cannot ask: there is no worker") : error;
  }
}

/** Whether a worker is gone, or about to leave: no fault of the question. */
function isLoss(error: unknown): error is Error {
  if (error instanceof UnreachableError) return true;
  return error instanceof CallError &&
    (error.code === "ERR_CALL_LOST" || error.code === "ERR_CALL_REFUSED");
}
