import { text } from './checks.js';

/** The dependency file, relative to the directory of `spawn`; default as `spawn` finds it. */
export type RequirementsOption = string;

/** @returns null to look for the usual files */
export function normalizeRequirements(value: unknown): string | null {
  return value === undefined ? null : text('requirements', value, 'a path');
}
