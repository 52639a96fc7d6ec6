/** Unknown names are refused: a misspelt option that does nothing is worse than an error. */

import { isPlain } from './checks.js';
import { InvalidOptionError, refusal, show } from './invalid.js';

/** What other packages call our options, where the spelling gives no hint. */
const ALIASES: Readonly<Record<string, string>> = {
  callTimeout: 'limits.callTimeout',
  maxQueue: 'queue.max',
  poolSize: 'workers',
  pythonPaths: 'pythonPath',
  pythonVersion: 'python',
  venv: 'python',
};

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
  const alias = path === '' && Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  const similar = alias ?? nearest(name, names);
  const hint = similar === undefined ? '' : `; did you mean "${alias ?? within(similar)}"?`;
  return new InvalidOptionError(`unknown option "${within(name)}"${hint}`);
}

/** The name that takes the fewest edits, if they are few for its length. */
function nearest(name: string, names: readonly string[]): string | undefined {
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

/** Levenshtein's distance: insertions, deletions and substitutions. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const substituted = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
