import { integer } from './checks.js';

/**
 * The number of the last item that the caller has of an earlier stream of the same call: only those
 * behind it come. Items are numbered from 1; default 0, from the start.
 */
export type ResumeFromOption = number;

/** @throws unless it is a safe integer, not negative */
export function normalizeResumeFrom(value: unknown = 0): number {
  return integer('resumeFrom', value, 0, Number.MAX_SAFE_INTEGER);
}
