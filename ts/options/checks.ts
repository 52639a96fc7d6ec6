/** Checks that several options share. Each returns the value, typed, or throws. */

import { rangeRefusal, refusal } from './invalid.js';

/** The longest time that is accepted, in ms: some thirty years. */
const LONGEST_MS = 1e12;

/** A whole number from `least` to `most`. */
export function integer(option: string, value: unknown, least: number, most: number): number {
  const expected = `a whole number from ${least} to ${most}`;
  if (typeof value !== 'number') throw refusal(option, expected, value);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw rangeRefusal(option, expected, value);
  }
  return value;
}

/** A number from `least` to `most`. */
export function number(option: string, value: unknown, least: number, most: number): number {
  const expected = `a number from ${least} to ${most}`;
  if (typeof value !== 'number') throw refusal(option, expected, value);
  if (!(value >= least && value <= most)) throw rangeRefusal(option, expected, value);
  return value;
}

/** A time in ms from `least`, 0 unless given; parts of a millisecond are rounded up. */
export function milliseconds(option: string, value: unknown, least = 0): number {
  const expected = `a number of milliseconds from ${least} to ${LONGEST_MS}`;
  if (typeof value !== 'number') throw refusal(option, expected, value);
  if (!(value >= least && value <= LONGEST_MS)) throw rangeRefusal(option, expected, value);
  return Math.ceil(value);
}

/** A limit in ms; 0 and `Infinity` mean none, which is null. Parts of a millisecond are rounded up. */
export function timeLimit(option: string, value: unknown): number | null {
  const expected = `a number of milliseconds from 0 to ${LONGEST_MS}, or Infinity`;
  if (typeof value !== 'number') throw refusal(option, expected, value);
  if (value === 0 || value === Number.POSITIVE_INFINITY) return null;
  if (!(value > 0 && value <= LONGEST_MS)) throw rangeRefusal(option, expected, value);
  return Math.ceil(value);
}

/** One of some texts. */
export function oneOf<Text extends string>(
  option: string,
  value: unknown,
  texts: readonly Text[],
): Text {
  const found = texts.find((text) => text === value);
  if (found === undefined) {
    throw refusal(option, `one of ${texts.map((text) => `"${text}"`).join(', ')}`, value);
  }
  return found;
}

/** `true` or `false`. */
export function boolean(option: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw refusal(option, 'true or false', value);
  return value;
}

/** A string that is not empty and that an operating system takes. */
export function text(option: string, value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw refusal(option, `${what}: a string, not empty, without null characters`, value);
  }
  return value;
}

/** An array of such strings; the message for a bad one names its place. */
export function texts(option: string, value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw refusal(option, `an array of strings, each ${what}`, value);
  return value.map((item: unknown, index) => text(`${option}[${index}]`, item, what));
}

/** A function. */
export function callback<Function_ extends (...values: never[]) => unknown>(
  option: string,
  value: unknown,
): Function_ {
  if (typeof value !== 'function') throw refusal(option, 'a function', value);
  return value as Function_;
}

/** Whether a value is an object literal, or one without a prototype, of any realm. */
export function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
