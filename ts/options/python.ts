import { isPlain, text } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/**
 * The interpreter: a version (`3.12`; `3.13t` is the free-threaded build), its path, or the path of a
 * virtual environment; or one of a version that uv manages, installed if it is missing.
 */
export type PythonOption = string | ManagedPython;

/** An interpreter that uv manages. */
export interface ManagedPython {
  /**
   * A minor version (`'3.12'`), of which uv takes the newest that it has, or a full one (`'3.12.4'`);
   * with a `t` (`'3.13t'`), its free-threaded build.
   */
  readonly managed: string;
}

/** @returns null to search in the documented order; a managed one as `managed:3.12` */
export function normalizePython(value: unknown): string | null {
  if (value === undefined) return null;
  if (!isPlain(value)) return text('python', value, 'a version, a path, or { managed: version }');
  const { managed } = knownNames('python', value, ['managed']);
  if (typeof managed !== 'string' || !/^3\.\d{1,3}(?:\.\d{1,3})?t?$/.test(managed)) {
    throw refusal('python.managed', "a version such as '3.12', '3.12.4' or '3.13t'", managed);
  }
  return `managed:${managed}`;
}
