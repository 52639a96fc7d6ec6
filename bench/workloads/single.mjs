/** The measurement that the large values share: few calls, each of them long. */

import { median } from '../library/statistics.mjs';

const CALLS = 5;

/**
 * Median of a few calls of `value`, one after another, in milliseconds. One
 * before them does not count: the caches hold what the contender before left.
 */
export async function singleMedian({ contender }, value) {
  await contender.call(value);
  const durations = [];
  for (let index = 0; index < CALLS; index += 1) {
    const begin = performance.now();
    await contender.call(value);
    durations.push(performance.now() - begin);
  }
  return median(durations);
}
