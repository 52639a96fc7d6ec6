/** What is kept between calls: the option `sessions` of `spawn`. */

import { resolve } from 'node:path';
import { integer, text } from './checks.js';
import { knownNames } from './names.js';
import { timeToLive } from './session.js';

/** Bounds on sessions, and where they are kept. */
export interface SessionsOption {
  /** Sessions at once; default 10,000. One more is refused with `SESSION_QUOTA_EXCEEDED`. */
  readonly max?: number | undefined;
  /** Bytes of one session, encoded; default 1 MiB. A change beyond is refused as a whole. */
  readonly bytes?: number | undefined;
  /** How long a session lives untouched, in ms; default one hour; `Infinity`: for ever. */
  readonly ttl?: number | undefined;
  /**
   * A file in which sessions survive the end of Node; default: they do not. It is made if it is not
   * there, and one process has it at a time.
   */
  readonly store?: string | undefined;
}

/** The option with its defaults applied. */
export interface Sessions {
  readonly max: number;
  readonly bytes: number;
  /** Null for ever. */
  readonly ttlMs: number | null;
  /** Absolute; null for none. */
  readonly store: string | null;
}

const HOUR_MS = 3_600_000;

/** @throws unless the bounds are whole numbers, `ttl` a time and `store` a path */
export function normalizeSessions(value: unknown = {}): Sessions {
  const { max, bytes, ttl, store } = knownNames('sessions', value, [
    'max',
    'bytes',
    'ttl',
    'store',
  ]);
  const limit = timeToLive('sessions.ttl', ttl ?? HOUR_MS);
  return {
    max: integer('sessions.max', max ?? 10_000, 1, 0xffff_ffff),
    bytes: integer('sessions.bytes', bytes ?? 1024 * 1024, 1, 0xffff_ffff),
    ttlMs: limit === Number.POSITIVE_INFINITY ? null : limit,
    store: store === undefined ? null : resolve(text('sessions.store', store, 'a path')),
  };
}
