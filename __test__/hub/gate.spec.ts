/** The gate of a group: places, order, bounds, and nothing that leaks. */

import { describe, expect, test } from '@jest/globals';
import { Gate } from '../../ts/hub/gate.js';

const queue = { max: null, maxGiven: false, timeoutMs: null };
const forever = { signal: undefined, timeout: 0 };

/** Lets promises that can settle do so. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a gate', () => {
  test('lets so many in and the others in the order of their coming', async () => {
    const gate = new Gate('gate', 2, queue);
    const entered: number[] = [];
    for (let caller = 0; caller < 5; caller++) {
      void gate.enter(forever).then(() => entered.push(caller));
    }
    await turn();
    expect(entered).toEqual([0, 1]);
    expect([gate.inside, gate.waiting]).toEqual([2, 3]);
    gate.leave();
    await turn();
    expect(entered).toEqual([0, 1, 2]);
    gate.leave();
    gate.leave();
    await turn();
    expect(entered).toEqual([0, 1, 2, 3, 4]);
    gate.leave();
    gate.leave();
    expect([gate.inside, gate.waiting]).toEqual([0, 0]);
  });

  test('who gives up leaves no place taken', async () => {
    const gate = new Gate('group "g"', 1, { ...queue, timeoutMs: 20 });
    await gate.enter(forever);
    const abort = new AbortController();
    const aborted = gate.enter({ signal: abort.signal, timeout: 0 });
    const late = gate.enter(forever);
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(late).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'queue',
      message: 'the call waited 20 ms for group "g"',
    });
    expect([gate.inside, gate.waiting]).toEqual([1, 0]);
    gate.leave();
    await gate.enter(forever);
    expect(gate.inside).toBe(1);
  });

  test('a signal that is aborted already keeps its caller out', async () => {
    const gate = new Gate('gate', 1, queue);
    const signal = AbortSignal.abort('no');
    await expect(gate.enter({ signal, timeout: 0 })).rejects.toBe('no');
    expect(gate.inside).toBe(0);
  });

  test('refuses the next when as many wait as may', async () => {
    const gate = new Gate('gate', 1, { ...queue, max: 1 });
    await gate.enter(forever);
    const waits = gate.enter(forever);
    await expect(gate.enter(forever)).rejects.toMatchObject({ code: 'QUEUE_FULL', max: 1 });
    gate.leave();
    await waits;
  });

  test('with more places the next enter; with fewer those inside stay and count', async () => {
    const gate = new Gate('gate', 1, queue);
    const entered: number[] = [];
    for (let caller = 0; caller < 4; caller++) {
      void gate.enter(forever).then(() => entered.push(caller));
    }
    gate.configure(3, queue);
    await turn();
    expect(entered).toEqual([0, 1, 2]);
    gate.configure(1, queue);
    gate.leave();
    gate.leave();
    await turn();
    expect(entered).toEqual([0, 1, 2]);
    gate.leave();
    await turn();
    expect(entered).toEqual([0, 1, 2, 3]);
  });
});
