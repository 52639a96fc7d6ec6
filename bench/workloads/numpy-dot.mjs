/** `numpy.dot` of two arrays of a million doubles: 16 MB go over, one number comes back. */

import { median } from '../library/statistics.mjs';
import { atMost } from '../library/targets.mjs';
import { scalar } from '../library/values.mjs';

const LENGTH = 1_000_000;
const CALLS = 5;

const left = Float64Array.from({ length: LENGTH }, (_, index) => index % 97);
const right = Float64Array.from({ length: LENGTH }, (_, index) => index % 89);
/** Whole numbers below 2^53: exact, in whatever order they are added. */
const product = left.reduce((sum, value, index) => sum + value * right[index], 0);

export const numpyDot = {
  id: 'numpy-dot',
  title: 'numpy.dot of two Float64Array of 1,000,000',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 7,
  shared: true,
  check: scalar,
  accepts: ({ capabilities }) => capabilities.numpy === true,
  variants: ({ id, title, role }) => [
    { id, title, options: role === 'synapse' ? { program: 'numpy' } : {} },
  ],
  /** Median of a few, in milliseconds. One before them does not count. */
  async measure({ contender }) {
    const durations = [];
    for (let index = 0; index <= CALLS; index += 1) {
      const begin = performance.now();
      const result = await contender.dot(left, right);
      durations.push(performance.now() - begin);
      if (Number(result) !== product) {
        throw new Error(`the product is ${product}, not ${String(result)}`);
      }
    }
    return median(durations.slice(1));
  },
  targets: [atMost('synapse', { pinned: 0.5, free: 0.5 }, 'concurrent-c-python')],
};
