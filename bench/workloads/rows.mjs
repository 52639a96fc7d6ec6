/** A report of 20,000 rows × 5 fields, there and back. */

import { atMost, unbeaten } from '../library/targets.mjs';
import { table } from '../library/values.mjs';
import { singleMedian } from './single.mjs';

const value = table(20_000);

export const rows = {
  id: 'rows',
  title: '20,000 rows × 5 fields, there and back',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 5,
  shared: true,
  check: value,
  accepts: ({ role }) => role !== 'floor',
  measure: (ctx) => singleMedian(ctx, value),
  targets: [
    atMost('synapse', { pinned: 0.65, free: 0.55 }),
    unbeaten('synapse', { passes: ['pinned', 'free'] }),
  ],
};
