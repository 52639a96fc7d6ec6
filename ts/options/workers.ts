import { availableParallelism } from 'node:os';
import { integer, isPlain, milliseconds, timeLimit } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** Each worker is a process: more are a mistake rather than a wish. */
const MOST = 1024;

/** A pool that grows and shrinks. */
export interface WorkersRange {
  /** Processes that are always kept; default 1. */
  readonly min?: number | undefined;
  /** Processes that are started at most. */
  readonly max: number;
  /** Idle time after which a process above `min` ends, in ms; default none. */
  readonly idleTtl?: number | undefined;
  /** Workers that are ready when `spawn` resolves; the others follow. Default `min`. */
  readonly minReady?: number | undefined;
  /** How the first workers start; default all at once. */
  readonly startupBatch?: StartupBatchOption | undefined;
}

/** Starting a few workers at a time. */
export interface StartupBatchOption {
  /** How many start together. */
  readonly size: number;
  /** Pause before the next so many, in ms; default 500. */
  readonly delayMs?: number | undefined;
}

/**
 * How many processes run, from 1 to 1024; default 1. `auto`: one for each processor that this process
 * may use. They start at the same time.
 */
export type WorkersOption = number | 'auto' | WorkersRange;

/** The option with its defaults applied. */
export interface Workers {
  readonly min: number;
  readonly max: number;
  /** In ms; null for never. */
  readonly idleTtl: number | null;
  readonly minReady: number | null;
  readonly startupBatch: { readonly size: number; readonly delayMs: number } | null;
}

/** @throws unless it is a whole number from 1 to 1024, `auto`, or a range of such */
export function normalizeWorkers(value: unknown = 1): Workers {
  if (!isPlain(value)) {
    if (typeof value !== 'number' && value !== 'auto') {
      throw refusal('workers', 'a whole number, "auto" or an object with min, max, idleTtl', value);
    }
    const wanted = value === 'auto' ? Math.min(availableParallelism(), MOST) : value;
    const count = integer('workers', wanted, 1, MOST);
    return { min: count, max: count, idleTtl: null, minReady: null, startupBatch: null };
  }
  const range = knownNames('workers', value, ['min', 'max', 'idleTtl', 'minReady', 'startupBatch']);
  const max = integer('workers.max', range['max'], 1, MOST);
  const min = integer('workers.min', range['min'] ?? 1, 1, max);
  const { minReady, startupBatch } = range;
  return {
    min,
    max,
    idleTtl: timeLimit('workers.idleTtl', range['idleTtl'] ?? 0),
    minReady: minReady === undefined ? null : integer('workers.minReady', minReady, 1, min),
    startupBatch: startupBatch === undefined ? null : normalizeStartupBatch(startupBatch),
  };
}

function normalizeStartupBatch(value: unknown): Workers['startupBatch'] {
  const { size, delayMs } = knownNames('workers.startupBatch', value, ['size', 'delayMs']);
  return {
    size: integer('workers.startupBatch.size', size, 1, MOST),
    delayMs: milliseconds('workers.startupBatch.delayMs', delayMs ?? 500),
  };
}

/** A size for a running pool: a number, or the two ends of a range. */
export interface ScaleRange {
  readonly min: number;
  readonly max: number;
}

/** @throws unless it is a whole number from 1 to 1024, or a range of such */
export function normalizeScale(value: unknown): ScaleRange {
  if (!isPlain(value)) {
    if (typeof value !== 'number') {
      throw refusal('scale', 'a whole number or an object with min and max', value);
    }
    const count = integer('scale', value, 1, MOST);
    return { min: count, max: count };
  }
  const range = knownNames('scale', value, ['min', 'max']);
  const max = integer('scale.max', range['max'], 1, MOST);
  return { min: integer('scale.min', range['min'] ?? 1, 1, max), max };
}

/** @returns how many workers `ready` waits for; null for as many as the pool always keeps */
export function normalizeReady(value: unknown): number | null {
  const { min } = knownNames('ready', value, ['min']);
  return min === undefined ? null : integer('ready.min', min, 1, MOST);
}
