/** Handlers registered in the host, called from a worker: `host.getUser(1)`. */

import { Kwargs } from '../kwargs.js';
import { CancelledError } from './context.js';
import { shared } from './shared.js';

/** Items of a stream that the host may send before more are granted. */
export const AHEAD = 32;

/** A handler of the host threw, or could not be called. */
export class HostError extends Error {
  /** The error's `name` in the host. */
  readonly hostName: string;
  /** The error's `stack` in the host. */
  readonly hostStack: string;
  /** `HOST_ERROR`; `HANDLER_NOT_FOUND` if there is no such handler; or why the answer could not cross. */
  readonly code: string;
  /** The error's own properties, those that can cross. */
  readonly data: Readonly<Record<string, unknown>>;

  static {
    const hidden = { configurable: true, enumerable: false, writable: true };
    Object.defineProperty(HostError.prototype, 'name', { ...hidden, value: 'HostError' });
  }

  constructor(described: Readonly<Record<string, unknown>>) {
    super(String(described['message'] ?? ''));
    this.hostName = String(described['type'] ?? 'Error');
    this.hostStack = String(described['traceback'] ?? '');
    this.code = String(described['code'] ?? 'HOST_ERROR');
    this.data = (described['data'] as Record<string, unknown> | undefined) ?? {};
  }
}

/** What a call of the host needs of the worker. */
export interface HostCallLink {
  /** The host may send so many more items. */
  grant(items: number): void;
  /** The answer is not wanted any more. */
  giveUp(): void;
}

/**
 * A call of the host, which is on its way. `await` gives its result, a stream's items as an array;
 * `for await` gives the items of a stream as they come, and a plain result as the only one. Leaving the
 * loop early tells the host.
 */
export class HostCall<Result = unknown> implements PromiseLike<Result>, AsyncIterable<unknown> {
  readonly #link: HostCallLink;
  readonly #items: unknown[] = [];
  #outstanding = AHEAD;
  #streamed = false;
  #done = false;
  #failure: { readonly error: unknown } | undefined;
  #value: unknown;
  #wake: (() => void) | undefined;
  #result: Promise<Result> | undefined;

  /** @internal */
  constructor(link: HostCallLink) {
    this.#link = link;
  }

  // biome-ignore lint/suspicious/noThenProperty: a call is awaited like a promise
  then<Value = Result, Rejected = never>(
    fulfilled?: ((value: Result) => Value | PromiseLike<Value>) | null,
    rejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Value | Rejected> {
    this.#result ??= this.#collect();
    return this.#result.then(fulfilled, rejected);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, void> {
    try {
      for (;;) {
        while (this.#items.length > 0) {
          const item = this.#items.shift();
          this.#taken();
          yield item;
        }
        if (this.#failure !== undefined) throw this.#failure.error;
        if (this.#done) {
          if (!this.#streamed) yield this.#value;
          return;
        }
        await this.#change();
      }
    } finally {
      this.cancel();
    }
  }

  /** Gives the call up: whoever waits for it gets a `CancelledError`. Harmless once it has settled. */
  cancel(): void {
    if (this.#done) return;
    this.#link.giveUp();
    this.settle({ error: new CancelledError('the call of the host was cancelled') });
  }

  /** @internal */
  settle(outcome: { error: unknown } | { value: unknown } | 'end'): void {
    if (this.#done) return;
    this.#done = true;
    if (outcome === 'end') this.#streamed = true;
    else if ('error' in outcome) this.#failure = outcome;
    else this.#value = outcome.value;
    this.#wake?.();
  }

  /** @internal */
  add(item: unknown): void {
    this.#streamed = true;
    this.#items.push(item);
    this.#outstanding--;
    this.#wake?.();
  }

  async #collect(): Promise<Result> {
    const items: unknown[] = [];
    while (!this.#done || this.#items.length > 0) {
      if (this.#items.length === 0) await this.#change();
      for (const item of this.#items.splice(0)) {
        items.push(item);
        this.#taken();
      }
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    return (this.#streamed ? items : this.#value) as Result;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #taken(): void {
    if (this.#done || this.#outstanding > AHEAD / 2) return;
    const more = AHEAD - this.#outstanding;
    this.#outstanding += more;
    this.#link.grant(more);
  }
}

/** Starts calls of the host. */
export type HostStarter = (
  name: string,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>> | undefined,
) => HostCall;

const connection = shared('host', (): { start: HostStarter | undefined } => ({ start: undefined }));

/** Sets how calls are started, for the worker. */
export function connectHost(start: HostStarter): void {
  connection.start = start;
}

function call(name: string, args: unknown[]): HostCall {
  if (connection.start === undefined) {
    throw new Error(
      `host.call("${name}") found no host: it answers in a worker that is ready, which is in ` +
        'handlers and in what they call',
    );
  }
  const last = args.at(-1);
  return Kwargs.is(last)
    ? connection.start(name, args.slice(0, -1), last.values)
    : connection.start(name, args, undefined);
}

/** The host, as a worker sees it: every property is a handler, or a module of handlers. */
export type Host = {
  /** Calls the handler registered as `name`. The last argument may be `kwargs()`. */
  call<Result = unknown>(name: string, ...args: unknown[]): HostCall<Result>;
  // biome-ignore lint/suspicious/noExplicitAny: only the user knows which handlers there are
} & { readonly [name: string]: any };

/** A name in the host, such as `host.market.DataFetch`. */
export interface HostPath {
  // biome-ignore lint/suspicious/noExplicitAny: only the user knows what a handler answers
  (...args: unknown[]): HostCall<any>;
  readonly [name: string]: HostPath;
}

function pathTo(name: string): HostPath {
  const target = (...args: unknown[]): HostCall => call(name, args);
  return new Proxy(target, {
    // A promise that resolves with it must not take it for a promise.
    get: (_, key) =>
      typeof key === 'symbol' || key === 'then' ? undefined : pathTo(`${name}.${key}`),
  }) as unknown as HostPath;
}

/** The host of this worker. */
export const host: Host = new Proxy({} as Host, {
  get: (_, key) => {
    if (typeof key === 'symbol' || key === 'then') return undefined;
    if (key === 'call') return (name: string, ...args: unknown[]) => call(name, args);
    return pathTo(key);
  },
});
