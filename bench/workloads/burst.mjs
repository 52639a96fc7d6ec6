/** The measurement that the bursts share: many calls at once, from the first to the last reply. */

/** Calls at once; figures of fewer are scaled up to this. */
export const CALLS = 20_000;
const QUICK_CALLS = 5_000;
/** Calls at once before those that count: the caches hold what the contender before left there. */
const WARM_UP_CALLS = 500;

/** Calls that `Contender` makes in one turn. */
function callsOf({ capabilities }, quick) {
  return Math.min(quick ? QUICK_CALLS : CALLS, capabilities.burstLimit ?? CALLS);
}

/** Milliseconds for 20,000 calls made in one tick. */
export async function burst({ contender, Contender, quick }, value) {
  const count = callsOf(Contender, quick);
  await contender.callMany(new Array(WARM_UP_CALLS).fill(value));
  const values = new Array(count).fill(value);
  const begin = performance.now();
  const replies = await contender.callMany(values);
  const duration = performance.now() - begin;
  if (replies.length !== count || replies.includes(undefined)) {
    throw new Error(`${count} calls were made and not all of them answered`);
  }
  return (duration / count) * CALLS;
}

/** Calls a second of a burst that took so many milliseconds. */
export function callsPerSecond(duration) {
  return (CALLS / duration) * 1_000;
}

/** Says when a contender makes fewer calls than the title promises. */
export function burstNote(Contender, { quick }) {
  const count = callsOf(Contender, quick);
  return count === CALLS ? null : `${count.toLocaleString('en')} calls a turn, scaled to 20,000`;
}
