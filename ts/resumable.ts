/** Counts the streams that go on when their worker dies. */

import type { StreamObserver } from './stream.js';

/** What has become of the streams with the option `resume`. The rest was left by its consumer. */
export interface ResumableCounters {
  /** Streams that were begun. */
  readonly total: number;
  /** Those that go on. */
  readonly active: number;
  /** Those that came to their end. */
  readonly completed: number;
  /** Those that failed. */
  readonly failed: number;
  /** How often one of them went on with another worker. */
  readonly resumed: number;
}

/** The counters of one instance. */
export class ResumableStreams implements StreamObserver {
  #total = 0;
  #active = 0;
  #completed = 0;
  #failed = 0;
  #resumed = 0;

  /** A stream begins, and tells this of its fate. */
  begin(): this {
    this.#total++;
    this.#active++;
    return this;
  }

  resumed(): void {
    this.#resumed++;
  }

  ended(how: 'completed' | 'failed' | 'left'): void {
    this.#active--;
    if (how === 'completed') this.#completed++;
    if (how === 'failed') this.#failed++;
  }

  counters(): ResumableCounters {
    return {
      total: this.#total,
      active: this.#active,
      completed: this.#completed,
      failed: this.#failed,
      resumed: this.#resumed,
    };
  }
}
