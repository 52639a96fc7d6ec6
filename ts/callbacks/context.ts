/** What a handler gets after its arguments, and on whose behalf code in Node runs. */

import { AsyncLocalStorage } from 'node:async_hooks';

/** About one call of a handler by Python. */
export interface HandlerContext {
  /**
   * Aborted when nobody waits for the answer any more: Python gave the call up, its own caller did, or
   * the worker is gone.
   */
  readonly signal: AbortSignal;
  /** The worker that asks. */
  readonly worker: number;
  /** The call whose Python handler asks; undefined if that is no call, but a thread, say. */
  readonly callId: number | undefined;
  /** The session of that call; undefined if it belongs to none. */
  readonly session: string | undefined;
  /** Keyword arguments. */
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/** Makes the signal only for handlers that look at it: it costs more than a small handler. */
export class LazyContext implements HandlerContext {
  readonly worker: number;
  readonly callId: number | undefined;
  readonly session: string | undefined;
  readonly kwargs: Readonly<Record<string, unknown>>;
  #controller: AbortController | undefined;
  #reason: unknown;
  #aborted = false;

  constructor(
    worker: number,
    callId: number | undefined,
    session: string | undefined,
    kwargs: Readonly<Record<string, unknown>>,
  ) {
    this.worker = worker;
    this.callId = callId;
    this.session = session;
    this.kwargs = kwargs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** @param reason undefined for an `AbortError` */
  abort(reason: unknown): void {
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** Made with the first callback: from then on every promise of the process costs a little more. */
let storage: AsyncLocalStorage<object> | undefined;

/** Runs `code`; whatever it leads to sees `owner` as {@link currentOwner}. */
export function runFor<Result>(owner: object, code: () => Result): Result {
  storage ??= new AsyncLocalStorage();
  return storage.run(owner, code);
}

/** On whose behalf the current code runs. */
export function currentOwner(): object | undefined {
  return storage?.getStore();
}
