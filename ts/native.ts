/**
 * The engine's native surface, and the only file that imports it. What crosses is numbers, bytes
 * and JSON texts; every method runs on the thread that made the engine.
 */

import { createRequire } from 'node:module';
import { NativeLoadError } from './platform.js';

/** One engine. Mirrors `src/binding/engine.rs` and then `src/binding/sessions.rs`. */
export interface NativeEngine {
  /** Prepares the environment and starts workers. The outcome comes as an event. */
  start(config: string): void;
  /** Takes the frames in `buffer` up to `end`. */
  submit(buffer: Uint8Array, end: number): void;
  /** A function that does the same, always with this buffer: faster than the method. */
  submitter(buffer: Uint8Array): (end: number) => void;
  /** Takes what a worker sent: the bytes of `buffer` up to `end`. */
  received(worker: number, buffer: Uint8Array, end: number): void;
  /** A function that does the same, always with this worker and this buffer: faster. */
  receiver(worker: number, buffer: Uint8Array): (end: number) => void;
  /** A worker's data channel is at its end. */
  closed(worker: number): void;
  /** Takes what happened on other threads, and lets due timers fire. */
  poll(): void;
  /** The caller has given a call up. */
  cancel(id: number): void;
  /** The consumer of a stream can take so many more items. */
  grant(id: number, items: number): void;
  /** Begins an operation on the pool, which is JSON; the event `done` with this ticket ends it. */
  operate(ticket: number, request: string): void;
  /**
   * Copies a large value into shared memory for a call (`worker` is 0), or for the answer to a callback
   * of a worker. Answers where it begins; 0 if it has to take the pipe.
   */
  lend(worker: number, id: number, value: Uint8Array): number;
  /** What was lent for this call or answer is not sent. */
  withdraw(worker: number, id: number): void;
  /**
   * A large value that a worker has put into shared memory, without a copy.
   *
   * @throws Error if the worker has put none there
   */
  borrow(worker: number, block: number, length: number): Buffer;
  /** Lets such a value go unseen. */
  letGo(worker: number, block: number, length: number): void;
  /** Rejects all calls and stops all workers. */
  stop(): void;
  /** Ends all processes at once, without a word. */
  kill(): void;
  /** Lets go of the event loop. Only after `stopped`. */
  release(): void;
  /** Calls answered by kept replies: each its id (u32), its length (u32), and the payload. */
  takeKept(): Buffer;
  /** Closes circuit breakers: that of a handler, or all. */
  resetBreaker(handler: string | undefined): void;
  /** Forgets kept replies: those of a handler, or all. */
  clearCache(handler: string | undefined): void;
  /** What happened since the last time: a JSON array of events. */
  takeEvents(): string;
  /** Counters as JSON. */
  stats(): string;
  /** The workers as JSON. */
  workers(): string;
  /** Opens a session; answers whether it was made. `ttl` in ms: 0 leaves it, infinity is for ever. */
  openSession(id: string, ttl: number, mustBeNew: boolean): boolean;
  /** The values of a session; null if it is not there. */
  readSession(id: string): { readonly keys: string[]; readonly values: Buffer[] } | null;
  /** Changes a session: `keys` get the values that lie in `bytes`, each up to its place in `ends`. */
  changeSession(
    id: string,
    ttl: number,
    keys: string[],
    bytes: Uint8Array,
    ends: number[],
    remove: string[],
  ): void;
  /** Forgets a session; answers whether there was one. */
  deleteSession(id: string): boolean;
  /** Forgets sessions that are over; answers how many. */
  sweepSessions(): number;
  /** What is known of a session, or of all if none is named, as JSON. */
  describeSessions(id?: string): string;
  /** Stores a value without a session. `ttl` in ms; infinity is for ever. */
  putGlobal(key: string, value: Uint8Array, ttl: number): void;
  /** A value without a session. */
  getGlobal(key: string): Buffer | null;
  /** Forgets a value without a session; answers whether there was one. */
  deleteGlobal(key: string): boolean;
}

interface Binding {
  readonly NativeEngine: new (table: Uint32Array, wake: () => void) => NativeEngine;
  readonly resolvePython: (spec: string) => Promise<string>;
}

function load(): Binding {
  try {
    return createRequire(__filename)('#native') as Binding;
  } catch (cause) {
    throw new NativeLoadError(cause);
  }
}

const binding = load();

/** Searches for an interpreter: JSON in, JSON out. Mirrors `src/binding/resolve.rs`. */
export function searchPython(spec: string): Promise<string> {
  return binding.resolvePython(spec);
}

/**
 * Makes an engine. Every call fills in `table`, which is its own; `wake` is called on this thread when
 * {@link NativeEngine.poll} has work.
 */
export function createEngine(table: Uint32Array, wake: () => void): NativeEngine {
  return new binding.NativeEngine(table, wake);
}
