import { integer } from './checks.js';

/** Calls that one worker runs at once, for async handlers or threads; default 1. */
export type ConcurrencyOption = number;

/** @throws unless it is a whole number from 1 to 65535 */
export function normalizeConcurrency(value: unknown = 1): number {
  return integer('concurrency', value, 1, 0xffff);
}
