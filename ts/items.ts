/** Streams whose items go to a function instead of a loop. */

import { callback } from './options/checks.js';
import type { StreamOptions } from './options/index.js';
import type { PythonStream } from './stream.js';

/** Options of `invoke` of a handler that yields, where a function takes the items. */
export interface ItemOptions<Item = unknown> extends StreamOptions {
  /**
   * Gets what the handler yields, one item after the other, each with its number, from 1. Python waits
   * for a promise that it answers. If it throws, the generator is closed and the call rejects with that.
   */
  readonly onItem: (item: Item, sequence: number) => unknown;
}

/**
 * Hands the items of a stream over, and answers how many there were.
 *
 * @param open begins the stream
 * @throws what the stream fails of, and what the function throws
 */
export async function deliver<Item>(
  { onItem, ...options }: ItemOptions<Item>,
  open: (options: StreamOptions) => PythonStream<Item>,
): Promise<number> {
  const take = callback<ItemOptions<Item>['onItem']>('onItem', onItem);
  const stream = open(options);
  let count = 0;
  for await (const item of stream) {
    count++;
    await take(item, stream.sequence);
  }
  return count;
}

/** Whether the options of a call have its items handed over. */
export function hasItems(options: object | undefined): options is ItemOptions<never> {
  return options !== undefined && (options as Partial<ItemOptions>).onItem !== undefined;
}
