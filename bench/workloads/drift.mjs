/** Growth of Node's resident memory over 100,000 calls of 1 KB, after the first 20,000. */

import { residentMemory } from '../library/processes.mjs';
import { median } from '../library/statistics.mjs';
import { within } from '../library/targets.mjs';
import { object } from '../library/values.mjs';

const CALLS = 100_000;
const QUICK_CALLS = 40_000;
const SETTLING_CALLS = 20_000;
const AT_ONCE = 500;
/** Samples at either end whose medians are compared: single ones jump with the collector. */
const SAMPLES = 20;
/** Less than this is what V8 moves by while it holds nothing more. */
const FLAT_MIB = 4;

export const drift = {
  id: 'drift',
  title: 'growth of Node over 100,000 calls of 1 KB, after 20,000',
  unit: 'MiB',
  passes: ['free'],
  rounds: 3,
  shared: true,
  fresh: true,
  check: object,
  accepts: ({ role, capabilities }) => capabilities.burst && role !== 'peer',
  async measure({ contender, quick }) {
    const values = new Array(AT_ONCE).fill(object);
    const samples = [];
    for (let calls = 0; calls < (quick ? QUICK_CALLS : CALLS); calls += AT_ONCE) {
      await contender.callMany(values);
      if (calls >= SETTLING_CALLS) samples.push(residentMemory(process.pid));
    }
    return median(samples.slice(-SAMPLES)) - median(samples.slice(0, SAMPLES));
  },
  targets: [
    within('synapse', { free: FLAT_MIB }, 'MiB'),
    within('synapse-classic', { free: FLAT_MIB }, 'MiB'),
  ],
};
