import { resolve } from 'node:path';
import { texts } from './checks.js';

/** Directories to add to `sys.path`, behind that of the entry file; relative ones start at `process.cwd()`. */
export type PythonPathOption = readonly string[];

/** @returns absolute paths */
export function normalizePythonPath(value: unknown = []): string[] {
  return texts('pythonPath', value, 'a directory').map((directory) => resolve(directory));
}
