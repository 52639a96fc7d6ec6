/** From `spawn` on a directory that is ready to the first reply, beside the bare interpreter. */

import { sharedPython } from '../library/house.mjs';
import { timeToExit } from '../library/processes.mjs';
import { atMost, unbeaten } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';

export const warm = {
  id: 'warm',
  title: 'warm spawn to the first reply',
  unit: 'ms',
  passes: ['free'],
  rounds: 11,
  shared: false,
  accepts: ({ capabilities }) => capabilities.restart,
  references: [
    {
      id: 'python',
      title: 'python -c pass',
      measure: () => timeToExit(sharedPython, ['-c', 'pass']),
    },
  ],
  async measure({ Contender, options }) {
    const contender = new Contender(options);
    const begin = performance.now();
    await contender.start();
    await contender.call(tiny);
    const duration = performance.now() - begin;
    await contender.stop();
    return duration;
  },
  targets: [
    atMost('synapse', { free: 3 }, 'python'),
    atMost('synapse-classic', { free: 3 }, 'python'),
    unbeaten('synapse', { passes: ['free'] }),
  ],
};
