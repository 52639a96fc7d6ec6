/**
 * Handlers that wait 10 ms by `asyncio.sleep`, on 4 workers that run 16 of them at once. 64 callers make
 * one call after another, so 64 calls are out at any time. The ideal: 64 calls every 10 ms, which is
 * 6,400 a second, as if crossing, scheduling and waking cost nothing. Beside it: the same sleeps in 4
 * processes of 16 tasks whom nobody calls, for an event loop alone does not wake to the microsecond.
 */

import { join } from 'node:path';
import { benchDirectory, sharedPython } from '../library/house.mjs';
import { run } from '../library/processes.mjs';
import { ofIdeal } from '../library/targets.mjs';
import { scalar } from '../library/values.mjs';

const WORKERS = 4;
const AT_ONCE = 64;
const WAIT_MS = 10;
/** Calls that each of the 64 would make in the ideal time. */
const TIMES = 100;
const QUICK_TIMES = 30;
const IDEAL_MS = TIMES * WAIT_MS;

const OPTIONS = {
  program: 'pool',
  workers: WORKERS,
  mode: 'async',
  concurrency: AT_ONCE / WORKERS,
};

export const asyncWorkers = {
  id: 'async-workers',
  title: '6,400 calls of 10 ms on 4 async workers, 64 at a time',
  unit: 'ms',
  passes: ['free'],
  rounds: 5,
  shared: true,
  check: scalar,
  accepts: ({ capabilities }) => capabilities.handlers === true,
  variants: ({ id, title }) => [{ id, title, options: OPTIONS }],
  references: [{ id: 'asyncio', title: 'the same sleeps, nobody calling', measure: bareSleeps }],
  /** Milliseconds until all calls are answered; a shorter turn is scaled up. */
  async measure({ contender, quick }) {
    const times = timesOf(quick);
    let left = AT_ONCE * times;
    const caller = async () => {
      while (left > 0) {
        left -= 1;
        await contender.invoke('wait', [WAIT_MS / 1_000]);
      }
    };
    const begin = performance.now();
    await Promise.all(Array.from({ length: AT_ONCE }, caller));
    return ((performance.now() - begin) / times) * TIMES;
  },
  targets: [ofIdeal('synapse', { free: 95 }, IDEAL_MS)],
};

function timesOf(quick) {
  return quick ? QUICK_TIMES : TIMES;
}

/** What the slowest of four processes says that it took: their starts do not count. */
async function bareSleeps({ quick }) {
  const times = timesOf(quick);
  const program = join(benchDirectory, 'python', 'floor', 'sleep.py');
  const args = [program, AT_ONCE / WORKERS, times, WAIT_MS].map(String);
  const outputs = await Promise.all(Array.from({ length: WORKERS }, () => run(sharedPython, args)));
  return (Math.max(...outputs.map(Number)) / times) * TIMES;
}
