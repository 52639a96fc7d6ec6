import { type ErrorCode, isErrorCode } from '../errors/codes.js';
import { texts } from './checks.js';
import { refusal } from './invalid.js';

/** A list of error codes; null where none is given. */
export function errorCodes(option: string, value: unknown): readonly ErrorCode[] | null {
  if (value === undefined) return null;
  return texts(option, value, 'an error code').map((code, index) => {
    if (!isErrorCode(code)) throw refusal(`${option}[${index}]`, 'an error code', code);
    return code;
  });
}
