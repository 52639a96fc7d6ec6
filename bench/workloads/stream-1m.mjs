/**
 * A million small items from a generator to `for await`, per item. Version 1.4 has no streams: who
 * wanted a million items made a million calls, so one of its calls stands beside an item.
 */

import { faster, within } from '../library/targets.mjs';
import { scalar } from '../library/values.mjs';
import { burst, CALLS } from './burst.mjs';

const ITEMS = 1_000_000;
const QUICK_ITEMS = 100_000;

export const stream1m = {
  id: 'stream-1m',
  title: 'stream of 1,000,000 small items, per item',
  unit: 'µs',
  passes: ['pinned', 'free'],
  rounds: 5,
  shared: true,
  check: scalar,
  accepts: ({ id, capabilities }) => capabilities.streams === true || id === 'standin',
  variants: ({ id, title, capabilities }) => [
    capabilities.streams
      ? { id, title: 'Synapse, SDK generator', options: { program: 'host' } }
      : { id, title, options: {} },
  ],
  async measure(ctx) {
    const { contender, Contender, quick } = ctx;
    // Milliseconds for 20,000 calls, as microseconds for one.
    if (!Contender.capabilities.streams) return ((await burst(ctx, scalar)) / CALLS) * 1_000;
    const count = quick ? QUICK_ITEMS : ITEMS;
    const begin = performance.now();
    const received = await contender.consume(count);
    const duration = performance.now() - begin;
    if (received !== count) throw new Error(`${received} of ${count} items came`);
    return (duration / count) * 1_000;
  },
  note: ({ capabilities }) => (capabilities.streams ? null : 'a call an item'),
  targets: [
    within('synapse', { pinned: 2.5, free: 2.5 }, 'µs'),
    faster('synapse', { pinned: 12, free: 12 }),
  ],
};
