/** Resident memory of a worker that has answered once and waits, beside an interpreter that waits. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedPython } from '../library/house.mjs';
import { residentMemory } from '../library/processes.mjs';
import { above } from '../library/targets.mjs';
import { tiny } from '../library/values.mjs';

/** Lets the process come to rest before its pages are counted. */
const IDLE_MS = 300;

export const idle = {
  id: 'idle',
  title: 'resident memory of an idle worker',
  unit: 'MiB',
  passes: ['free'],
  rounds: 3,
  shared: false,
  accepts: ({ capabilities }) => capabilities.restart,
  references: [{ id: 'python', title: 'python -c "input()"', measure: memoryOfWaitingPython }],
  async measure({ Contender, options }) {
    const contender = new Contender(options);
    await contender.start();
    await contender.call(tiny);
    await sleep(IDLE_MS);
    const memory = residentMemory(contender.pid);
    await contender.stop();
    return memory;
  },
  targets: [above('synapse', { free: 12 }, 'python', 'MiB')],
};

async function memoryOfWaitingPython() {
  const child = spawn(sharedPython, ['-c', 'input()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  await sleep(IDLE_MS);
  const memory = residentMemory(child.pid);
  child.stdin.write('\n');
  child.stdin.end();
  await once(child, 'exit');
  return memory;
}
