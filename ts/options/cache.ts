import { integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** Which results are kept, and for how long. */
export interface CachePolicy {
  /** How long a result is kept, in ms; default 300000. 0: not at all. */
  readonly ttl?: number | undefined;
  /** Results that are kept; default 1000. */
  readonly max?: number | undefined;
}

/** Results that answer the same call again; default `false`. `true` for the defaults of its policy. */
export type CacheOption = boolean | CachePolicy;

/** The option with its defaults applied. */
export interface Cache {
  readonly ttlMs: number;
  readonly max: number;
}

/** @returns null if nothing is kept */
export function normalizeCache(value: unknown = false): Cache | null {
  if (value === false) return null;
  if (value !== true && !isPlain(value)) {
    throw refusal('cache', 'true, false or an object with ttl, max', value);
  }
  const { ttl, max } = knownNames('cache', value === true ? {} : value, ['ttl', 'max']);
  return {
    ttlMs: milliseconds('cache.ttl', ttl ?? 300_000),
    max: integer('cache.max', max ?? 1000, 1, 0xffff_ffff),
  };
}
