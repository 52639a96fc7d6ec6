import { integer, isPlain, number } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** How a timeout follows from how long calls of the same handler took. */
export interface AdaptiveTimeoutPolicy {
  /**
   * While fewer than ten calls are known, in ms; default 30000. A handler's own
   * `@handler(timeout=…)` goes before it. Never more than twice the base later on.
   */
  readonly base?: number | undefined;
  /** The shortest, in ms; default 5000. */
  readonly min?: number | undefined;
  /** The longest, in ms; default 120000. */
  readonly max?: number | undefined;
  /** What the 95th percentile is multiplied by, at least 1; default 1.5. */
  readonly factor?: number | undefined;
  /** Calls that are remembered; default 100. */
  readonly samples?: number | undefined;
}

/** Timeouts that adapt; default `false`. `true` for the defaults of its policy. */
export type AdaptiveTimeoutOption = boolean | AdaptiveTimeoutPolicy;

/** The option with its defaults applied; times in ms. */
export interface AdaptiveTimeout {
  readonly base: number;
  readonly min: number;
  readonly max: number;
  readonly factor: number;
  readonly samples: number;
}

const NAMES = ['base', 'min', 'max', 'factor', 'samples'];

/** @returns null if timeouts do not adapt */
export function normalizeAdaptiveTimeout(value: unknown = false): AdaptiveTimeout | null {
  if (value === false) return null;
  if (value !== true && !isPlain(value)) {
    const expected = `true, false or an object with ${NAMES.join(', ')}`;
    throw refusal('adaptiveTimeout', expected, value);
  }
  const policy = knownNames('adaptiveTimeout', value === true ? {} : value, NAMES);
  const min = number('adaptiveTimeout.min', policy['min'] ?? 5000, 1, 1e12);
  const max = number('adaptiveTimeout.max', policy['max'] ?? Math.max(min, 120_000), min, 1e12);
  const base = policy['base'] ?? Math.min(Math.max(30_000, min), max);
  return {
    base: number('adaptiveTimeout.base', base, min, max),
    min,
    max,
    factor: number('adaptiveTimeout.factor', policy['factor'] ?? 1.5, 1, 1000),
    samples: integer('adaptiveTimeout.samples', policy['samples'] ?? 100, 10, 100_000),
  };
}
