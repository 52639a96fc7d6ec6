import { integer } from './checks.js';

/** Which of the calls that wait goes first: the lower, and of equals the earlier; default 0. */
export type PriorityOption = number;

/** @throws unless it is a whole number of 32 bits */
export function normalizePriority(value: unknown = 0): number {
  return integer('priority', value, -0x8000_0000, 0x7fff_ffff);
}
