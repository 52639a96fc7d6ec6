/** 20,000 calls of 1 KB at once: encoding and decoding count here. */

import { faster, unbeaten } from '../library/targets.mjs';
import { object } from '../library/values.mjs';
import { burst, burstNote } from './burst.mjs';

export const burstObject = {
  id: 'burst-object',
  title: '20,000 calls of 1 KB (20 rows × 4 fields) at once',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 5,
  // V8 and its heap take three bursts to settle.
  warmUpTurns: 4,
  shared: true,
  check: object,
  accepts: ({ capabilities }) => capabilities.burst,
  measure: (ctx) => burst(ctx, object),
  note: burstNote,
  targets: [
    faster('synapse', { pinned: 2.3, free: 6 }),
    unbeaten('synapse', { passes: ['pinned', 'free'] }),
  ],
};
