/** Unknown names are refused: a misspelt option that does nothing is worse than an error. */

import { isPlain } from './checks.js';
import { InvalidOptionError, refusal, show } from './invalid.js';

/** What other packages call our options, where the spelling gives no hint. */
const ALIASES: Readonly<Record<string, string>> = {
  abortSignal: 'signal',
  callTimeout: 'limits.callTimeout',
  maxQueue: 'queue.max',
  poolSize: 'workers',
  pythonPaths: 'pythonPath',
  pythonVersion: 'python',
  timeout: 'limits.callTimeout',
  timeoutMs: 'timeout',
  venv: 'python',
};

/** So many names still read well in a message. */
const LISTED = 8;

/**
 * Checks that a value is an object with no other names than these.
 *
 * @param path the option that holds the names; empty for the options themselves
 */
export function knownNames(
  path: string,
  value: unknown,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (!isPlain(value)) {
    throw path === ''
      ? new InvalidOptionError(`options must be an object, got ${show(value)}`)
      : refusal(path, `an object with ${names.join(', ')}`, value);
  }
  for (const name of Object.keys(value)) {
    if (!names.includes(name)) throw unknownName(path, name, names);
  }
  return value;
}

function unknownName(path: string, name: string, names: readonly string[]): InvalidOptionError {
  const within = (other: string): string => (path === '' ? other : `${path}.${other}`);
  const alias = path === '' ? aliasOf(name, names) : undefined;
  const similar = alias ?? nearest(name, names);
  const known = names.length > LISTED ? '' : `; known are ${names.join(', ')}`;
  const hint = similar === undefined ? known : `; did you mean "${alias ?? within(similar)}"?`;
  return new InvalidOptionError(`unknown option "${within(name)}"${hint}`);
}

/** What stands here for another package's name of an option, if that option exists here. */
function aliasOf(name: string, names: readonly string[]): string | undefined {
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  return alias !== undefined && names.includes(alias.split('.')[0] ?? '') ? alias : undefined;
}

/** The name that takes the fewest edits, if they are few for its length. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

/** Edits: insertions, deletions, substitutions, and neighbours that changed places. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const substituted = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      const isSwapped = from[i] === to[j - 1] && from[i - 1] === to[j];
      const swapped = isSwapped ? (before[j - 1] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(substituted, swapped, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}
