import { integer, isPlain, timeLimit } from './checks.js';
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
}

/** How many processes run, from 1 to 1024; default 1. They start at the same time. */
export type WorkersOption = number | WorkersRange;

/** The option with its defaults applied. */
export interface Workers {
  readonly min: number;
  readonly max: number;
  /** In ms; null for never. */
  readonly idleTtl: number | null;
}

/** @throws unless it is a whole number from 1 to 1024, or a range of such */
export function normalizeWorkers(value: unknown = 1): Workers {
  if (!isPlain(value)) {
    if (typeof value !== 'number') {
      throw refusal('workers', 'a whole number or an object with min, max, idleTtl', value);
    }
    const count = integer('workers', value, 1, MOST);
    return { min: count, max: count, idleTtl: null };
  }
  const range = knownNames('workers', value, ['min', 'max', 'idleTtl']);
  const max = integer('workers.max', range['max'], 1, MOST);
  const min = integer('workers.min', range['min'] ?? 1, 1, max);
  return { min, max, idleTtl: timeLimit('workers.idleTtl', range['idleTtl'] ?? 0) };
}
