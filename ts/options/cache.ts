import { integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** Which results are kept, and for how long. */
export interface CachePolicy {
  /** How long a result is kept, in ms; default 300000. 0: not at all. */
  readonly ttl?: number | undefined;
  /** How long after that it may stand in for a call that failed, in ms; default 0. */
  readonly staleIfError?: number | undefined;
  /** Results that are kept, of all handlers together; default 1000. Option of `spawn` only. */
  readonly max?: number | undefined;
  /** Bytes of arguments and results that are kept; default 64 MiB. Option of `spawn` only. */
  readonly bytes?: number | undefined;
}

/** Results that answer the same call again; default `false`. `true` for the defaults of its policy. */
export type CacheOption = boolean | CachePolicy;

/** The option with its defaults applied. */
export interface Cache {
  readonly ttlMs: number;
  readonly staleMs: number;
  readonly max: number;
  readonly bytes: number;
}

const NAMES = ['ttl', 'staleIfError', 'max', 'bytes'];

/** @returns null if nothing is kept */
export function normalizeCache(value: unknown = false): Cache | null {
  if (value === false) return null;
  if (value !== true && !isPlain(value)) {
    throw refusal('cache', `true, false or an object with ${NAMES.join(', ')}`, value);
  }
  const { ttl, staleIfError, max, bytes } = knownNames('cache', value === true ? {} : value, NAMES);
  return {
    ttlMs: milliseconds('cache.ttl', ttl ?? 300_000),
    staleMs: milliseconds('cache.staleIfError', staleIfError ?? 0),
    max: integer('cache.max', max ?? 1000, 1, 0xffff_ffff),
    bytes: integer('cache.bytes', bytes ?? 64 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER),
  };
}
