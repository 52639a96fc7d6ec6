import { boolean } from './checks.js';

/**
 * Whether `call` parses a string reply as JSON; default false.
 *
 * @throws unless it is true or false
 */
export function normalizeParseJson(value: unknown = false): boolean {
  return boolean('parseJson', value);
}
