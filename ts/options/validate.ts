import { boolean } from './checks.js';

/**
 * Whether arguments are checked against the type hints of the handlers; default true. A handler that
 * says `@handler(validate=…)` decides for itself.
 */
export type ValidateOption = boolean;

/** @throws unless it is true or false */
export function normalizeValidate(value: unknown = true): boolean {
  return boolean('validate', value);
}
