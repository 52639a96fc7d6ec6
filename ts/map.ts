/** `map`: one call for each of many items, so many at a time. */

import { integer } from './options/checks.js';
import { type CallOptions, checkCallNames, normalizeCallOptions } from './options/index.js';

/** Options of `map`: those of its calls, and these. */
export interface MapOptions extends CallOptions {
  /** Calls at once; default twice what the workers run at once, so that none waits for its next. */
  readonly concurrency?: number | undefined;
  /**
   * `true`: the outcome of every call, in the form of `Promise.allSettled`. `false`, the default: the
   * first call that fails ends the whole, and what is under way is cancelled.
   */
  readonly settle?: boolean | undefined;
}

/** What `map` takes its items from; an asynchronous source is read no faster than calls are made. */
export type MapItems = Iterable<unknown> | AsyncIterable<unknown>;

type Invoke = (item: unknown, options: CallOptions) => Promise<unknown>;

/**
 * Calls `invoke` for each item and answers the results in the order of the items.
 *
 * @param concurrency how many at once unless the options say
 * @throws TypeError or RangeError if an option makes no sense
 */
export async function mapItems(
  items: MapItems,
  options: MapOptions,
  concurrency: number,
  invoke: Invoke,
): Promise<unknown[]> {
  checkCallNames(options, ['concurrency', 'settle']);
  const { concurrency: wished, settle, ...callOptions } = options;
  const limit = integer('concurrency', wished ?? concurrency, 1, Number.MAX_SAFE_INTEGER);
  normalizeCallOptions(callOptions);
  const source = iterate(items);
  // Ends the other calls when one has failed, and is ended by the caller's own signal.
  const abort = new AbortController();
  const { signal: outer } = callOptions;
  const signal = outer === undefined ? abort.signal : AbortSignal.any([abort.signal, outer]);
  const results: unknown[] = [];
  let failed: { readonly reason: unknown } | undefined;
  const isOver = (): boolean => failed !== undefined;
  const fail = (reason: unknown): void => {
    failed ??= { reason };
    abort.abort(reason);
  };
  let turn: Promise<unknown> = Promise.resolve();
  let next = 0;

  /** One after the other, for a source of items is asked for one item at a time. */
  const take = (): Promise<{ done: boolean; item: unknown; place: number }> => {
    const taken = turn.then(async () => {
      if (isOver()) return { done: true, item: undefined, place: 0 };
      const { done, value } = await source.next();
      return { done: done === true, item: value, place: next++ };
    });
    turn = taken.catch(() => {});
    return taken;
  };

  const work = async (): Promise<void> => {
    for (;;) {
      const { done, item, place } = await take();
      if (done) return;
      try {
        const value = await invoke(item, { ...callOptions, signal });
        results[place] = settle ? { status: 'fulfilled', value } : value;
      } catch (reason) {
        if (!settle) throw reason;
        results[place] = { status: 'rejected', reason };
      }
    }
  };

  const workers = Array.from({ length: limitOf(items, limit) }, () => work().catch(fail));
  await Promise.all(workers);
  if (failed !== undefined) {
    await source.return?.();
    throw failed.reason;
  }
  return results;
}

/** No more loops than there are items, where that is known. */
function limitOf(items: MapItems, limit: number): number {
  return Array.isArray(items) ? Math.min(limit, items.length) : Math.min(limit, MOST_LOOPS);
}

/** More calls at once than this gain nothing: they wait in the queue. */
const MOST_LOOPS = 4096;

function iterate(items: MapItems): AsyncIterator<unknown> | Iterator<unknown> {
  if (typeof items === 'object' && items !== null) {
    if (Symbol.asyncIterator in items) return items[Symbol.asyncIterator]();
    if (Symbol.iterator in items) return items[Symbol.iterator]();
  }
  throw new TypeError('the items of map must be an iterable or an async iterable');
}
