/** Handlers that compute, on two workers and on one: what a second core is worth. */

import { faster } from '../library/targets.mjs';
import { scalar } from '../library/values.mjs';

const CALLS = 100;
const QUICK_CALLS = 40;
/** About 5 ms of pure Python. */
const STEPS = 100_000;

const ONE = 'one-worker';

export const cpuBound = {
  id: 'cpu-bound',
  title: '100 calls of 5 ms of pure Python, 2 workers and 1',
  unit: 'ms',
  // On one core a second worker is worth nothing.
  passes: ['free'],
  rounds: 7,
  shared: true,
  check: scalar,
  accepts: ({ capabilities }) => capabilities.handlers === true,
  variants: ({ id, title }) => [
    { id, title: `${title}, 2 workers`, options: { program: 'pool', workers: 2 } },
    { id: ONE, title: `${title}, 1 worker`, options: { program: 'pool', workers: 1 } },
  ],
  /** Milliseconds until all of the calls, made in one tick, are answered. */
  async measure({ contender, quick }) {
    const count = quick ? QUICK_CALLS : CALLS;
    const begin = performance.now();
    await Promise.all(Array.from({ length: count }, () => contender.invoke('compute', [STEPS])));
    return ((performance.now() - begin) / count) * CALLS;
  },
  targets: [faster('synapse', { free: 1.8 }, ONE)],
};
