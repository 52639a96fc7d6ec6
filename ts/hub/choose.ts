/** The strategies: which member of a group gets a call. */

import type { StrategyOption } from '../options/strategy.js';
import type { Member } from './member.js';

/** Picks one of the members, of which there is at least one, in the order of their registration. */
export type Choose = (members: readonly Member[]) => Member;

/**
 * @param strategy see `strategy` in docs/pool.md
 * @param random a number from 0 up to but not including 1
 */
export function chooser(strategy: StrategyOption, random: () => number = Math.random): Choose {
  switch (strategy) {
    case 'least-busy':
      return (members) => least(members, (member) => member.active);
    case 'fastest':
      // Those without a measurement come first, or they would never get one.
      return (members) => least(members, (member) => member.averageMs ?? -1);
    case 'random':
      return (members) => at(members, Math.floor(random() * members.length));
    case 'weighted':
      return (members) => weighted(members, random);
    case 'round-robin':
      return roundRobin();
  }
}

/** The first of those with the lowest value. */
function least(members: readonly Member[], value: (member: Member) => number): Member {
  return members.reduce((best, member) => (value(member) < value(best) ? member : best));
}

function weighted(members: readonly Member[], random: () => number): Member {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  let rest = random() * total;
  for (const member of members) {
    rest -= member.weight;
    if (rest < 0) return member;
  }
  return at(members, members.length - 1);
}

/** Whoever comes after the last one chosen, also when members were skipped, added or removed. */
function roundRobin(): Choose {
  let turns = new Map<Member, number>();
  let turn = 0;
  return (members) => {
    // A new member has waited longest, behind the others that have.
    const chosen = least(members, (member) => turns.get(member) ?? 0);
    turns = new Map(members.map((member) => [member, turns.get(member) ?? 0]));
    turns.set(chosen, ++turn);
    return chosen;
  };
}

function at(members: readonly Member[], index: number): Member {
  const member = members[index];
  if (member === undefined) throw new RangeError(`there is no member ${index}`);
  return member;
}
