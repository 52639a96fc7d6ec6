/**
 * One pass over the workloads, in a process of its own: `main.mjs` starts it
 * with the garbage collector exposed and, for the pinned pass, on one core,
 * which the children inherit. The plan comes, and the results go, by Node's own
 * channel between parent and child.
 */

import { once } from 'node:events';
import { contenders } from './contenders/index.mjs';
import { interleave } from './library/interleave.mjs';
import { workloads } from './workloads/index.mjs';

const [plan] = await once(process, 'message');
const say = (text) => process.send({ say: text });

const absent = [];
const present = contenders.filter((Contender) => {
  if (!plan.contenders.includes(Contender.id)) return false;
  const reason = Contender.unavailable();
  if (reason !== null) absent.push({ title: Contender.title, reason });
  return reason === null;
});

const results = [];
for (const workload of workloads) {
  if (!plan.workloads.includes(workload.id) || !workload.passes.includes(plan.pass)) continue;
  const outcome = await interleave(workload, present, {
    rounds: plan.rounds,
    quick: plan.quick,
    say: (text) => say(`${plan.pass}: ${workload.id}: ${text}`),
  });
  results.push({ id: workload.id, ...outcome });
}

// Some peers keep timers and threads for the life of the process: it ends here, not when they do.
process.send({ results, absent }, () => process.exit(0));
