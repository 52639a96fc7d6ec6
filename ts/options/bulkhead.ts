import { integer, isPlain, timeLimit } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** How many calls of one handler run at once, each handler for itself. */
export interface BulkheadPolicy {
  /** Calls that run at once, at least 1. */
  readonly limit: number;
  /** Calls that may wait beside those; more are rejected with `QUEUE_FULL`. Default 100. */
  readonly queue?: number | undefined;
  /** How long a call may wait so, in ms; default 0: without limit. */
  readonly timeout?: number | undefined;
}

/** Calls of one handler at once, or a policy; default `false`: no bound. */
export type BulkheadOption = false | number | BulkheadPolicy;

/** The option with its defaults applied. */
export interface Bulkhead {
  readonly limit: number;
  readonly queue: number;
  /** In ms; null for no limit. */
  readonly timeoutMs: number | null;
}

const NAMES = ['limit', 'queue', 'timeout'];
const MOST = 0xffff_ffff;

/** @returns null if there is no bound */
export function normalizeBulkhead(value: unknown = false): Bulkhead | null {
  if (value === false) return null;
  if (typeof value === 'number') {
    return { limit: integer('bulkhead', value, 1, MOST), queue: 100, timeoutMs: null };
  }
  if (!isPlain(value)) {
    throw refusal('bulkhead', `a whole number, false or an object with ${NAMES.join(', ')}`, value);
  }
  const { limit, queue, timeout } = knownNames('bulkhead', value, NAMES);
  return {
    limit: integer('bulkhead.limit', limit, 1, MOST),
    queue: integer('bulkhead.queue', queue ?? 100, 0, MOST),
    timeoutMs: timeLimit('bulkhead.timeout', timeout ?? 0),
  };
}
