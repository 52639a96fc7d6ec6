import { timeLimit } from './checks.js';

/** Time for a call, queueing included, in ms; default what the handler says of itself, else `limits.callTimeout`. 0 and `Infinity`: any time. */
export type TimeoutOption = number;

/** @returns null for any time, undefined where nothing is said */
export function normalizeTimeout(value: unknown): number | null | undefined {
  return value === undefined ? undefined : timeLimit('timeout', value);
}
