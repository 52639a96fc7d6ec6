/** How a bad option is refused: the message names the option and echoes the value. */

import { inspect } from 'node:util';

/** A value of the wrong kind; `code` is the one Node's own functions use. */
export class InvalidOptionError extends TypeError {
  /** As in Node: tells a wrong argument from a fault inside. */
  readonly code = 'ERR_INVALID_ARG_VALUE';

  static {
    hideName(InvalidOptionError, 'TypeError');
  }
}

/** A number that is out of range. */
export class OptionRangeError extends RangeError {
  /** As in Node. */
  readonly code = 'ERR_OUT_OF_RANGE';

  static {
    hideName(OptionRangeError, 'RangeError');
  }
}

/** The error for a value of the wrong type. */
export function refusal(option: string, expected: string, value: unknown): InvalidOptionError {
  return new InvalidOptionError(sentence(option, expected, value));
}

/** The error for a number that is out of range. */
export function rangeRefusal(option: string, expected: string, value: number): OptionRangeError {
  return new OptionRangeError(sentence(option, expected, value));
}

function sentence(option: string, expected: string, value: unknown): string {
  return `option "${option}" must be ${expected}, got ${show(value)}`;
}

/** A value on one line, short enough for a message. */
export function show(value: unknown): string {
  const text = inspect(value, {
    breakLength: Number.POSITIVE_INFINITY,
    depth: 0,
    maxArrayLength: 3,
    maxStringLength: 60,
  });
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}

function hideName(errorClass: { readonly prototype: object }, value: string): void {
  const hidden = { configurable: true, enumerable: false, writable: true };
  Object.defineProperty(errorClass.prototype, 'name', { ...hidden, value });
}
