/**
 * 20,000 tiny calls at once on several workers, beside `child_process.fork` with as many children. The
 * rates that are asked for are the ones that peepsy (4 workers) and snakepit (16) published of themselves.
 */

import { faster, perSecond } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';
import { burst, burstNote, callsPerSecond } from './burst.mjs';

const FORK = 'fork-ipc';

function poolOf(workers, published) {
  return {
    id: `pool-${workers}`,
    title: `20,000 tiny calls at once, ${workers} workers`,
    unit: 'ms',
    passes: ['free'],
    rounds: 5,
    // V8 and its heap take three bursts to settle.
    warmUpTurns: 4,
    shared: true,
    check: tiny,
    accepts: ({ capabilities }) => capabilities.pool === true,
    variants: ({ id, title }) => [{ id, title: `${title} × ${workers}`, options: { workers } }],
    measure: (ctx) => burst(ctx, tiny),
    note: burstNote,
    targets: ['synapse', 'node-worker'].flatMap((entrant) => [
      perSecond(entrant, { free: published }, callsPerSecond),
      faster(entrant, { free: 1 }, FORK),
    ]),
  };
}

export const pool4 = poolOf(4, 50_000);
export const pool16 = poolOf(16, 50_000);
