/**
 * Python calls Node inside one call, again and again: what a callback costs. Beside it, in the same
 * run, a sequential tiny call, which crosses the same border in the other direction.
 */

import { atMost } from '../library/targets.mjs';
import { tiny as value } from '../library/values.mjs';
import { sequentialMedian } from './sequential.mjs';

const CALLBACKS = 2_000;
const QUICK_CALLBACKS = 500;
/** Callbacks before those that count: the caches hold what the entrant before left there. */
const WARM_UP_CALLBACKS = 200;

const TINY = 'tiny';

export const callback = {
  id: 'callback',
  title: 'callback round trip inside one call, p50',
  unit: 'µs',
  passes: ['pinned', 'free'],
  rounds: 9,
  shared: true,
  warmUpTurns: 4,
  check: value,
  accepts: ({ capabilities }) => capabilities.callbacks === true,
  variants: ({ id }) => [
    { id, title: 'Synapse, a callback', options: { program: 'host' } },
    { id: TINY, title: 'Synapse, a sequential tiny call', options: { program: 'host' } },
  ],
  measure: (ctx) => (ctx.entrant === TINY ? sequentialMedian(ctx, value) : medianCallback(ctx)),
  targets: [atMost('synapse', { pinned: 2.0 }, TINY)],
};

/** The clock is Python's: the call around the callbacks is no part of them. */
async function medianCallback({ contender, quick }) {
  await contender.callBack(value, WARM_UP_CALLBACKS);
  return contender.callBack(value, quick ? QUICK_CALLBACKS : CALLBACKS);
}
