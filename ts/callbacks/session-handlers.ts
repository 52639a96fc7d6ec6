/** The functions that Python may call in one session only. They end with it. */

import { HostHandlers } from './registry.js';

/** Sets of functions from which on those of sessions that are over are looked for. */
const FIRST_SWEEP = 64;

interface SessionSet {
  /** The session's: another one of the same id has another. */
  readonly number: number;
  readonly handlers: HostHandlers;
}

/** The functions of all sessions of one target. */
export class SessionHandlers {
  readonly #sets = new Map<string, SessionSet>();
  readonly #numberOf: (id: string) => number | undefined;
  #sweepAt = FIRST_SWEEP;

  /** @param numberOf tells sessions of one id apart; undefined if there is none of that id */
  constructor(numberOf: (id: string) => number | undefined) {
    this.#numberOf = numberOf;
  }

  /** Sets that are kept. */
  get size(): number {
    return this.#sets.size;
  }

  /** The functions of a session; undefined if it has none, or is over. */
  of(id: string): HostHandlers | undefined {
    const set = this.#sets.get(id);
    // Most calls are in sessions without any: these are not looked up.
    if (set === undefined) return undefined;
    if (this.#numberOf(id) === set.number) return set.handlers;
    this.#sets.delete(id);
    return undefined;
  }

  /** The same, for adding some. @param id of a session that is there */
  open(id: string): HostHandlers {
    const known = this.of(id);
    if (known !== undefined) return known;
    if (this.#sets.size >= this.#sweepAt) this.sweep();
    const handlers = new HostHandlers();
    this.#sets.set(id, { number: this.#numberOf(id) ?? 0, handlers });
    return handlers;
  }

  /** A session has ended. */
  end(id: string): void {
    this.#sets.delete(id);
  }

  /** Lets go of the functions of sessions that are over. */
  sweep(): void {
    for (const id of [...this.#sets.keys()]) this.of(id);
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#sets.size);
  }
}
