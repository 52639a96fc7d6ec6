import { text } from './checks.js';

/** The interpreter: a version (`3.12`), its path, or the path of a virtual environment. */
export type PythonOption = string;

/** @returns null to search in the documented order */
export function normalizePython(value: unknown): string | null {
  return value === undefined ? null : text('python', value, 'a version or a path');
}
