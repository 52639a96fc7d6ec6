import { refusal } from './invalid.js';

/** What stands where a secret was. */
export const HIDDEN = '[redacted]';

/** A line of a secret that is shorter may as well be anything else. */
const SHORTEST_LINE = 8;

/**
 * What must not show in errors and logs: secrets, and patterns of such, each of which becomes
 * `[redacted]`; or a function that gets each text, and the name of the field that holds it
 * (`message`, `traceback`, `stderrTail`, `text`, …), and answers what may be shown.
 *
 * A secret is also found as JSON, a `repr` or a URL writes it, and line by line. What a function throws,
 * and what it answers that is no string, hides the whole text.
 *
 * Log events carry whole lines then: unfinished ones wait up to 200 ms for more.
 */
export type RedactOption = readonly (string | RegExp)[] | ((text: string, field: string) => string);

/** Answers what may be shown of a text. Never throws. */
export type Redact = (text: string, field: string) => string;

/** @returns null where nothing is hidden */
export function normalizeRedact(value: unknown): Redact | null {
  if (value === undefined) return null;
  if (typeof value === 'function') return guarded(value as Redact);
  if (!Array.isArray(value)) {
    throw refusal('redact', 'an array of secrets and patterns, or a function', shape(value));
  }
  if (value.length === 0) return null;
  return replacing(value.map(patternOf));
}

function guarded(hide: Redact): Redact {
  return (text, field) => {
    try {
      const shown: unknown = hide(text, field);
      return typeof shown === 'string' ? shown : HIDDEN;
    } catch {
      // Whatever it stumbled over must not show either.
      return HIDDEN;
    }
  };
}

function replacing(patterns: readonly RegExp[]): Redact {
  return (text) => patterns.reduce((shown, pattern) => shown.replace(pattern, () => HIDDEN), text);
}

function patternOf(value: unknown, index: number): RegExp {
  const option = `redact[${index}]`;
  if (typeof value === 'string') {
    if (value.trim() === '') throw refusal(option, 'a secret that is not empty', value);
    return secretPattern(value);
  }
  if (!(value instanceof RegExp)) {
    throw refusal(option, 'a string or a regular expression', shape(value));
  }
  const pattern = new RegExp(value.source, `${value.flags.replace(/[gy]/g, '')}g`);
  if (''.search(pattern) === 0) throw refusal(option, 'a pattern that needs some text', value);
  return pattern;
}

/** Finds a secret in whatever form it is likely to be written, the longest first. */
function secretPattern(secret: string): RegExp {
  const lines = secret.split(/\r?\n/).filter((line) => line.trim().length >= SHORTEST_LINE);
  const forms = [secret, ...(lines.length > 1 ? lines : [])].flatMap((text) => {
    const json = JSON.stringify(text).slice(1, -1);
    const quoted = json.replaceAll('\\"', '"');
    return [text, json, quoted, quoted.replaceAll("'", "\\'"), inAddress(text)];
  });
  const longestFirst = [...new Set(forms)].sort((one, other) => other.length - one.length);
  return new RegExp(longestFirst.map(escaped).join('|'), 'g');
}

function inAddress(text: string): string {
  // Half of a character has no place in an address.
  return encodeURIComponent(Buffer.from(text).toString());
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** What stands for a value in a refusal: the value itself may be a secret. */
function shape(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
