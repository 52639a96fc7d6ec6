/**
 * Makes `process.argv[3]` calls of 1 KB with contender `process.argv[2]` and
 * prints by how many MiB this process grew after the first 20,000. The garbage
 * collector is left alone: what a user's process does is what counts.
 */

import { contenders } from '../contenders/index.mjs';
import { residentMemory } from '../library/processes.mjs';
import { median } from '../library/statistics.mjs';
import { object } from '../library/values.mjs';

const SETTLING_CALLS = 20_000;
const AT_ONCE = 500;
/** Samples at either end whose medians are compared: single ones jump with the collector. */
const SAMPLES = 20;

const [id, total] = process.argv.slice(2);
const Contender = contenders.find((candidate) => candidate.id === id);
const contender = new Contender();
await contender.start();
const values = new Array(AT_ONCE).fill(object);
const samples = [];
for (let calls = 0; calls < Number(total); calls += AT_ONCE) {
  await contender.callMany(values);
  if (calls >= SETTLING_CALLS) samples.push(residentMemory(process.pid));
}
await contender.stop();
const growth = median(samples.slice(-SAMPLES)) - median(samples.slice(0, SAMPLES));
process.stdout.write(`${growth}\n`);
