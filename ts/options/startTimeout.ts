import { timeLimit } from './checks.js';

/** How long a worker may take to get ready, in ms; default 120000. 0 and `Infinity`: any time. */
export type StartTimeoutOption = number;

/** @returns null for any time */
export function normalizeStartTimeout(value: unknown = 120_000): number | null {
  return timeLimit('startTimeout', value);
}
