/** What a call answers when it has failed for good. */

import { type ErrorCode, isSynapseError, type SynapseError } from './errors/index.js';
import type { FallbackContext, FallbackOption } from './options/index.js';

/** Failures that another answer would only hide: of the caller's making, or its own wish. */
const NEVER: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ENCODE',
  'VALIDATION',
  'HANDLER_NOT_FOUND',
  'NOT_SPAWNED',
  'DISPOSED',
]);

/** Told when a call is answered by a fallback. */
export type FallbackListener = (error: SynapseError) => void;

/**
 * Answers in the place of a call that failed.
 *
 * @param fallbacks in the order in which they are asked; undefined is none
 * @param listener told before the caller gets the answer
 */
export async function withFallback<Result>(
  call: Promise<Result>,
  fallbacks: readonly (FallbackOption | undefined)[],
  context: FallbackContext,
  listener: FallbackListener,
): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    // An abort rejects with its signal's reason, and scripts of 1.4 with values of their own.
    if (!isSynapseError(error) || NEVER.has(error.code)) throw error;
    for (const fallback of fallbacks) {
      const answer = await ask(fallback, error, context);
      if (answer !== undefined) {
        listener(error);
        return answer as Result;
      }
    }
    throw error;
  }
}

/** One fallback's answer; undefined if it has none. */
async function ask(
  fallback: FallbackOption | undefined,
  error: SynapseError,
  context: FallbackContext,
): Promise<unknown> {
  if (typeof fallback !== 'function') return fallback;
  try {
    return await (fallback as (error: SynapseError, context: FallbackContext) => unknown)(
      error,
      context,
    );
  } catch {
    // It has no answer: what the call failed of says more than what this did.
    return undefined;
  }
}
