/**
 * Which calls may run: so many at once, and so many of each handler. A nested call takes no turn: a
 * handler that runs waits for it, and does not count itself meanwhile.
 */

import type { Handler } from './registry.js';

/** What takes turns. */
export interface Turn {
  readonly handler: Handler;
  readonly nested: boolean;
}

/** A call that waits, and the order in which it came. */
interface Waiting<Call> {
  readonly order: number;
  readonly call: Call;
}

/**
 * Lets calls run in the order in which they come. One whose handler has all its turns waits beside the
 * others, which pass it.
 */
export class Turns<Call extends Turn> {
  readonly #limit: number;
  #running = 0;
  #arrivals = 0;
  /** What runs as soon as there is room, by arrival. */
  readonly #ready: Waiting<Call>[] = [];
  /** What waits for a turn of its handler, by arrival. */
  readonly #held = new Map<Handler, Waiting<Call>[]>();
  /** By handler with a limit of its own: its calls that run or are ready. */
  readonly #taken = new Map<Handler, number>();

  /** @param limit calls at once */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a call that comes may run now; otherwise it waits until `next` names it. */
  enter(call: Call): boolean {
    if (call.nested) return true;
    const { handler } = call;
    if (handler.concurrency !== undefined) {
      const taken = this.#taken.get(handler) ?? 0;
      if (taken >= handler.concurrency) {
        const waiting = { order: this.#arrivals++, call };
        const held = this.#held.get(handler);
        if (held === undefined) this.#held.set(handler, [waiting]);
        else held.push(waiting);
        return false;
      }
      this.#taken.set(handler, taken + 1);
    }
    if (this.#running < this.#limit) {
      this.#running++;
      return true;
    }
    this.#ready.push({ order: this.#arrivals++, call });
    return false;
  }

  /** A call that ran is over. */
  leave({ nested, handler }: Call): void {
    if (nested) return;
    this.#running--;
    if (handler.concurrency === undefined) return;
    const held = this.#held.get(handler);
    const following = held?.shift();
    if (following === undefined) {
      this.#taken.set(handler, (this.#taken.get(handler) as number) - 1);
      return;
    }
    if (held?.length === 0) this.#held.delete(handler);
    // It has waited for its place among the others, too.
    const later = this.#ready.findIndex(({ order }) => order > following.order);
    this.#ready.splice(later < 0 ? this.#ready.length : later, 0, following);
  }

  /** A call that waits and has its turn now; undefined if there is none, or no room. */
  next(): Call | undefined {
    if (this.#running >= this.#limit) return undefined;
    const following = this.#ready.shift();
    if (following === undefined) return undefined;
    this.#running++;
    return following.call;
  }
}
