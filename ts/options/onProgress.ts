import { callback } from './checks.js';

/** How far the set-up of an environment is. */
export interface SetupProgress {
  /** What is being done: `resolve`, `venv`, `download`, `install` or `ready`. */
  readonly phase: string;
  /** Steps done, if they can be counted. */
  readonly done: number | null;
  /** Steps in total, if they can be counted. */
  readonly total: number | null;
  /** A line for people. */
  readonly text: string;
}

/** Told of each step of setting an environment up. */
export type OnProgressOption = (progress: SetupProgress) => void;

/** @returns null if nobody wants to know */
export function normalizeOnProgress(value: unknown): OnProgressOption | null {
  return value === undefined ? null : callback<OnProgressOption>('onProgress', value);
}
