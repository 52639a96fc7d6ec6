/**
 * Takes turns. All entrants of a workload are up at the same time (those that
 * are not called wait in a read and cost nothing), and each round gives every
 * one a turn, beginning with another one each time. What disturbs the machine
 * so disturbs all, and a ratio within a round holds though no figure does.
 */

import { isDeepStrictEqual } from 'node:util';

/** A turn that takes longer is given up, and the entrant with it. */
const TURN_MS = 120_000;

const QUICK_ROUNDS = 3;

/**
 * Runs `workload` with `Contenders` and gives
 * `{ entrants: [{ id, title, role, inProcess, note, turns }], failures: [{ title, reason }] }`.
 */
export async function interleave(workload, Contenders, { rounds, quick, say }) {
  const failures = [];
  const all = entrantsOf(workload, Contenders, quick);
  let running = all;
  const attempt = async (entrant, work) => {
    try {
      return await limited(work);
    } catch (error) {
      failures.push({ title: entrant.title, reason: firstLine(error) });
      running = running.filter((other) => other !== entrant);
      return undefined;
    }
  };

  await workload.prepare?.();
  for (const entrant of all) await attempt(entrant, () => setUp(workload, entrant));
  const count = rounds ?? (quick ? Math.min(QUICK_ROUNDS, workload.rounds) : workload.rounds);
  for (let round = 0; round < count; round += 1) {
    say(`round ${round + 1} of ${count}`);
    for (const entrant of rotated(running, round)) {
      globalThis.gc?.();
      const figure = await attempt(entrant, () => entrant.measure(entrant.ctx));
      if (figure !== undefined) entrant.turns.push(figure);
    }
  }
  if (workload.shared) {
    for (const entrant of all) await attempt(entrant, () => entrant.ctx.contender?.stop());
  }
  return { entrants: running.map(({ ctx, measure, ...facts }) => facts), failures };
}

/** The contenders that can do the workload, in all their variants, and its references. */
function entrantsOf(workload, Contenders, quick) {
  const entrants = Contenders.filter((Contender) => workload.accepts(Contender)).flatMap(
    (Contender) => {
      const variants = workload.variants?.(Contender) ?? [
        { id: Contender.id, title: Contender.title, options: {} },
      ];
      return variants.map(({ id, title, options }) => ({
        id,
        title,
        role: Contender.role,
        inProcess: Contender.capabilities.inProcess === true,
        note: workload.note?.(Contender, { quick }) ?? null,
        turns: [],
        ctx: { contender: null, Contender, options, quick },
        measure: workload.measure,
      }));
    },
  );
  const references = (workload.references ?? []).map(({ id, title, measure }) => ({
    id,
    title,
    role: 'reference',
    inProcess: false,
    note: null,
    turns: [],
    ctx: { contender: null, Contender: null, options: {}, quick },
    measure,
  }));
  return [...entrants, ...references];
}

/**
 * Before the first round: starts a shared entrant, sees that it gives back what
 * it was sent, and takes one turn that does not count, for the just-in-time
 * compilers, the files' cache and the installers' caches.
 */
async function setUp(workload, entrant) {
  const { ctx } = entrant;
  if (workload.shared && ctx.Contender !== null) {
    ctx.contender = new ctx.Contender(ctx.options);
    await ctx.contender.start();
    const reply = await ctx.contender.call(workload.check);
    if (ctx.Contender.capabilities.echoes !== false && !same(reply, workload.check)) {
      throw new Error('the reply is not the value that was sent');
    }
  }
  await entrant.measure(ctx);
}

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

function rotated(entrants, by) {
  if (entrants.length === 0) return [];
  const first = by % entrants.length;
  return [...entrants.slice(first), ...entrants.slice(0, first)];
}

/** Does `work`, and rejects when it takes longer than a turn may. */
async function limited(work) {
  let timer;
  const expiry = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${TURN_MS / 1_000} s`)), TURN_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(work), expiry]);
  } finally {
    clearTimeout(timer);
  }
}

function firstLine(error) {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0];
}
