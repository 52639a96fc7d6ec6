import { text } from './checks.js';

/** The worker's working directory; default that of Node. */
export type CwdOption = string;

/** @returns null for Node's own */
export function normalizeCwd(value: unknown): string | null {
  return value === undefined ? null : text('cwd', value, 'a path');
}
