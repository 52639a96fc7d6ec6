/**
 * A stream from Python: what a generator yields, as an async iterator. Memory is bounded by credit:
 * Python may be ahead of the consumer by about {@link AHEAD_BYTES}, and waits beyond that.
 */

import { TimeoutError } from './errors/index.js';

/** Bytes of items that Python may be ahead. */
const AHEAD_BYTES = 1024 * 1024;
/** Items that Python may be ahead before the size of one is known. */
const FIRST_CREDIT = 32;
const MAX_CREDIT = 8192;

const { setTimeout, clearTimeout } = globalThis;

/** How a stream reaches the engine. */
export interface StreamLink {
  /** Lets Python send so many more items. */
  grant(items: number): void;
  /** The consumer has had enough: Python's `finally` runs. */
  cancel(): void;
}

/** Who wants to know what becomes of a stream. */
export interface StreamObserver {
  /** It goes on with another worker. */
  resumed(): void;
  ended(how: 'completed' | 'failed' | 'left'): void;
}

/** How a stream begins. */
export interface StreamSettings {
  /** Longest time that the consumer waits for an item, in ms; 0 for any. */
  readonly idleMs: number;
  /** The number of the last item that the consumer has already; 0 for none. */
  readonly resumeFrom?: number;
  readonly observer?: StreamObserver | undefined;
}

interface Waiter {
  readonly resolve: (result: IteratorResult<unknown>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * One stream. `for await` over it, or pass it to `Readable.from` or `ReadableStream.from`. Leaving the
 * loop early (`break`, `return()`, a throw) closes the Python generator.
 */
export class PythonStream<Item = unknown> implements AsyncIterableIterator<Item> {
  #link: StreamLink | undefined;
  readonly #idleMs: number;
  readonly #observer: StreamObserver | undefined;
  #sequence: number;
  #resumes = 0;
  /** Items that have come and were not taken. A ring would save nothing: it empties at each turn. */
  #items: unknown[] = [];
  #head = 0;
  readonly #waiters: Waiter[] = [];
  /** What ends the stream once the items are taken. */
  #end: { readonly error?: { readonly build: () => unknown } } | undefined;
  #received = 0;
  #receivedBytes = 0;
  /** Items granted and not yet taken by the consumer. */
  #outstanding = FIRST_CREDIT;
  #window = FIRST_CREDIT;
  #idle: NodeJS.Timeout | undefined;

  constructor({ idleMs, resumeFrom = 0, observer }: StreamSettings) {
    this.#idleMs = idleMs;
    this.#sequence = resumeFrom;
    this.#observer = observer;
  }

  /**
   * The number of the last item that was taken, counted from 1; before the first, 0 or what
   * `resumeFrom` said. Keep it to go on later: it is what `resumeFrom` takes.
   */
  get sequence(): number {
    return this.#sequence;
  }

  /** How often the stream has gone on with another worker. */
  get resumes(): number {
    return this.#resumes;
  }

  /** From now on Python sends, unless the stream has ended meanwhile. */
  connect(link: StreamLink): void {
    if (this.#end !== undefined) link.cancel();
    else this.#link = link;
  }

  /** Items that may come before any is granted. The engine is told with the request. */
  static readonly firstCredit = FIRST_CREDIT;

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item, as soon as it is there. */
  next(): Promise<IteratorResult<Item>> {
    if (this.#head < this.#items.length) {
      const value = this.#items[this.#head] as Item;
      this.#items[this.#head++] = undefined;
      if (this.#head === this.#items.length) {
        this.#items = [];
        this.#head = 0;
      }
      this.#taken();
      return Promise.resolve({ done: false, value });
    }
    if (this.#end !== undefined) return this.#ended();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve: resolve as Waiter['resolve'], reject });
      this.#watch();
    });
  }

  /** Ends the stream: items that have come are dropped, and Python's generator is closed. */
  return(value?: unknown): Promise<IteratorResult<Item>> {
    if (this.#end === undefined) {
      this.#finish({}, 'left');
      this.#link?.cancel();
    }
    this.#end = {};
    this.#items = [];
    this.#head = 0;
    return Promise.resolve({ done: true, value });
  }

  /** Ends the stream as {@link return} does, and rejects with the reason. */
  throw(reason?: unknown): Promise<IteratorResult<Item>> {
    void this.return();
    return Promise.reject(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** An item has come; `bytes` is its size on the wire. */
  item(item: unknown, bytes: number): void {
    if (this.#end !== undefined) return;
    this.#received++;
    this.#receivedBytes += bytes;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#items.push(item);
      return;
    }
    waiter.resolve({ done: false, value: item });
    this.#watch();
    this.#taken();
  }

  /** A plain value instead of a stream: its only item. */
  resolve(value: unknown): void {
    this.item(value, 1);
    this.end();
  }

  /** Python has sent everything. */
  end(): void {
    if (this.#end === undefined) this.#finish({}, 'completed');
  }

  /** Python, the worker or a deadline ended the stream; the items before it are still delivered. */
  fail(build: () => unknown): void {
    if (this.#end === undefined) this.#finish({ error: { build } }, 'failed');
  }

  /** The caller's signal was aborted: what has come is dropped. */
  reject(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#items = [];
    this.#head = 0;
    this.#finish({ error: { build: () => reason } }, 'failed');
  }

  /** Its worker died, and another one goes on. */
  resumed(): void {
    this.#resumes++;
    this.#observer?.resumed();
  }

  #finish(
    end: { readonly error?: { readonly build: () => unknown } },
    how: 'completed' | 'failed' | 'left',
  ): void {
    clearTimeout(this.#idle);
    this.#observer?.ended(how);
    this.#end = end;
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      this.#ended().then(resolve, reject);
    }
  }

  async #ended(): Promise<IteratorResult<Item>> {
    const error = this.#end?.error;
    if (error === undefined) return { done: true, value: undefined };
    // Told once, as with a generator that has thrown.
    this.#end = {};
    throw error.build();
  }

  #taken(): void {
    this.#sequence++;
    this.#outstanding--;
    if (this.#end !== undefined || this.#outstanding > this.#window / 2) return;
    const size = this.#receivedBytes / this.#received;
    this.#window = Math.max(
      2,
      Math.min(MAX_CREDIT, this.#window * 2, Math.floor(AHEAD_BYTES / size)),
    );
    const more = this.#window - this.#outstanding;
    if (more <= 0) return;
    this.#outstanding += more;
    this.#link?.grant(more);
  }

  /** The clock runs while somebody waits: a consumer that takes its time is not Python's fault. */
  #watch(): void {
    if (this.#idleMs === 0) return;
    clearTimeout(this.#idle);
    if (this.#waiters.length === 0) return;
    this.#idle = setTimeout(() => {
      const message = `no item came for ${this.#idleMs} ms`;
      this.fail(() => new TimeoutError(message, { phase: 'run' }));
      this.#link?.cancel();
    }, this.#idleMs);
  }
}
