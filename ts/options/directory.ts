import { text } from './checks.js';

/** @returns Node's working directory unless one is given */
export function normalizeDirectory(value: unknown): string {
  return value === undefined ? process.cwd() : text('directory', value, 'a path');
}
