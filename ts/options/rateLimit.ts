import { isPlain, milliseconds, number } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** How many calls of one handler are made in a time, each handler for itself. */
export interface RateLimitPolicy {
  /** Calls in each interval; more are rejected with `RATE_LIMITED`. */
  readonly calls: number;
  /** The interval, in ms; default 1000. */
  readonly intervalMs?: number | undefined;
  /** Calls that may come at once after a quiet time; default `calls`. */
  readonly burst?: number | undefined;
}

/** Calls of one handler a second, or a policy; default `false`: no limit. */
export type RateLimitOption = false | number | RateLimitPolicy;

/** The option with its defaults applied. */
export interface RateLimit {
  readonly calls: number;
  readonly intervalMs: number;
  readonly burst: number;
}

const NAMES = ['calls', 'intervalMs', 'burst'];
const LEAST = 1e-6;
const MOST = 1e9;

/** @returns null if there is no limit */
export function normalizeRateLimit(value: unknown = false): RateLimit | null {
  if (value === false) return null;
  if (typeof value === 'number') {
    const calls = number('rateLimit', value, LEAST, MOST);
    return { calls, intervalMs: 1000, burst: Math.max(1, calls) };
  }
  if (!isPlain(value)) {
    throw refusal('rateLimit', `a number, false or an object with ${NAMES.join(', ')}`, value);
  }
  const { calls, intervalMs, burst } = knownNames('rateLimit', value, NAMES);
  const rate = number('rateLimit.calls', calls, LEAST, MOST);
  return {
    calls: rate,
    intervalMs: milliseconds('rateLimit.intervalMs', intervalMs ?? 1000, 1),
    burst: number('rateLimit.burst', burst ?? Math.max(1, rate), 1, MOST),
  };
}
