import { isPlain, milliseconds, oneOf } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** What a worker may have died of, as `worker:exit` tells it. */
const CRASHES = ['segfault', 'oom', 'abort', 'cpu-limit', 'signal', 'exit'] as const;

/** What a worker may have died of. */
export type CrashName = (typeof CRASHES)[number];

/** The place of a worker that crashed gets no work for a while. */
export interface TaintPolicy {
  /** For how long, in ms; default 60000. */
  readonly ms?: number | undefined;
  /** After which crashes; default `segfault`, `oom` and `abort`. */
  readonly on?: readonly CrashName[] | undefined;
}

/** A time in ms, or what exactly; default none. */
export type TaintOption = number | TaintPolicy;

/** The option with its defaults applied. */
export interface Taint {
  readonly ms: number;
  readonly on: readonly CrashName[];
}

const DEFAULT_MS = 60_000;
const DEFAULT_CRASHES: readonly CrashName[] = ['segfault', 'oom', 'abort'];

/** @returns null for none */
export function normalizeTaint(option: string, value: unknown): Taint | null {
  if (value === undefined) return null;
  if (!isPlain(value)) return { ms: milliseconds(option, value), on: DEFAULT_CRASHES };
  const { ms = DEFAULT_MS, on = DEFAULT_CRASHES } = knownNames(option, value, ['ms', 'on']);
  if (!Array.isArray(on)) throw refusal(`${option}.on`, 'an array of names of crashes', on);
  return {
    ms: milliseconds(`${option}.ms`, ms),
    on: on.map((name, index) => oneOf(`${option}.on[${index}]`, name, CRASHES)),
  };
}
