import { integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** When a second copy of a slow call is sent. Only of calls that are `idempotent`. */
export interface HedgePolicy {
  /**
   * How long the first copy gets, in ms; default `"p95"`: the 95th percentile of the handler's calls,
   * once ten are known.
   */
  readonly after?: number | 'p95' | undefined;
  /** Copies beside the first; default 1. */
  readonly copies?: number | undefined;
}

/** Copies of slow calls; default `false`: none. `true` for the defaults; a number is `after`. */
export type HedgeOption = boolean | number | HedgePolicy;

/** The option with its defaults applied. */
export interface Hedge {
  /** In ms; null for the percentile. */
  readonly afterMs: number | null;
  readonly copies: number;
}

/** @returns null if there are none */
export function normalizeHedge(value: unknown = false): Hedge | null {
  if (value === false) return null;
  if (typeof value === 'number') return { afterMs: milliseconds('hedge', value), copies: 1 };
  if (value !== true && !isPlain(value)) {
    throw refusal('hedge', 'true, false, a number or an object with after, copies', value);
  }
  const { after, copies } = knownNames('hedge', value === true ? {} : value, ['after', 'copies']);
  return {
    afterMs: after === undefined || after === 'p95' ? null : delay(after),
    copies: integer('hedge.copies', copies ?? 1, 1, 10),
  };
}

function delay(value: unknown): number {
  if (typeof value !== 'number') throw refusal('hedge.after', 'a number or "p95"', value);
  return milliseconds('hedge.after', value);
}
