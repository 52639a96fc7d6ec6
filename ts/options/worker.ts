import { integer } from './checks.js';

/** The id of the worker that must run the call; default any. */
export type WorkerOption = number;

/** @returns 0 for any worker */
export function normalizeWorker(value: unknown): number {
  return value === undefined ? 0 : integer('worker', value, 1, 0xffff_ffff);
}
