import { integer, timeLimit } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** How calls wait for a worker. */
export interface QueueOption {
  /**
   * Calls that may wait; more are rejected with `QUEUE_FULL`. `Infinity` for any number. Default 1000,
   * and without bound for scripts of 1.4, which never had one.
   */
  readonly max?: number | undefined;
  /**
   * How long a call may wait until it begins, in ms; then it is rejected with `TIMEOUT`, phase `queue`,
   * and never runs. Default 0: without limit. Workers in Node, scripts of 1.4 and commands that keep no
   * journal do not tell what has begun: what is written ahead to one of them, about a millisecond of quick
   * calls, has its own `timeout` only.
   */
  readonly timeout?: number | undefined;
}

/** The option with its defaults applied. */
export interface Queue {
  /** Null for any number. */
  readonly max: number | null;
  /** Whether the user gave `max`. */
  readonly maxGiven: boolean;
  /** In ms; null for no limit. */
  readonly timeoutMs: number | null;
}

/** @throws unless `max` is a whole number or `Infinity` and `timeout` a time */
export function normalizeQueue(value: unknown = {}): Queue {
  const { max, timeout } = knownNames('queue', value, ['max', 'timeout']);
  return {
    max: bound(max ?? 1000),
    maxGiven: max !== undefined,
    timeoutMs: timeLimit('queue.timeout', timeout ?? 0),
  };
}

function bound(max: unknown): number | null {
  if (max === Number.POSITIVE_INFINITY) return null;
  if (typeof max !== 'number') throw refusal('queue.max', 'a whole number or Infinity', max);
  return integer('queue.max', max, 0, 0xffff_ffff);
}
