import { oneOf } from './checks.js';

/**
 * What becomes of calls while `spawn` is under way: `wait` (the default) for it, or `reject` with
 * `NOT_SPAWNED`. Before `spawn` they are always rejected.
 */
export type BeforeReadyOption = 'wait' | 'reject';

/** @throws unless it is one of the two */
export function normalizeBeforeReady(value: unknown = 'wait'): BeforeReadyOption {
  return oneOf('beforeReady', value, ['wait', 'reject']);
}
