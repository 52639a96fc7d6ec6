/** 16 MiB of bytes, there and back. */

import { atMost, unbeaten } from '../library/targets.mjs';
import { bytes as makeBytes } from '../library/values.mjs';
import { singleMedian } from './single.mjs';

const value = makeBytes(16 * 1024 * 1024);

export const bytes = {
  id: 'bytes',
  title: '16 MiB of bytes, there and back',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 5,
  shared: true,
  check: value,
  accepts: ({ capabilities }) => capabilities.bytes,
  measure: (ctx) => singleMedian(ctx, value),
  targets: [
    atMost('synapse', { pinned: 0.25, free: 0.2 }),
    unbeaten('synapse', { passes: ['pinned', 'free'] }),
  ],
};
