/** 20,000 tiny calls at once: what a call costs when nothing has to wait. */

import { faster, perSecond, unbeaten } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';
import { burst, burstNote, callsPerSecond } from './burst.mjs';

/** What peepsy published of one worker that many call. */
const PEEPSY = 15_000;

export const burstTiny = {
  id: 'burst-tiny',
  title: '20,000 tiny calls at once',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 7,
  // V8 and its heap take three bursts to settle.
  warmUpTurns: 4,
  shared: true,
  check: tiny,
  accepts: ({ capabilities }) => capabilities.burst,
  measure: (ctx) => burst(ctx, tiny),
  note: burstNote,
  targets: [
    faster('synapse', { pinned: 10, free: 25 }),
    faster('synapse-classic', { pinned: 2.5, free: 5 }),
    unbeaten('synapse', { passes: ['pinned', 'free'] }),
    ...['synapse', 'node-worker'].flatMap((entrant) => [
      perSecond(entrant, { free: PEEPSY }, callsPerSecond),
      faster(entrant, { free: 1 }, 'fork-ipc'),
    ]),
  ],
};
