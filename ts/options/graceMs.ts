import { milliseconds } from './checks.js';

/** Time between the wish that a worker or a cancelled call ends and SIGKILL, in ms; default 500. */
export type GraceOption = number;

/** @throws unless it is a time */
export function normalizeGraceMs(value: unknown = 500): number {
  return milliseconds('graceMs', value);
}
