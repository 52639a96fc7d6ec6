/** The measurement that the sequential workloads share. */

import { median } from '../library/statistics.mjs';

/** Calls of one turn: long enough for a steady median, short enough that turns alternate. */
const CALLS = 2_000;
const QUICK_CALLS = 500;
/** Calls before those that count: the caches still hold what the contender before left there. */
const WARM_UP_CALLS = 200;

/** Makes one call after another and gives the median of their durations in microseconds. */
export async function sequentialMedian({ contender, quick }, value) {
  const count = quick ? QUICK_CALLS : CALLS;
  for (let index = 0; index < WARM_UP_CALLS; index += 1) await contender.call(value);
  const durations = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    const begin = performance.now();
    await contender.call(value);
    durations[index] = (performance.now() - begin) * 1_000;
  }
  return median(durations);
}
