/**
 * Large binary values on their way through shared memory: which call or answer they belong to while
 * they are encoded, and which worker they come from while they are decoded. The memory itself is
 * the addon's (`src/memory`).
 */

import { types } from 'node:util';
import type { NativeEngine } from './native.js';

/** In place of a worker's number: what is encoded is a call, which has no worker yet. */
export const NO_WORKER = 0;

/** The shared memory of one engine, as the codec uses it. */
export class SharedMemory {
  readonly #native: () => NativeEngine;
  /** Whether the workers know of it. */
  #available = false;
  /** Whether values are being encoded that may refer to it. */
  #open = false;
  /** Whether what was encoded since {@link open} refers to it. */
  #used = false;
  #worker = NO_WORKER;
  #id = 0;
  /** The worker whose values are being decoded. */
  reading = 0;
  /** Whether what is decoded is let go unseen. */
  #discarding = false;

  /** @param native the engine, which may be made later than this */
  constructor(native: () => NativeEngine) {
    this.#native = native;
  }

  /** A worker is ready that reads and writes shared memory; so do all that run the same module. */
  enable(): void {
    this.#available = true;
  }

  /** What is encoded from now on belongs to a call, or to an answer for a worker. */
  open(worker: number, id: number): void {
    this.#open = this.#available;
    this.#used = false;
    this.#worker = worker;
    this.#id = id;
  }

  /**
   * What is encoded from now on goes through the pipe.
   *
   * @returns whether what was encoded since {@link open} refers to shared memory
   */
  close(): boolean {
    const used = this.#used;
    this.#open = false;
    this.#used = false;
    return used;
  }

  /** What was encoded since {@link open} is not sent. */
  withdraw(): void {
    if (this.close()) this.#native().withdraw(this.#worker, this.#id);
  }

  /** Runs code that encodes something of its own in between. */
  apart<Result>(encode: () => Result): Result {
    const [open, used, worker, id] = [this.#open, this.#used, this.#worker, this.#id];
    this.#open = false;
    try {
      return encode();
    } finally {
      this.#open = open;
      this.#used = used;
      this.#worker = worker;
      this.#id = id;
    }
  }

  /** Decodes what nobody wants to see: the memory that it refers to is let go. */
  discard(decode: () => unknown): void {
    this.#discarding = true;
    try {
      decode();
    } catch {
      // Nobody wants to hear what is wrong with it either.
    } finally {
      this.#discarding = false;
    }
  }

  /** For the encoder. */
  readonly lend = (bytes: Uint8Array): number => {
    if (!this.#open || !types.isArrayBuffer(bytes.buffer)) return 0;
    const block = this.#native().lend(this.#worker, this.#id, bytes);
    if (block > 0) this.#used = true;
    return block;
  };

  /** For the decoder. */
  readonly borrow = (block: number, length: number): Buffer | undefined => {
    if (!this.#discarding) return this.#native().borrow(this.reading, block, length);
    this.#native().letGo(this.reading, block, length);
    return undefined;
  };
}
