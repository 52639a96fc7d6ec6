/** `withPool`: a pool for the time of one function. */

import { expect, test } from '@jest/globals';
import { type Synapse, withPool } from '../../ts/index.js';
import { createFolder, isAlive, PROCESS_HANDLERS, shared } from '../support/modules.js';

function options() {
  const directory = createFolder({ 'main.py': PROCESS_HANDLERS });
  return { ...shared, directory, entrypoint: 'main', workers: 2 };
}

test('answers what the function answers, and leaves no process', async () => {
  const pids = await withPool(options(), async (pool) => {
    await pool.invoke('pid');
    return pool.workers().map(({ pid }) => pid);
  });
  expect(pids).toHaveLength(2);
  expect(pids.filter(isAlive)).toEqual([]);
});

test.each([
  ['throws', () => Promise.reject(new Error('the function has failed'))],
  [
    'throws at once',
    () => {
      throw new Error('the function has failed');
    },
  ],
])('a function that %s: the pool is gone and the error is that very one', async (_, fail) => {
  let kept: Synapse | undefined;
  let pids: number[] = [];
  let thrown: unknown;
  let running: Promise<unknown> | undefined;
  const failed = withPool(options(), (pool) => {
    kept = pool;
    pids = pool.workers().map(({ pid }) => pid);
    running = pool.invoke('sleep', [60]).catch((reason: unknown) => reason);
    try {
      return fail();
    } catch (reason) {
      thrown = reason;
      throw reason;
    }
  });
  await expect(failed).rejects.toThrow('the function has failed');
  if (thrown !== undefined) await expect(failed).rejects.toBe(thrown);
  expect(await running).toMatchObject({ code: 'DISPOSED' });
  expect([pids.length, pids.some(isAlive), kept?.workers()]).toEqual([2, false, []]);
});

test('a module that does not start: the function is not called', async () => {
  const directory = createFolder({ 'main.py': 'raise RuntimeError("not today")' });
  const calls: unknown[] = [];
  const failed = withPool({ ...shared, directory, entrypoint: 'main' }, (pool) => {
    calls.push(pool);
  });
  await expect(failed).rejects.toMatchObject({ code: 'START_FAILED' });
  expect(calls).toEqual([]);
});
