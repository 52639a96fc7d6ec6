import { integer, number, timeLimit } from './checks.js';
import { knownNames } from './names.js';

/** When a healthy worker is replaced by a fresh one. Each limit is off unless given. */
export interface RecycleOption {
  /** After so many calls. */
  readonly calls?: number | undefined;
  /** After so long, in ms. */
  readonly ttl?: number | undefined;
  /** After so long without a call, in ms. */
  readonly idleTtl?: number | undefined;
  /** Above so much resident memory, in bytes. */
  readonly rss?: number | undefined;
  /** How far `calls` and `ttl` vary from worker to worker, from 0 to 1; default 0. */
  readonly jitter?: number | undefined;
}

/** The option with its defaults applied; null is off. */
export interface Recycle {
  readonly calls: number | null;
  readonly ttl: number | null;
  readonly idleTtl: number | null;
  readonly rss: number | null;
  readonly jitter: number;
}

/** @throws unless counts are whole numbers, times are times and `jitter` is from 0 to 1 */
export function normalizeRecycle(value: unknown = {}): Recycle {
  const names = ['calls', 'ttl', 'idleTtl', 'rss', 'jitter'];
  const { calls, ttl, idleTtl, rss, jitter } = knownNames('recycle', value, names);
  const count = (name: string, limit: unknown): number | null =>
    limit === undefined ? null : integer(name, limit, 1, Number.MAX_SAFE_INTEGER);
  return {
    calls: count('recycle.calls', calls),
    ttl: timeLimit('recycle.ttl', ttl ?? 0),
    idleTtl: timeLimit('recycle.idleTtl', idleTtl ?? 0),
    rss: count('recycle.rss', rss),
    jitter: number('recycle.jitter', jitter ?? 0, 0, 1),
  };
}
