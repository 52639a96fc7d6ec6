/** How long it takes to be rid of a worker that has nothing to do. */

import { setTimeout as sleep } from 'node:timers/promises';
import { within } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';

/** Lets what follows a first call (logs, timers) come to rest. */
const IDLE_MS = 50;

export const dispose = {
  id: 'dispose',
  title: 'dispose of an idle worker',
  unit: 'ms',
  passes: ['free'],
  rounds: 7,
  shared: false,
  accepts: ({ capabilities }) => capabilities.restart,
  async measure({ Contender, options }) {
    const contender = new Contender(options);
    await contender.start();
    await contender.call(tiny);
    await sleep(IDLE_MS);
    const begin = performance.now();
    await contender.stop();
    return performance.now() - begin;
  },
  targets: [within('synapse', { free: 30 }, 'ms'), within('synapse-classic', { free: 30 }, 'ms')],
};
