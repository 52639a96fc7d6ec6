/**
 * The calls that are out, by id. Ids count up, so a table that is indexed by their low bits finds a
 * call without hashing and makes no garbage; a call that stays out for long is stepped over.
 */

/** The engine's own attempts, callbacks and functions have the ids above. */
const MAX_ID = 0x3fff_ffff;
const FIRST_CAPACITY = 256;

/** What waits for answers. */
export class PendingCalls<Call> {
  #calls: (Call | undefined)[] = new Array(FIRST_CAPACITY).fill(undefined);
  #ids = new Uint32Array(FIRST_CAPACITY);
  #mask = FIRST_CAPACITY - 1;
  #size = 0;
  #lastId = 0;

  get size(): number {
    return this.#size;
  }

  /** An id that no call has that is out. */
  nextId(): number {
    if (this.#size * 2 > this.#mask) this.#grow();
    do {
      this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1;
    } while (this.#calls[this.#lastId & this.#mask] !== undefined);
    return this.#lastId;
  }

  /** Adds a call under an id from {@link nextId}. */
  add(id: number, call: Call): void {
    const slot = id & this.#mask;
    // Between the two another call may have been added whose id shares the slot.
    if (this.#calls[slot] !== undefined) {
      this.#grow();
      this.add(id, call);
      return;
    }
    this.#calls[slot] = call;
    this.#ids[slot] = id;
    this.#size++;
  }

  get(id: number): Call | undefined {
    const slot = id & this.#mask;
    return this.#ids[slot] === id ? this.#calls[slot] : undefined;
  }

  /** Takes a call out. */
  take(id: number): Call | undefined {
    const call = this.get(id);
    if (call === undefined) return undefined;
    this.#calls[id & this.#mask] = undefined;
    this.#size--;
    return call;
  }

  #grow(): void {
    const calls = this.#calls;
    const ids = this.#ids;
    const capacity = calls.length * 2;
    this.#calls = new Array(capacity).fill(undefined);
    this.#ids = new Uint32Array(capacity);
    this.#mask = capacity - 1;
    this.#size = 0;
    calls.forEach((call, slot) => {
      if (call !== undefined) this.add(ids[slot] as number, call);
    });
  }
}
