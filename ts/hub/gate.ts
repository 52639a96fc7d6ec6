/** Lets so many in at once; the others wait in order. */

import { whenAborted } from '../abort.js';
import { QueueFullError, TimeoutError } from '../errors/index.js';
import type { Queue } from '../options/queue.js';

/** How one caller waits. */
export interface Wait {
  readonly signal: AbortSignal | undefined;
  /** In ms; 0 for any time. */
  readonly timeout: number;
}

interface Waiter {
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

/** First come, first served. A place is given back by {@link leave}, however the work ended. */
export class Gate {
  readonly #name: string;
  #places: number;
  #queue: Queue;
  readonly #waiters = new Set<Waiter>();
  #inside = 0;

  /** @param name what the messages of errors call it */
  constructor(name: string, places: number, queue: Queue) {
    this.#name = name;
    this.#places = places;
    this.#queue = queue;
  }

  /** Other bounds. Those who are inside or wait stay; with more places the first of them enter. */
  configure(places: number, queue: Queue): void {
    this.#places = places;
    this.#queue = queue;
    this.#admit();
  }

  /** How many are inside. */
  get inside(): number {
    return this.#inside;
  }

  /** Whether the next caller would be inside at once. */
  get isOpen(): boolean {
    return this.#inside < this.#places && this.#waiters.size === 0;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves when the caller is inside.
   *
   * @throws QueueFullError if too many wait, TimeoutError if the time runs out, or the signal's reason
   */
  async enter({ signal, timeout }: Wait): Promise<void> {
    signal?.throwIfAborted();
    if (this.isOpen) {
      this.#inside++;
      return;
    }
    const { max, timeoutMs } = this.#queue;
    if (max !== null && this.#waiters.size >= max) {
      const message = `${this.#name} has ${max} calls waiting already (option "queue.max")`;
      throw new QueueFullError(message, { max });
    }
    const limits = [timeout || Number.POSITIVE_INFINITY, timeoutMs ?? Number.POSITIVE_INFINITY];
    await this.#wait(signal, Math.min(...limits));
  }

  /** Gives the place to whoever waits longest. */
  leave(): void {
    this.#inside--;
    this.#admit();
  }

  /** Refuses all who wait. */
  clear(reason: unknown): void {
    for (const waiter of this.#waiters) waiter.refuse(reason);
    this.#waiters.clear();
  }

  #admit(): void {
    for (const waiter of this.#waiters) {
      if (this.#inside >= this.#places) return;
      this.#waiters.delete(waiter);
      this.#inside++;
      waiter.enter();
    }
  }

  #wait(signal: AbortSignal | undefined, limit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        release?.();
        act();
      };
      const waiter: Waiter = {
        enter: () => settle(resolve),
        refuse: (reason) => settle(() => reject(reason)),
      };
      const give = (reason: unknown): void => {
        this.#waiters.delete(waiter);
        waiter.refuse(reason);
      };
      const release = signal && whenAborted(signal, () => give(signal.reason));
      if (limit !== Number.POSITIVE_INFINITY) {
        const message = `the call waited ${limit} ms for ${this.#name}`;
        timer = setTimeout(() => give(new TimeoutError(message, { phase: 'queue' })), limit);
      }
      this.#waiters.add(waiter);
    });
  }
}
