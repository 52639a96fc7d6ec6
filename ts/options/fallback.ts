import type { SynapseError } from '../errors/index.js';

/** What a fallback function is told besides the error. */
export interface FallbackContext {
  /** The handler; undefined for `call`. */
  readonly handler: string | undefined;
  /** The arguments as they were given to `call` or `invoke`. */
  readonly input: unknown;
}

/**
 * What a call answers when it has failed for good: a value, or a function of the error, which may be
 * async. A function that answers `undefined` or throws has no answer: the next one is asked, that of
 * `spawn` after that of the call, and in the end the call rejects with its own error.
 */
export type FallbackOption =
  | ((error: SynapseError, context: FallbackContext) => unknown)
  | string
  | number
  | bigint
  | boolean
  | null
  | object;
