/** How the calls of a group tell whether one of its pools works. */

import { type ErrorCode, isSynapseError } from '../errors/index.js';
import type { GroupHealth } from '../options/groupHealth.js';

/** What a call says of the pool that had it. */
export type Outcome = 'works' | 'fails' | 'unknown';

/** Failures of the pool, not of the call. */
const FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TIMEOUT',
  'WORKER_EXITED',
  'START_FAILED',
  'PROTOCOL',
  'PROTOCOL_MISMATCH',
]);

/** Errors that a worker has answered with. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PYTHON_ERROR', 'VALIDATION']);

/** What a failed call says; an abort says nothing. */
export function outcomeOf(reason: unknown): Outcome {
  if (!isSynapseError(reason)) return 'unknown';
  if (FAULTS.has(reason.code)) return 'fails';
  return ANSWERS.has(reason.code) ? 'works' : 'unknown';
}

/**
 * A pool is passed over after so many failures in a row. When its time is over one call tries it: a
 * success brings it back, a failure begins the time anew, and whatever becomes of that call, another
 * may try next.
 */
export class Health {
  #options: GroupHealth;
  readonly #now: () => number;
  #failures = 0;
  #restsUntil = 0;
  /** Calls under way that began when it rested. */
  #tries = 0;

  /** @param now the time in ms */
  constructor(options: GroupHealth, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
  }

  /** New options, which hold from the next call on. */
  configure(options: GroupHealth): void {
    this.#options = options;
  }

  /** Whether it may get a call. */
  get isFit(): boolean {
    return !this.#rests || (this.#now() >= this.#restsUntil && this.#tries === 0);
  }

  /** A call begins; the answer is to be called once, with what the call says in the end. */
  begin(): (outcome: Outcome) => void {
    const tries = this.#rests;
    if (tries) this.#tries++;
    return (outcome) => {
      if (tries) this.#tries--;
      if (outcome === 'works') this.#failures = 0;
      if (outcome === 'fails') {
        this.#failures++;
        this.#restsUntil = this.#now() + this.#options.resetMs;
      }
    };
  }

  get #rests(): boolean {
    return this.#failures >= this.#options.failures;
  }
}
