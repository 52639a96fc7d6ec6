import { timeLimit } from './checks.js';

/** Longest wait of a stream's consumer for one item, in ms; default, 0 and `Infinity`: any time. */
export type IdleTimeoutOption = number;

/** @returns 0 for any time */
export function normalizeIdleTimeout(value: unknown): number {
  return value === undefined ? 0 : (timeLimit('idleTimeout', value) ?? 0);
}
