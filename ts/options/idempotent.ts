import { boolean } from './checks.js';

/** Whether the call may run twice: it is then repeated if its worker dies. Default false. */
export type IdempotentOption = boolean;

/** @throws unless it is true or false */
export function normalizeIdempotent(value: unknown = false): boolean {
  return boolean('idempotent', value);
}
