/**
 * Takes turns. All entrants of a workload are up at the same time, each in a
 * Node process of its own (those that are not called wait in a read and cost
 * nothing), and each round gives every one a turn, in another order each time.
 * What disturbs the machine so disturbs all, and a ratio within a round holds
 * though no figure does.
 */

import { Host } from './host.mjs';

const QUICK_ROUNDS = 3;

/**
 * Runs `workload` with `Contenders` and gives
 * `{ id, entrants: [{ id, title, role, inProcess, note, turns }], failures: [{ title, reason }] }`.
 */
export async function interleave(workload, Contenders, { pinned, rounds, quick, say }) {
  const entrants = entrantsOf(workload, Contenders, quick);
  const prepared = (await workload.prepare?.()) ?? null;
  const failures = [];
  let running = entrants;
  const attempt = async (entrant, work) => {
    try {
      return await work();
    } catch (error) {
      failures.push({ title: entrant.title, reason: error.message });
      running = running.filter((other) => other !== entrant);
      return undefined;
    }
  };
  const open = async (entrant) => {
    entrant.host = new Host({
      workload: workload.id,
      entrant: entrant.id,
      contender: entrant.contender,
      pinned,
    });
    await entrant.host.ask('setUp', { options: entrant.options, quick, prepared });
  };
  const takeTurn = async (entrant) => {
    if (workload.fresh) await open(entrant);
    entrant.turns.push(await entrant.host.ask('turn'));
    if (workload.fresh) await close(entrant);
  };
  const close = async (entrant) => {
    const { host } = entrant;
    entrant.host = null;
    try {
      await host?.ask('tearDown');
    } finally {
      await host?.close();
    }
  };

  if (!workload.fresh) {
    for (const entrant of entrants) await attempt(entrant, () => open(entrant));
  }
  const count = rounds ?? (quick ? Math.min(QUICK_ROUNDS, workload.rounds) : workload.rounds);
  for (let round = 0; round < count; round += 1) {
    say(`${workload.id}: round ${round + 1} of ${count}`);
    for (const entrant of shuffled(running, round)) {
      await attempt(entrant, () => takeTurn(entrant));
    }
  }
  for (const entrant of running) await attempt(entrant, () => close(entrant));
  for (const entrant of entrants) await entrant.host?.close();
  return {
    id: workload.id,
    entrants: running.map(({ id, title, role, inProcess, note, turns }) => ({
      id,
      title,
      role,
      inProcess,
      note,
      turns,
    })),
    failures,
  };
}

/** The contenders that can do the workload, in all their variants, and its references. */
function entrantsOf(workload, Contenders, quick) {
  const fromContenders = Contenders.filter((Contender) => workload.accepts(Contender)).flatMap(
    (Contender) => {
      const { id, title } = Contender;
      const variants = workload.variants?.(Contender) ?? [{ id, title, options: {} }];
      return variants.map((variant) => ({
        ...variant,
        contender: id,
        role: Contender.role,
        inProcess: Contender.capabilities.inProcess === true,
        note: workload.note?.(Contender, { quick }) ?? null,
      }));
    },
  );
  const references = (workload.references ?? []).map(({ id, title }) => ({
    id,
    title,
    options: {},
    contender: null,
    role: 'reference',
    inProcess: false,
    note: null,
  }));
  return [...fromContenders, ...references].map((facts) => ({ ...facts, host: null, turns: [] }));
}

/** Another order in each round, and the same one in each run: nobody always follows the same one. */
function shuffled(entrants, round) {
  const order = [...entrants];
  let state = round + 1;
  for (let last = order.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
