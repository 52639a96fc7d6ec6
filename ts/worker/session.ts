/** The state of a caller's session, as `context().session` gives it. */

import { Decoder, Writer } from '../codec/index.js';

/**
 * What the caller's session holds, by key. What a call changes is there in the next call of the session,
 * whichever worker runs it, once the call has succeeded. Values that were changed in place count, too:
 * those that the call has looked at are compared when it ends.
 */
export interface SessionState {
  /** The session's id; undefined if the call belongs to none. */
  readonly id: string | undefined;
  /** How many values there are. */
  readonly size: number;
  /** A value; undefined if there is none. */
  get(key: string): unknown;
  /** Whether there is such a value. */
  has(key: string): boolean;
  /**
   * Sets a value.
   *
   * @throws Error if the call belongs to no session
   */
  set(key: string, value: unknown): this;
  /** Answers whether there was one. */
  delete(key: string): boolean;
  /** The keys of all values. */
  keys(): IterableIterator<string>;
}

/** What a call has changed, as the host reads it. */
export interface SessionChanges {
  readonly set: Map<string, Buffer>;
  readonly delete: readonly string[];
}

/** The state, decoded key by key when a handler looks at it. */
export class CallSession implements SessionState {
  readonly id: string | undefined;
  readonly #encoded: ReadonlyMap<string, Buffer>;
  readonly #values = new Map<string, unknown>();
  readonly #deleted = new Set<string>();

  /** @param given the entry `session` of a request's extras */
  constructor(given: unknown) {
    const { id, data } = (given ?? {}) as { readonly id?: string; readonly data?: object };
    this.id = id;
    this.#encoded = new Map(data instanceof Map ? data : Object.entries(data ?? {}));
  }

  get size(): number {
    return [...this.keys()].length;
  }

  get(key: string): unknown {
    if (this.#values.has(key)) return this.#values.get(key);
    const encoded = this.#deleted.has(key) ? undefined : this.#encoded.get(key);
    if (encoded === undefined) return undefined;
    const value = new Decoder().decode(encoded);
    this.#values.set(key, value);
    return value;
  }

  has(key: string): boolean {
    return this.#values.has(key) || (this.#encoded.has(key) && !this.#deleted.has(key));
  }

  set(key: string, value: unknown): this {
    this.#checkWritable();
    this.#values.set(String(key), value);
    this.#deleted.delete(key);
    return this;
  }

  delete(key: string): boolean {
    this.#checkWritable();
    const found = this.has(key);
    this.#values.delete(key);
    if (this.#encoded.has(key)) this.#deleted.add(key);
    return found;
  }

  *keys(): IterableIterator<string> {
    for (const key of this.#encoded.keys()) if (!this.#deleted.has(key)) yield key;
    for (const key of this.#values.keys()) if (!this.#encoded.has(key)) yield key;
  }

  /**
   * What is different now; undefined if nothing is.
   *
   * @throws EncodeFailure if a value cannot cross
   */
  changes(): SessionChanges | undefined {
    const set = new Map<string, Buffer>();
    for (const [key, value] of this.#values) {
      const writer = new Writer();
      writer.encode(value);
      const encoded = writer.buffer.subarray(0, writer.position);
      if (this.#encoded.get(key)?.equals(encoded) !== true) set.set(key, encoded);
    }
    if (set.size === 0 && this.#deleted.size === 0) return undefined;
    return { set, delete: [...this.#deleted] };
  }

  #checkWritable(): void {
    if (this.id !== undefined) return;
    throw new Error(
      'the call belongs to no session, so nothing can be kept: call it with ' +
        'synapse.session(id).invoke(…) or the option `session`',
    );
  }
}
