/** What an instance runs. */

import type { Engine } from './engine.js';
import type { Handlers } from './handlers.js';
import { type BeforeReadyOption, type FallbackOption, show } from './options/index.js';
import type { Redactor } from './redaction.js';

/** What the instance runs, and where that stands. */
export interface Target {
  readonly directory: string;
  readonly entrypoint: string;
  readonly engine: Engine;
  /** The limit of calls that give none, in ms. */
  readonly callTimeoutMs: number | null;
  /** The limit of streams that give none, in ms. */
  readonly streamTimeoutMs: number | null;
  /** What becomes of calls while `spawn` is under way. */
  readonly beforeReady: BeforeReadyOption;
  /** Calls that run at once when all workers have as many as they take. */
  readonly parallel: number;
  /** What calls answer that fail and say nothing else; undefined for an error. */
  readonly fallback: FallbackOption | undefined;
  readonly handlers: Handlers;
  /** Hides secrets in what is told; undefined if there are none. */
  readonly redactor: Redactor | undefined;
  /** Settles when every first worker is ready, or none will be. */
  readonly ready: Promise<void>;
  readonly settleReady: { resolve(): void; reject(reason: unknown): void };
  /** Settles when no process is left. */
  readonly gone: Promise<void>;
  readonly settleGone: () => void;
  isReady: boolean;
  disposing: boolean;
}

/**
 * Refuses what callers without types may have forgotten.
 *
 * @throws TypeError that names it and echoes the value
 */
export function checkTarget(directory: unknown, entrypoint: unknown): void {
  for (const [name, value] of Object.entries({ directory, entrypoint })) {
    if (typeof value === 'string') continue;
    const wayOut = value instanceof URL ? '; fileURLToPath() of node:url makes it one' : '';
    throw new TypeError(`the ${name} of spawn must be a string, got ${show(value)}${wayOut}`);
  }
}

/** Whether two names are those of one entry file. */
export function sameEntry(one: string, other: string): boolean {
  return one.replace(/\.py$/, '') === other.replace(/\.py$/, '');
}

/** A promise of something that others bring about. */
export function deferred(): {
  promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
} {
  let resolve!: () => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever waits for it gets the rejection; nobody may be waiting.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Keeps Node up until the answer is called. */
export function keepAlive(): () => void {
  const timer = setInterval(() => {}, 0x7fff_ffff);
  return () => clearInterval(timer);
}
