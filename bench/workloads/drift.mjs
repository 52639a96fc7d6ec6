/**
 * Growth of Node's resident memory over 100,000 calls of 1 KB, after the first
 * 20,000. Each turn has a Node process of its own (`drift-child.mjs`): in the
 * bench's own, one contender's rubbish would be another's growth.
 */

import { join } from 'node:path';
import { benchDirectory } from '../library/house.mjs';
import { run } from '../library/processes.mjs';
import { within } from '../library/targets.mjs';

/** Less than this is what V8 moves by while it holds nothing more. */
const FLAT_MIB = 4;

export const drift = {
  id: 'drift',
  title: 'growth of Node over 100,000 calls of 1 KB, after 20,000',
  unit: 'MiB',
  passes: ['free'],
  rounds: 3,
  shared: false,
  accepts: ({ role, capabilities }) => capabilities.burst && role !== 'peer',
  async measure({ Contender, quick }) {
    const child = join(benchDirectory, 'workloads', 'drift-child.mjs');
    return Number(await run(process.execPath, [child, Contender.id, quick ? '40000' : '100000']));
  },
  targets: [
    within('synapse', { free: FLAT_MIB }, 'MiB'),
    within('synapse-classic', { free: FLAT_MIB }, 'MiB'),
  ],
};
