/** Sessions on real workers: state that Python reads and writes, and that outlives it. */

import { describe, expect, test } from '@jest/globals';
import type { SessionLost, Synapse } from '../../ts/index.js';
import { SessionError } from '../../ts/index.js';
import { createSynapse, spawnModule, until } from '../support/modules.js';

const MODULE = `
  import os, time
  from synapse import context, handler

  @handler
  def pid(seconds=0):
      time.sleep(seconds)
      return os.getpid()

  @handler
  def remember(key, value):
      context().session[key] = value

  @handler
  def recall(key):
      return context().session.get(key, "nothing")

  @handler
  def append(value):
      context().session.setdefault("list", []).append(value)
      return context().session["list"]

  @handler
  def forget(key):
      del context().session[key]

  @handler
  def who():
      return [context().session.id, sorted(context().session)]

  @handler
  def fail(key, value):
      context().session[key] = value
      raise ValueError("no")

  @handler
  def count(n):
      for number in range(n):
          context().session["last"] = number
          yield number

  @handler
  async def later(key, value):
      context().session[key] = value
      return value

  @handler
  def die():
      os._exit(3)
`;

/** Sessions are timed by the engine's clock: waits so long at least. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('the state of a session', () => {
  test('is written by one call, read by the next, and separate from that of others', async () => {
    const synapse = await spawnModule(MODULE);
    const ada = synapse.session('ada');
    const bob = synapse.session('bob');
    await ada.invoke('remember', ['name', 'Ada']);
    await bob.invoke('remember', ['name', 'Bob']);
    expect(await ada.invoke('recall', ['name'])).toBe('Ada');
    expect(await bob.invoke('recall', ['name'])).toBe('Bob');
    expect(await synapse.invoke('recall', ['name'])).toBe('nothing');
    expect(await synapse.invoke('recall', ['name'], { session: 'ada' })).toBe('Ada');
    expect(await ada.invoke('who')).toEqual(['ada', ['name']]);
    await ada.invoke('forget', ['name']);
    expect(await ada.invoke('who')).toEqual(['ada', []]);
  });

  test('is the same from both sides, whatever the value', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    const value = { when: new Date(7), bytes: Buffer.from('abc'), set: new Set([1]), none: null };
    await session.set('value', value);
    expect(await session.invoke('recall', ['value'])).toEqual(value);
    await session.invoke('remember', ['other', [1, 2.5, 'é']]);
    expect(await session.get('other')).toEqual([1, 2.5, 'é']);
    expect(await session.has('other')).toBe(true);
    expect([...(await session.entries()).keys()]).toEqual(['other', 'value']);
    expect([await session.delete('other'), await session.delete('other')]).toEqual([true, false]);
    await session.set('__proto__', 'safe');
    expect(await session.get('__proto__')).toBe('safe');
    expect(await session.invoke('recall', ['__proto__'])).toBe('safe');
  });

  test('what a handler changes in place counts', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    await session.invoke('append', [1]);
    expect(await session.invoke('append', [2])).toEqual([1, 2]);
    expect(await session.get('list')).toEqual([1, 2]);
  });

  test('nothing is kept of a call that fails; a stream keeps it at its end', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    await expect(session.invoke('fail', ['key', 1])).rejects.toMatchObject({
      code: 'PYTHON_ERROR',
    });
    expect(await session.get('key')).toBeUndefined();
    const numbers: number[] = [];
    for await (const number of session.stream<number>('count', [3])) numbers.push(number);
    expect(numbers).toEqual([0, 1, 2]);
    expect(await session.get('last')).toBe(2);
    for await (const number of session.stream<number>('count', [1000])) if (number > 5) break;
    expect(await session.get('last')).toBe(2);
  });

  test.each(['serial', 'async', 'threads'] as const)('works in mode %s', async (mode) => {
    const synapse = await spawnModule(MODULE, { mode, concurrency: mode === 'serial' ? 1 : 4 });
    const session = synapse.session('s');
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => session.invoke('later', [`key${index}`, index])),
    );
    expect([...(await session.entries()).values()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await session.api<{ recall(key: string): number }>().recall('key3')).toBe(3);
  });

  test('a call outside a session cannot write, and Python is told why', async () => {
    const synapse = await spawnModule(MODULE);
    await expect(synapse.invoke('remember', ['key', 1])).rejects.toMatchObject({
      pythonType: 'RuntimeError',
      message: expect.stringContaining('the call belongs to no session'),
    });
  });

  test('outlives the worker', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    await session.invoke('remember', ['name', 'Ada']);
    await expect(session.invoke('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    expect(await session.invoke('recall', ['name'])).toBe('Ada');
  });

  test('update changes several values, all or none', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    await session.set('a', 1);
    await session.update((draft) => {
      draft.set('b', (draft.get('a') as number) + 1);
      draft.delete('a');
    });
    expect(await session.entries()).toEqual(new Map([['b', 2]]));
    const failing = session.update((draft) => {
      draft.set('b', 3);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const later = (async () => {}) as () => void;
    await expect(session.update(later)).rejects.toThrow('must not be async');
    await expect(session.set('f', () => {})).rejects.toMatchObject({ code: 'ENCODE' });
    expect(await session.entries()).toEqual(new Map([['b', 2]]));
  });
});

describe('what nobody has changed', () => {
  test('update leaves it as Python wrote it', async () => {
    const synapse = await spawnModule(`
      from synapse import context, handler

      @handler
      def write():
          context().session.update({"float": 1.0, "list": [2.0, 3], "other": 1})

      @handler
      def types():
          return [repr(value) for value in context().session.values()]
    `);
    const session = synapse.session('s');
    await session.invoke('write');
    await session.update((draft) => draft.set('other', 2));
    expect(await session.invoke('types')).toEqual(['1.0', '[2.0, 3]', '2']);
    await session.update((draft) => (draft.get('list') as number[]).push(4));
    expect(await session.get('list')).toEqual([2, 3, 4]);
  });

  test('a call that only reads undoes nothing that happens meanwhile', async () => {
    const synapse = await spawnModule(`
      import time
      from synapse import context, handler

      @handler
      def read(seconds):
          values = dict(context().session)
          time.sleep(seconds)
          return len(values)
    `);
    const session = synapse.session('s');
    const values: [string, unknown][] = [
      ['big', 2 ** 40],
      ['negative', -5],
      ['float', 1.5],
      ['date', new Date(5)],
      ['bigint', 5n],
      ['set', new Set([3, 1, 2])],
      [
        'map',
        new Map([
          ['b', 1],
          ['a', 2],
        ]),
      ],
      ['bytes', Buffer.from('x')],
      ['array', new Float32Array([1, 2])],
      ['object', { b: [1, { c: null }], a: 'x'.repeat(40) }],
    ];
    await session.update((draft) => {
      for (const [key, value] of values) draft.set(key, value);
    });
    const reading = session.invoke('read', [0.3]);
    await sleep(100);
    await session.update((draft) => {
      for (const [key] of values) draft.set(key, 'new');
    });
    expect(await reading).toBe(values.length);
    expect([...(await session.entries()).values()]).toEqual(values.map(() => 'new'));
  });
});

describe('the life of a session', () => {
  test('ends when it was not touched for its time, at read; a call keeps it', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s', { ttl: 2000 });
    await session.set('key', 1);
    await synapse.session('forgotten', { ttl: 2000 }).set('key', 1);
    for (let touch = 0; touch < 4; touch++) {
      await sleep(600);
      await session.invoke('pid');
    }
    expect(await session.get('key')).toBe(1);
    await sleep(2020);
    expect(await synapse.sessions.exists('s')).toBe(false);
    expect(await session.get('key')).toBeUndefined();
    expect(await session.invoke('recall', ['key'])).toBe('nothing');
    expect(await synapse.sessions.stats()).toMatchObject({ created: 3, expired: 1, current: 2 });
    // The other was over before, and nobody has looked.
    expect(await synapse.sessions.cleanup()).toBe(1);
    expect(await synapse.sessions.stats()).toMatchObject({ expired: 2, current: 1, bytes: 0 });
  });

  test('is touched by reading and writing a value, and not by being looked at', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('s');
    const idle = async (): Promise<number> => (await session.info())?.idle ?? Number.NaN;
    await session.set('key', 1);
    for (const touch of [() => session.get('key'), () => session.set('key', 2)]) {
      await sleep(30);
      await synapse.sessions.list();
      expect(await synapse.sessions.exists('s')).toBe(true);
      const before = performance.now();
      expect(await idle()).toBeGreaterThanOrEqual(25);
      await touch();
      expect(await idle()).toBeLessThanOrEqual(performance.now() - before);
    }
  });

  test('is made once, listed, counted and ended', async () => {
    const synapse = await spawnModule(MODULE);
    const { sessions } = synapse;
    await sessions.create('b');
    const error = await sessions.create('b').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SessionError);
    expect(error).toMatchObject({ code: 'SESSION_EXISTS' });
    expect((await sessions.create('b', { ifExists: 'return' })).id).toBe('b');
    await synapse.session('a').touch();
    expect(await sessions.list()).toEqual(['a', 'b']);
    expect(await synapse.session('a').info()).toMatchObject({
      ttl: 3_600_000,
      size: 0,
      bytes: 0,
      lastWorker: null,
    });
    expect([await sessions.delete('b'), await sessions.delete('b')]).toEqual([true, false]);
    {
      await using scoped = await sessions.create('scoped');
      await scoped.set('key', 1);
    }
    expect(await sessions.list()).toEqual(['a']);
    expect(await sessions.cleanup()).toBe(0);
    expect(await sessions.stats()).toMatchObject({
      created: 3,
      deleted: 2,
      expired: 0,
      cleanupRuns: 1,
      current: 1,
      bytes: 0,
    });
  });

  test('their number and their size are bounded', async () => {
    const synapse = await spawnModule(MODULE, { sessions: { max: 5, bytes: 100 } });
    const warnings: number[] = [];
    synapse.on('sessions:high', ({ current }) => warnings.push(current));
    for (const id of ['a', 'b', 'c', 'd', 'e']) await synapse.session(id).touch();
    await expect(synapse.session('f').touch()).rejects.toMatchObject({
      code: 'SESSION_QUOTA_EXCEEDED',
      message: 'there are 5 sessions already (option "sessions.max")',
    });
    await expect(synapse.session('f').invoke('pid')).rejects.toMatchObject({
      code: 'SESSION_QUOTA_EXCEEDED',
      session: 'f',
    });
    expect(warnings).toEqual([4]);
    const session = synapse.session('a');
    await session.set('small', 1);
    await expect(session.set('big', 'x'.repeat(100))).rejects.toMatchObject({
      code: 'SESSION_QUOTA_EXCEEDED',
    });
    await expect(session.invoke('remember', ['big', 'x'.repeat(100)])).rejects.toMatchObject({
      code: 'SESSION_QUOTA_EXCEEDED',
      session: 'a',
      mayHaveExecuted: true,
    });
    expect(await session.entries()).toEqual(new Map([['small', 1]]));
    expect(synapse.stats().requestsActive).toBe(0);
    // A change that is refused makes no session, and leaves the time to live of one that is there.
    await synapse.session('e').end();
    const refused = { code: 'SESSION_QUOTA_EXCEEDED' };
    const [fresh, there] = [synapse.session('new', { ttl: 50 }), synapse.session('a', { ttl: 50 })];
    for (const one of [fresh, there]) {
      await expect(one.set('big', 'x'.repeat(100))).rejects.toMatchObject(refused);
    }
    expect(await synapse.sessions.list()).toEqual(['a', 'b', 'c', 'd']);
    expect(await there.info()).toMatchObject({ ttl: 3_600_000 });
    await there.set('small', 2);
    expect(await there.info()).toMatchObject({ ttl: 50 });
  });

  test('nothing is spawned, so there are none', async () => {
    const session = createSynapse().session('s');
    await expect(session.get('key')).rejects.toMatchObject({ code: 'NOT_SPAWNED' });
    await expect(session.invoke('pid')).rejects.toMatchObject({ code: 'NOT_SPAWNED' });
  });

  test('bad options are refused', () => {
    const synapse = createSynapse();
    expect(() => synapse.session('')).toThrow('option "session.id" must be an id');
    expect(() => synapse.session('s', { ttl: 0 })).toThrow('option "session.ttl" must be');
    expect(() => synapse.session('s', { affinity: 'sticky' as 'hint' })).toThrow(
      'option "session.affinity" must be one of "hint", "strict-queue", "strict-fail"',
    );
    expect(() => createSynapse({ sessions: { maximum: 1 } as object })).toThrow(
      'unknown option "sessions.maximum"',
    );
  });
});

describe('affinity', () => {
  /** Two workers, both ready. */
  function spawnTwo(): Promise<Synapse> {
    return spawnModule(MODULE, { workers: 2 });
  }

  test('hint: the same worker while it is free, another while it is busy', async () => {
    const synapse = await spawnTwo();
    const session = synapse.session('s');
    const first = await session.invoke<number>('pid');
    expect(await session.invoke('pid')).toBe(first);
    const busy = session.invoke('pid', [0.3]);
    const other = await session.invoke<number>('pid');
    expect(await busy).toBe(first);
    expect(other).not.toBe(first);
    // The worker of the last call is the one that is preferred now.
    expect(await session.invoke('pid')).toBe(other);
  });

  test('strict-queue: calls wait for their worker', async () => {
    const synapse = await spawnTwo();
    const session = synapse.session('s', { affinity: 'strict-queue' });
    const pids = await Promise.all([
      session.invoke<number>('pid', [0.2]),
      session.invoke<number>('pid'),
      session.invoke<number>('pid'),
    ]);
    expect(new Set(pids).size).toBe(1);
  });

  test('strict-fail: calls fail while their worker is busy', async () => {
    const synapse = await spawnTwo();
    const session = synapse.session('s', { affinity: 'strict-fail' });
    const busy = session.invoke<number>('pid', [0.3]);
    const refused = session.invoke('pid').catch((reason: unknown) => reason);
    const other = synapse.invoke('pid', [], { session: 'other' });
    expect(await refused).toMatchObject({ code: 'WORKER_BUSY', session: 's', retryable: true });
    expect(await other).not.toBe(await busy);
    expect(await session.invoke('pid')).toBe(await busy);
  });

  test('a worker that is gone is reported once; the values are kept', async () => {
    const synapse = await spawnTwo();
    const lost: SessionLost[] = [];
    synapse.on('session:lost', (event) => lost.push(event));
    const session = synapse.session('s', { affinity: 'strict-queue' });
    await session.invoke('remember', ['name', 'Ada']);
    const { lastWorker } = (await session.info()) ?? {};
    await expect(session.invoke('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await until(() => !synapse.workers().some(({ id }) => id === lastWorker));
    await expect(session.invoke('pid')).rejects.toMatchObject({
      code: 'SESSION_WORKER_UNAVAILABLE',
      worker: lastWorker,
      session: 's',
    });
    expect(lost).toEqual([{ session: 's', worker: lastWorker }]);
    expect(await session.invoke('recall', ['name'])).toBe('Ada');
    const hint = synapse.session('h');
    await hint.invoke('pid');
    await expect(hint.invoke('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await hint.invoke('pid');
    expect(lost.map(({ session: id }) => id)).toEqual(['s', 'h']);
  });
});

describe('globals', () => {
  test('live a fixed time and belong to no session', async () => {
    const { globals, sessions } = await spawnModule(MODULE);
    await globals.put('model', { id: 7 }, { ttl: 2000 });
    await globals.put('ever', [1], { ttl: Number.POSITIVE_INFINITY });
    expect(await globals.get('model')).toEqual({ id: 7 });
    await sleep(1000);
    expect(await globals.get('model')).toEqual({ id: 7 });
    await sleep(1020);
    expect(await globals.get('model')).toBeUndefined();
    expect([await globals.delete('ever'), await globals.delete('ever')]).toEqual([true, false]);
    await expect(globals.put('f', () => {})).rejects.toMatchObject({ code: 'ENCODE' });
    expect(await sessions.stats()).toMatchObject({
      current: 0,
      globals: { stored: 2, deleted: 1, expired: 1, current: 0 },
    });
  });
});
