import type { ErrorCode } from '../errors/codes.js';
import { type Backoff, type BackoffOption, normalizeBackoff } from './backoff.js';
import { integer, isPlain, milliseconds, number } from './checks.js';
import { errorCodes } from './codes.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** When and how often a failed call is made again. */
export interface RetryPolicy {
  /** Attempts after the first; default 3. */
  readonly retries?: number | undefined;
  /**
   * Delays between attempts: growing by a factor; or a number, always the same; or a list, the last of
   * which repeats. In ms.
   */
  readonly backoff?: BackoffOption | number | readonly number[] | undefined;
  /** How far delays vary, as a part of them, from 0 to 1; default 0.2. */
  readonly jitter?: number | undefined;
  /**
   * Codes that are tried again; default `TIMEOUT`, `WORKER_EXITED` and `QUEUE_FULL`. A call that may
   * have run is repeated only if it is `idempotent`, whatever its code.
   */
  readonly codes?: readonly ErrorCode[] | undefined;
  /**
   * How many repetitions the instance allows itself in all; `false` for any number. Option of `spawn`
   * only.
   */
  readonly budget?: RetryBudget | false | undefined;
}

/** How many repetitions an instance allows itself, so that trouble is not made worse. */
export interface RetryBudget {
  /** Repetitions for each call; default 0.1: one for ten calls. */
  readonly ratio?: number | undefined;
  /** Repetitions a second in any case; default 10. */
  readonly perSecond?: number | undefined;
}

/** Attempts after the first, or a policy; default 0. */
export type RetryOption = number | RetryPolicy;

/** The option with its defaults applied. */
export interface Retry {
  readonly retries: number;
  readonly backoff: Backoff | readonly number[];
  readonly jitter: number;
  /** Null for those that are tried again by default. */
  readonly codes: readonly ErrorCode[] | null;
  /** Null for any number of repetitions. */
  readonly budget: { readonly ratio: number; readonly perSecond: number } | null;
}

const MOST = 1000;
const NAMES = ['retries', 'backoff', 'jitter', 'codes', 'budget'];

/** @throws unless it is a whole number from 0 to 1000, or a policy */
export function normalizeRetry(value: unknown = 0): Retry {
  if (!isPlain(value)) {
    if (typeof value !== 'number') {
      throw refusal('retry', `a whole number or an object with ${NAMES.join(', ')}`, value);
    }
    const retries = integer('retry', value, 0, MOST);
    const backoff = normalizeBackoff('retry.backoff');
    return { retries, backoff, jitter: 0.2, codes: null, budget: normalizeBudget(undefined) };
  }
  const { retries, backoff, jitter, codes, budget } = knownNames('retry', value, NAMES);
  return {
    retries: integer('retry.retries', retries ?? 3, 0, MOST),
    backoff: delays(backoff),
    jitter: number('retry.jitter', jitter ?? 0.2, 0, 1),
    codes: errorCodes('retry.codes', codes),
    budget: normalizeBudget(budget),
  };
}

function delays(value: unknown): Backoff | readonly number[] {
  if (typeof value === 'number') return [milliseconds('retry.backoff', value)];
  if (!Array.isArray(value)) return normalizeBackoff('retry.backoff', value);
  if (value.length === 0) throw refusal('retry.backoff', 'a list that is not empty', value);
  return value.map((delay, index) => milliseconds(`retry.backoff[${index}]`, delay));
}

function normalizeBudget(value: unknown = {}): Retry['budget'] {
  if (value === false) return null;
  const { ratio, perSecond } = knownNames('retry.budget', value, ['ratio', 'perSecond']);
  return {
    ratio: number('retry.budget.ratio', ratio ?? 0.1, 0, MOST),
    perSecond: number('retry.budget.perSecond', perSecond ?? 10, 0, 1e6),
  };
}
