/**
 * Processor time of 16 workers, beside that of 16 bare interpreters that import the same modules. User
 * and system time of the children, as the kernel books it to whoever has waited for them: from fork to
 * exit, with all their threads, so nothing that a worker does at its start or its end is left out. Both
 * run the interpreter of the same environment, start all at once, and find their bytecode compiled. The
 * bare ones do not import the SDK.
 */

import { join } from 'node:path';
import { directoryOf } from '../library/house.mjs';
import { processorTimeOfChildren, run } from '../library/processes.mjs';
import { atMost } from '../library/targets.mjs';

const WORKERS = 16;
const PROGRAM = 'imports';

export const poolStarts = {
  id: 'pool-starts',
  title: 'processor time of 16 warm workers, from start to end',
  unit: 'ms',
  passes: ['free'],
  rounds: 7,
  shared: false,
  accepts: ({ capabilities }) => capabilities.handlers === true,
  variants: ({ id, title }) => [
    { id, title: `${title}, 16 workers`, options: { program: PROGRAM, workers: WORKERS } },
  ],
  references: [{ id: 'python', title: '16 × python -c "import …"', measure: bareStarts }],
  async measure({ Contender, options }) {
    const contender = new Contender(options);
    const before = processorTimeOfChildren();
    await contender.start();
    await contender.stop();
    return processorTimeOfChildren() - before;
  },
  targets: [atMost('synapse', { free: 1.3 }, 'python')],
};

async function bareStarts() {
  // The directory that the entrant has furnished, with the environment that it has made there.
  const cwd = directoryOf(`synapse-${PROGRAM}`);
  const python = join(cwd, '.venv', 'bin', 'python');
  const before = processorTimeOfChildren();
  await Promise.all(
    Array.from({ length: WORKERS }, () => run(python, ['-c', 'import imports'], { cwd })),
  );
  return processorTimeOfChildren() - before;
}
