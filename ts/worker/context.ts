/** What a handler can learn about its call, and tell its caller while it runs. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { CallSession, type SessionChanges, type SessionState } from './session.js';
import { shared } from './shared.js';

/** The running call. `context()` gives it. */
export interface Context {
  /** The number of the call, as log events in the host carry it. */
  readonly callId: number;
  /** Aborted when nobody waits for the answer any more, or the worker has to stop at once. */
  readonly signal: AbortSignal;
  /** Whether that has happened. */
  readonly cancelled: boolean;
  /** State of the caller's session; empty, and not writable, if the call belongs to none. */
  readonly session: SessionState;
  /** What the caller attached to the call. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** A logger whose records carry the call. */
  readonly log: Log;
  /** Milliseconds until the deadline (never below 0), or undefined if the call has none. */
  remaining(): number | undefined;
  /** Reports how far the call is: a fraction from 0 to 1, and a text. */
  progress(fraction?: number, message?: string): void;
}

/** Writes log records with a level. */
export interface Log {
  /** Logs on the level `debug`. */
  debug(message: unknown): void;
  /** Logs on the level `info`. */
  info(message: unknown): void;
  /** Logs on the level `warning`. */
  warn(message: unknown): void;
  /** Logs on the level `error`. */
  error(message: unknown): void;
}

/** What a worker does for the contexts of its calls. */
export interface ContextBackend {
  sendProgress(call: number, fraction: number | null, message: string | null): void;
  sendLog(call: number, level: string, text: string): void;
}

/** Given up, or stopped: what the code of a cancelled call gets. */
export class CancelledError extends Error {
  static {
    const hidden = { configurable: true, enumerable: false, writable: true };
    Object.defineProperty(CancelledError.prototype, 'name', { ...hidden, value: 'CancelledError' });
  }
}

/** The context of one call. Parts that few handlers look at are made when they do. */
export class CallContext implements Context {
  readonly callId: number;
  readonly #backend: ContextBackend;
  readonly #extras: Readonly<Record<string, unknown>> | undefined;
  readonly #received: number;
  #controller: AbortController | undefined;
  #reason: unknown;
  #listeners: Set<(reason: unknown) => void> | undefined;
  #cancelled = false;
  #session: CallSession | undefined;

  constructor(
    callId: number,
    backend: ContextBackend,
    extras?: Readonly<Record<string, unknown>> | undefined,
  ) {
    this.callId = callId;
    this.#backend = backend;
    this.#extras = extras;
    this.#received = extras === undefined ? 0 : performance.now();
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get metadata(): Readonly<Record<string, unknown>> {
    return (this.#extras?.['metadata'] as Record<string, unknown> | undefined) ?? {};
  }

  get session(): SessionState {
    this.#session ??= new CallSession(this.#extras?.['session']);
    return this.#session;
  }

  /** @internal The session's id, without a look at its values. */
  get sessionId(): string | undefined {
    return (this.#extras?.['session'] as { readonly id?: string } | undefined)?.id;
  }

  /** @internal What the call has changed in its session. */
  sessionChanges(): SessionChanges | undefined {
    return this.#session?.changes();
  }

  get log(): Log {
    const write =
      (level: string) =>
      (message: unknown): void =>
        this.#backend.sendLog(this.callId, level, String(message));
    return {
      debug: write('DEBUG'),
      info: write('INFO'),
      warn: write('WARNING'),
      error: write('ERROR'),
    };
  }

  remaining(): number | undefined {
    const given = this.#extras?.['remaining'];
    if (typeof given !== 'number') return undefined;
    return Math.max(0, given - (performance.now() - this.#received));
  }

  progress(fraction?: number, message?: string): void {
    this.#backend.sendProgress(this.callId, fraction ?? null, message ?? null);
  }

  /** @internal Told when the call is cancelled. */
  onCancel(listener: (reason: unknown) => void): () => void {
    this.#listeners ??= new Set();
    const listeners = this.#listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** @internal */
  cancel(reason: unknown): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) listener(reason);
  }
}

/** Which call the running code belongs to. */
export const running = shared('context', () => new AsyncLocalStorage<CallContext>());

/**
 * The call that is running.
 *
 * @throws Error outside of one
 */
export function context(): Context {
  const found = running.getStore();
  if (found === undefined) {
    throw new Error(
      'context() found no running call: use it inside a handler, or in what it calls',
    );
  }
  return found;
}
