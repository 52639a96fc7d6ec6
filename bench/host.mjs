/**
 * The process in which one entrant of one workload lives; `library/host.mjs`
 * starts it and asks it for turns, by Node's own channel between parent and
 * child. Arguments: the workload, the entrant and, unless the entrant is a
 * reference, its contender.
 */

import { isDeepStrictEqual } from 'node:util';
import { contenders } from './contenders/index.mjs';
import { workloads } from './workloads/index.mjs';

const [workloadId, entrantId, contenderId] = process.argv.slice(2);
const workload = workloads.find(({ id }) => id === workloadId);
const Contender = contenders.find(({ id }) => id === contenderId) ?? null;
const reference = workload.references?.find(({ id }) => id === entrantId);
const measure = Contender === null ? reference.measure : workload.measure;

let ctx = null;

const commands = {
  /**
   * Starts the contender if the workload wants it up, sees that it gives back
   * what it is sent, and takes turns that do not count: for the compilers, the
   * caches of files, and those of the installers.
   */
  async setUp(given) {
    ctx = { ...given, entrant: entrantId, Contender, contender: null };
    if (workload.shared && Contender !== null) {
      ctx.contender = new Contender(ctx.options);
      await ctx.contender.start();
      const reply = await ctx.contender.call(workload.check);
      if (Contender.capabilities.echoes !== false && !same(reply, workload.check)) {
        throw new Error('the reply is not the value that was sent');
      }
    }
    if (workload.fresh) return;
    for (let turn = 0; turn < (workload.warmUpTurns ?? 1); turn += 1) await measure(ctx);
  },
  turn: () => measure(ctx),
  tearDown: () => ctx?.contender?.stop(),
};

process.on('message', async ({ command, given }) => {
  try {
    process.send({ figure: await commands[command](given) });
  } catch (error) {
    process.send({ error: error instanceof Error ? error.message : String(error) });
  }
});

/** Some peers keep timers and threads for the life of the process: it ends with its parent's wish. */
process.on('disconnect', () => process.exit(0));

/** Equal values; bytes by content, and `undefined` in place of null let pass. */
function same(reply, value) {
  if (ArrayBuffer.isView(value)) {
    return ArrayBuffer.isView(reply) && Buffer.compare(viewOf(reply), viewOf(value)) === 0;
  }
  if (isDeepStrictEqual(reply, value)) return true;
  return JSON.stringify(reply, nullForUndefined) === JSON.stringify(value);
}

function viewOf(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function nullForUndefined(_key, value) {
  return value === undefined ? null : value;
}
