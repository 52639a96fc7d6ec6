/** One tiny call after another: what crossing costs. */

import { atMost, faster, perSecond, unbeaten } from '../library/targets.mjs';
import { tiny as value } from '../library/values.mjs';
import { sequentialMedian } from './sequential.mjs';

/** Calls a second that peepsy published of one worker that is called by one caller. */
const PEEPSY = 5_000;

export const tiny = {
  id: 'tiny',
  title: 'sequential tiny call, p50',
  unit: 'µs',
  passes: ['pinned', 'free'],
  rounds: 9,
  shared: true,
  warmUpTurns: 4,
  check: value,
  accepts: () => true,
  measure: (ctx) => sequentialMedian(ctx, value),
  targets: [
    atMost('synapse', { pinned: 0.75, free: 0.9 }),
    atMost('synapse', { pinned: 2.0 }, 'floor'),
    unbeaten('synapse', { passes: ['pinned', 'free'], inProcess: false }),
    ...['synapse', 'node-worker'].flatMap((entrant) => [
      perSecond(entrant, { free: PEEPSY }, (micros) => 1e6 / micros),
      faster(entrant, { free: 1 }, 'fork-ipc'),
    ]),
  ],
};
