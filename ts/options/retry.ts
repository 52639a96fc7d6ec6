import { type ErrorCode, isErrorCode } from '../errors/codes.js';
import { type Backoff, type BackoffOption, normalizeBackoff } from './backoff.js';
import { integer, isPlain, number, texts } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

/** When and how often a failed call is made again. */
export interface RetryPolicy {
  /** Attempts after the first; default 3. */
  readonly retries?: number | undefined;
  /** Delays between attempts. */
  readonly backoff?: BackoffOption | undefined;
  /** How far delays vary, as a part of them, from 0 to 1; default 0.2. */
  readonly jitter?: number | undefined;
  /** Codes that are tried again; default those of errors that are `retryable`. */
  readonly codes?: readonly ErrorCode[] | undefined;
}

/** Attempts after the first, or a policy; default 0. */
export type RetryOption = number | RetryPolicy;

/** The option with its defaults applied. */
export interface Retry {
  readonly retries: number;
  readonly backoff: Backoff;
  readonly jitter: number;
  /** Null for all that are `retryable`. */
  readonly codes: readonly ErrorCode[] | null;
}

const MOST = 1000;

/** @throws unless it is a whole number from 0 to 1000, or a policy */
export function normalizeRetry(value: unknown = 0): Retry {
  if (!isPlain(value)) {
    if (typeof value !== 'number') {
      throw refusal(
        'retry',
        'a whole number or an object with retries, backoff, jitter, codes',
        value,
      );
    }
    const retries = integer('retry', value, 0, MOST);
    return { retries, backoff: normalizeBackoff('retry.backoff'), jitter: 0.2, codes: null };
  }
  const names = ['retries', 'backoff', 'jitter', 'codes'];
  const { retries, backoff, jitter, codes } = knownNames('retry', value, names);
  return {
    retries: integer('retry.retries', retries ?? 3, 0, MOST),
    backoff: normalizeBackoff('retry.backoff', backoff),
    jitter: number('retry.jitter', jitter ?? 0.2, 0, 1),
    codes: codes === undefined ? null : texts('retry.codes', codes, 'an error code').map(code),
  };
}

function code(text: string, index: number): ErrorCode {
  if (!isErrorCode(text)) throw refusal(`retry.codes[${index}]`, 'an error code', text);
  return text;
}
