/** The measurement that the large values share: few calls, each of them long. */

import { median } from '../library/statistics.mjs';

const CALLS = 3;

/** Median of a few calls of `value`, one after another, in milliseconds. */
export async function singleMedian({ contender }, value) {
  const durations = [];
  for (let index = 0; index < CALLS; index += 1) {
    const begin = performance.now();
    await contender.call(value);
    durations.push(performance.now() - begin);
  }
  return median(durations);
}
