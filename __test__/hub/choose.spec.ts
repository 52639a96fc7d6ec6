/** The strategies of a group. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooser } from '../../ts/hub/choose.js';
import { Member } from '../../ts/hub/member.js';
import { Synapse } from '../../ts/index.js';

function members(...names: string[]): Member[] {
  return names.map((name) => new Member(name, new Synapse(), 1));
}

function names(chosen: Member[]): string {
  return chosen.map(({ name }) => name).join('');
}

/** The same sequence of numbers every time (a linear congruential generator). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('least-busy', () => {
  test('takes the first of those with the fewest calls', () => {
    const [a, b, c] = members('a', 'b', 'c') as [Member, Member, Member];
    const choose = chooser('least-busy');
    const first = a.begin();
    expect(choose([a, b, c])).toBe(b);
    b.begin();
    expect(choose([a, b, c])).toBe(c);
    c.begin();
    expect(choose([a, b, c])).toBe(a);
    first();
    expect(choose([a, b, c])).toBe(a);
  });
});

describe('round-robin', () => {
  test('is an exact cycle, also when a member is left out or comes later', () => {
    const [a, b, c] = members('a', 'b', 'c') as [Member, Member, Member];
    const choose = chooser('round-robin');
    const take = (times: number, from: Member[]): string =>
      names(Array.from({ length: times }, () => choose(from)));
    expect(take(5, [a, b, c])).toBe('abcab');
    expect(take(3, [a, c])).toBe('cac');
  });

  test('nobody is ever two turns ahead of another that was there as long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(60), (count, calls) => {
        const all = members(...'abcdefg'.slice(0, count));
        const choose = chooser('round-robin');
        const turns = new Map(all.map((member) => [member, 0]));
        for (let call = 0; call < calls; call++) {
          const chosen = choose(all);
          turns.set(chosen, (turns.get(chosen) ?? 0) + 1);
        }
        expect(Math.max(...turns.values()) - Math.min(...turns.values())).toBeLessThan(2);
      }),
    );
  });
});

describe('random and weighted', () => {
  test('random is uniform: chi-square of 10,000 picks of four', () => {
    const all = members('a', 'b', 'c', 'd');
    const choose = chooser('random', seeded(7));
    const counts = new Map(all.map((member) => [member, 0]));
    for (let pick = 0; pick < 10_000; pick++) {
      const chosen = choose(all);
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
    }
    const chiSquare = [...counts.values()].reduce((sum, n) => sum + (n - 2500) ** 2 / 2500, 0);
    // 3 degrees of freedom, p = 0.001.
    expect(chiSquare).toBeLessThan(16.27);
  });

  test('weights of 3 and 1 give three quarters and one', () => {
    const heavy = new Member('heavy', new Synapse(), 3);
    const light = new Member('light', new Synapse(), 1);
    const choose = chooser('weighted', seeded(11));
    let heavier = 0;
    for (let pick = 0; pick < 10_000; pick++) if (choose([heavy, light]) === heavy) heavier++;
    expect(heavier / 10_000).toBeGreaterThan(0.73);
    expect(heavier / 10_000).toBeLessThan(0.77);
  });
});

describe('fastest', () => {
  test('measures everybody before it prefers anybody', async () => {
    const [slow, fast] = members('slow', 'fast') as [Member, Member];
    const choose = chooser('fastest');
    const wait = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms));
    expect(choose([slow, fast])).toBe(slow);
    await slow.run(wait(500));
    expect(choose([slow, fast])).toBe(fast);
    await fast.run(() => Promise.resolve());
    expect(choose([slow, fast])).toBe(fast);
  });
});
