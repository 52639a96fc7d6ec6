/** The options of one call. */

import type { CacheOption } from './cache.js';
import { isPlain } from './checks.js';
import type { FallbackOption } from './fallback.js';
import type { HedgeOption } from './hedge.js';
import { type IdempotentOption, normalizeIdempotent } from './idempotent.js';
import type { IdleTimeoutOption } from './idleTimeout.js';
import { InvalidOptionError } from './invalid.js';
import { type MetadataOption, normalizeMetadata } from './metadata.js';
import { knownNames } from './names.js';
import { normalizeParseJson } from './parseJson.js';
import { callPolicies } from './policies.js';
import { normalizePriority, type PriorityOption } from './priority.js';
import type { ResumeOption } from './resume.js';
import type { ResumeFromOption } from './resumeFrom.js';
import type { RetryOption } from './retry.js';
import { type NormalizedSession, normalizeSession, type SessionOption } from './session.js';
import { normalizeSignal, type SignalOption } from './signal.js';
import { normalizeTimeout, type TimeoutOption } from './timeout.js';
import { normalizeWorker, type WorkerOption } from './worker.js';

/** Options of `call`, `invoke`, `stream` and the like. All may be absent. */
export interface CallOptions {
  /**
   * Time for the call, queueing included, in ms; default what the handler says of itself, else
   * `limits.callTimeout`. 0 and `Infinity`: any time.
   */
  readonly timeout?: TimeoutOption | undefined;
  /** Aborts the call, which then rejects with `signal.reason`. */
  readonly signal?: SignalOption | undefined;
  /** Which of the calls that wait goes first: the lower, and of equals the earlier; default 0. */
  readonly priority?: PriorityOption | undefined;
  /** The session that the call belongs to: its id, or `{ id, ttl, affinity }`; default none. */
  readonly session?: SessionOption | undefined;
  /** The id of the worker that must run the call; default any. */
  readonly worker?: WorkerOption | undefined;
  /**
   * Whether the call may run twice: it is then repeated if its worker dies; default what the
   * handler says, else false.
   */
  readonly idempotent?: IdempotentOption | undefined;
  /** Attempts after the first, or a policy; default that of `spawn`. */
  readonly retry?: RetryOption | undefined;
  /**
   * What the call answers when it has failed for good: a value, or a function of the error;
   * default that of `spawn`.
   */
  readonly fallback?: FallbackOption | undefined;
  /** Whether an earlier result may answer, and this one later calls; default that of `spawn`. */
  readonly cache?: CacheOption | undefined;
  /** Copies of the call if it is slow and idempotent; default that of `spawn`. */
  readonly hedge?: HedgeOption | undefined;
  /** What the handler finds in `context().metadata`. */
  readonly metadata?: MetadataOption | undefined;
}

/** Options of `stream`. */
export interface StreamOptions extends CallOptions {
  /** Longest wait of the consumer for one item, in ms; default, 0 and `Infinity`: any time. */
  readonly idleTimeout?: IdleTimeoutOption | undefined;
  /**
   * Whether the stream goes on with another worker if its own dies; default false. See
   * docs/streaming.md.
   */
  readonly resume?: ResumeOption | undefined;
  /**
   * The number of the last item that is there already, counted from 1: only those behind it
   * come; default 0.
   */
  readonly resumeFrom?: ResumeFromOption | undefined;
}

/** Options of a call with their defaults applied. */
export interface NormalizedCallOptions {
  /** In ms; 0 for any time. */
  readonly timeout: number;
  /** The call itself says so, and be it that there is no limit: what its handler says does not apply. */
  readonly ownTimeout: boolean;
  readonly signal: AbortSignal | undefined;
  readonly priority: number;
  /** 0 for any. */
  readonly worker: number;
  readonly idempotent: boolean;
  readonly metadata: MetadataOption | undefined;
  /** What the call says of policies, as the engine reads it. */
  readonly policies: string | undefined;
  readonly session: NormalizedSession | undefined;
}

/** `parseJson` belongs to `call` alone, which reads it itself. */
const NAMES: readonly (keyof CallOptions | 'parseJson')[] = [
  'timeout',
  'signal',
  'priority',
  'session',
  'worker',
  'idempotent',
  'retry',
  'fallback',
  'cache',
  'hedge',
  'metadata',
  'parseJson',
];

const DEFAULTS: NormalizedCallOptions = Object.freeze({
  timeout: 0,
  ownTimeout: false,
  signal: undefined,
  priority: 0,
  worker: 0,
  idempotent: false,
  metadata: undefined,
  policies: undefined,
  session: undefined,
});

/**
 * Refuses unknown names, where there are more options than those of a call.
 *
 * @param also the names of the others
 * @throws InvalidOptionError that names the option and the nearest
 */
export function checkCallNames(options: unknown, also: readonly string[]): void {
  const names: readonly string[] = NAMES;
  const isKnown = (name: string): boolean => names.includes(name) || also.includes(name);
  if (isPlain(options) && Object.keys(options).every(isKnown)) return;
  knownNames('', options, [...names, ...also]);
}

/**
 * Refuses what makes no sense for a stream: what its consumer has seen can be neither kept nor taken
 * back.
 *
 * @throws InvalidOptionError that names the option
 */
export function checkStreamOptions({ fallback, cache, hedge }: CallOptions): void {
  const asked = { fallback: fallback !== undefined, cache: Boolean(cache), hedge: Boolean(hedge) };
  for (const [name, isAsked] of Object.entries(asked)) {
    if (isAsked) throw new InvalidOptionError(`option "${name}" does not apply to streams`);
  }
}

/**
 * Checks the options of a call. Without options and without a default timeout it answers the same
 * object every time.
 *
 * @param callTimeoutMs the limit of calls that give none (`limits.callTimeout`); null for none
 * @throws TypeError or RangeError that names the option and echoes the value
 */
export function normalizeCallOptions(
  options?: CallOptions,
  callTimeoutMs: number | null = null,
): NormalizedCallOptions {
  if (options === undefined) {
    if (callTimeoutMs === null) return DEFAULTS;
    return Object.freeze({ ...DEFAULTS, timeout: callTimeoutMs });
  }
  const given = knownNames('', options, NAMES);
  normalizeParseJson(given['parseJson']);
  const timeout = normalizeTimeout(given['timeout']);
  return Object.freeze({
    timeout: (timeout === undefined ? callTimeoutMs : timeout) ?? 0,
    ownTimeout: timeout !== undefined,
    signal: normalizeSignal(given['signal']),
    priority: normalizePriority(given['priority']),
    worker: normalizeWorker(given['worker']),
    idempotent: normalizeIdempotent(given['idempotent']),
    metadata: normalizeMetadata(given['metadata']),
    policies: callPolicies(options.retry, options.cache, options.hedge),
    session: normalizeSession(given['session']),
  });
}
