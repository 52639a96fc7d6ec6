/** Python calls Node: `host.getUser(1)`, in every mode of a worker. */

import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { HandlerContext, PythonError, Synapse } from '../../ts/index.js';
import { ASYNC, MODES } from '../support/callback-modules.js';
import { spawnModule, until } from '../support/modules.js';

/** A promise and the means to settle it. */
function deferred<Value>(): { promise: Promise<Value>; resolve(value: Value): void } {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((yes) => {
    resolve = yes;
  });
  return { promise, resolve };
}

async function rejection(promise: Promise<unknown>): Promise<PythonError> {
  return promise.then(
    () => {
      throw new Error('it did not reject');
    },
    (reason: unknown) => reason as PythonError,
  );
}

describe.each(MODES)('%s', (_, source, options) => {
  const spawn = (): Promise<Synapse> => spawnModule(source, options);

  test('a handler returns a value or a promise', async () => {
    const synapse = await spawn();
    synapse.handle('getUser', (id: number) => ({ id, name: 'Ada' }));
    synapse.handle('slow', async (value: unknown) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return value;
    });
    expect(await synapse.invoke('ask', ['getUser', 7])).toEqual({ id: 7, name: 'Ada' });
    expect(await synapse.invoke('ask', ['slow', [1, null, 'x']])).toEqual([1, null, 'x']);
    // Whatever it was before: the worker goes on as usual.
    expect(await synapse.invoke('plain', [1])).toBe(1);
    expect(await Promise.all([1, 2, 3].map((n) => synapse.invoke('plain', [n])))).toEqual([
      1, 2, 3,
    ]);
  });

  test('arguments, keyword arguments and the context reach the handler', async () => {
    const synapse = await spawn();
    const seen: unknown[] = [];
    synapse.handle('see', (first: unknown, second: unknown, ctx: HandlerContext) => {
      const { worker, callId, kwargs, signal } = ctx;
      seen.push(first, second, worker, typeof callId, kwargs, signal.aborted);
    });
    const args = { name: 'see', key: [true] };
    const { kwargs } = await import('../../ts/index.js');
    expect(await synapse.invoke('ask', ['see', 1, 'two', kwargs({ key: [true] })])).toBeNull();
    expect(seen).toEqual([1, 'two', 1, 'number', { key: args.key }, false]);
  });

  test('a module of handlers is reached by dots, by its end and alone', async () => {
    const synapse = await spawn();
    synapse.handle('market', {
      DataFetch(symbol: string, ctx: HandlerContext) {
        return [symbol, ctx.kwargs, typeof (this as { DataFetch: unknown }).DataFetch];
      },
    });
    const answer = ['BTC', { limit: 2 }, 'function'];
    expect(await synapse.invoke('dotted', ['BTC'])).toEqual(answer);
    expect(await synapse.invoke('ask', ['DataFetch', 'ETH'])).toEqual(['ETH', {}, 'function']);
    expect(await synapse.invoke('ask', ['market', 'ETH'])).toEqual(['ETH', {}, 'function']);
  });

  test('hundreds of callbacks at once are not mixed up', async () => {
    const synapse = await spawn();
    synapse.handle('echo', async (value: number) => {
      if (value % 3 === 0) await new Promise((resolve) => setTimeout(resolve, value % 7));
      return value;
    });
    const expected = Array.from({ length: 500 }, (__, index) => 499 - index);
    expect(await synapse.invoke('many', [500])).toEqual(expected);
    const all = await Promise.all([1, 2, 3, 4].map(() => synapse.invoke('many', [100])));
    expect(all).toEqual(Array(4).fill(expected.slice(400)));
  });

  test('threads of the user may call as well', async () => {
    const synapse = await spawn();
    synapse.handle('echo', (value: number) => value * 2);
    const expected = Array.from({ length: 20 }, (__, index) => index * 2);
    expect(await synapse.invoke('from_threads', [20])).toEqual(expected);
    expect(await synapse.invoke('ask', ['echo', 4])).toBe(8);
    expect(await synapse.invoke('from_threads', [20])).toEqual(expected);
  });

  test('what a handler yields comes at the pace of Python', async () => {
    const synapse = await spawn();
    let produced = 0;
    let closed = 0;
    synapse.handle('numbers', function* () {
      try {
        for (let index = 0; index < 1000; index++) {
          produced++;
          yield index;
        }
      } finally {
        closed++;
      }
    });
    synapse.handle('later', async function* () {
      try {
        for (let index = 0; index < 100; index++) {
          await Promise.resolve();
          produced++;
          yield index;
        }
      } finally {
        closed++;
      }
    });
    const all = (count: number): number[] => Array.from({ length: count }, (__, index) => index);
    expect(await synapse.invoke('each', ['numbers'])).toEqual(all(1000));
    expect(await synapse.invoke('each', ['later'])).toEqual(all(100));
    // Without a loop: a list.
    expect(await synapse.invoke('ask', ['numbers'])).toEqual(all(1000));
    expect(closed).toBe(3);
    produced = 0;
    expect(await synapse.invoke('each', ['numbers', 5])).toEqual(all(5));
    await until(() => closed === 4);
    expect(produced).toBeLessThanOrEqual(40);
    expect(await synapse.invoke('each', ['later', 5])).toEqual(all(5));
    await until(() => closed === 5);
  });

  test('values that are iterable stay values, and a value is a stream of one', async () => {
    const synapse = await spawn();
    synapse.handle('list', () => [1, 2]);
    synapse.handle('text', () => 'ab');
    synapse.handle('set', () => new Set([1]));
    expect(await synapse.invoke('each', ['list'])).toEqual([[1, 2]]);
    expect(await synapse.invoke('each', ['text'])).toEqual(['ab']);
    expect(await synapse.invoke('ask', ['set'])).toEqual(new Set([1]));
  });

  test('a stream that fails delivers the items before', async () => {
    const synapse = await spawn();
    synapse.handle('breaks', function* () {
      yield 1;
      yield 2;
      throw new RangeError('in the middle');
    });
    synapse.handle('breaksLater', async function* () {
      yield 1;
      yield 2;
      await Promise.reject(new RangeError('in the middle'));
    });
    // biome-ignore lint/correctness/useYield: it is the start that fails
    synapse.handle('breaksAtOnce', function* () {
      throw new RangeError('at the start');
    });
    synapse.handle('bad', function* () {
      yield 1;
      yield Symbol('no');
    });
    for (const name of ['breaks', 'breaksLater']) {
      const found = await synapse.invoke('until_error', [name]);
      expect(found).toEqual([[1, 2], 'RangeError', 'in the middle']);
    }
    const atOnce = await synapse.invoke('until_error', ['breaksAtOnce']);
    expect(atOnce).toEqual([[], 'RangeError', 'at the start']);
    const error = await rejection(synapse.invoke('each', ['breaks']));
    expect(error).toMatchObject({ pythonType: 'synapse.HostError', data: { name: 'RangeError' } });
    expect(await rejection(synapse.invoke('each', ['bad']))).toMatchObject({
      data: { name: 'EncodeError', message: expect.stringContaining('symbol') },
    });
  });

  test.each([
    ['throws', false],
    ['rejects', true],
  ])('a handler that %s raises HostError', async (__, later) => {
    const synapse = await spawn();
    const fail = (): never => {
      throw Object.assign(new TypeError('no such user'), { code: 'E_USER', skipped: () => 1 });
    };
    synapse.handle('fails', later ? async () => fail() : fail);
    expect(await synapse.invoke('caught', ['fails'])).toEqual([
      'TypeError: no such user',
      'TypeError',
      'no such user',
      { code: 'E_USER' },
      true,
    ]);
    // And if Python lets it pass, its caller learns what it was.
    const error = await rejection(synapse.invoke('ask', ['fails']));
    expect(error).toMatchObject({
      code: 'PYTHON_ERROR',
      pythonType: 'synapse.HostError',
      data: { name: 'TypeError', message: 'no such user', data: { code: 'E_USER' } },
      cause: { name: 'TypeError', message: 'no such user' },
    });
  });

  test('an answer that cannot cross says so', async () => {
    const synapse = await spawn();
    synapse.handle('bad', () => ({ deep: [() => 1] }));
    synapse.handle('symbol', () => ({ deep: [Symbol('x')] }));
    const found = await synapse.invoke<unknown[]>('caught', ['symbol']);
    expect(found).toMatchObject({ 1: 'EncodeError', 3: { path: '$.deep[0]' } });
    expect(await synapse.invoke('caught', ['bad'])).toMatchObject({ 1: 'EncodeError' });
  });

  test('a missing handler is named, with those there are', async () => {
    const synapse = await spawn();
    synapse.handle('a.x', () => 1);
    synapse.handle('b.x', () => 2);
    expect(await synapse.invoke('caught', ['nope'])).toEqual([
      'not found',
      expect.stringContaining('"nope"; available: a.x, b.x'),
      ['a.x', 'b.x'],
    ]);
    expect(await synapse.invoke('caught', ['x'])).toEqual([
      'not found',
      expect.stringContaining('could be each of these'),
      ['a.x', 'b.x'],
    ]);
  });

  test('Node calls Python for Python, five deep', async () => {
    const synapse = await spawn();
    synapse.handle('deeper', async (depth: number) => [
      'node',
      await synapse.invoke('nest', [depth]),
    ]);
    let expected: unknown = 'bottom';
    for (let depth = 1; depth <= 5; depth++) expected = ['python', depth, ['node', expected]];
    expect(await synapse.invoke('nest', [5])).toEqual(expected);
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => synapse.invoke('nest', [5])));
    expect(all).toEqual(Array(5).fill(expected));
  });

  test('calls, streams, nested calls and threads at once are not mixed up', async () => {
    const synapse = await spawn();
    synapse.handle('echo', async (value: number) => {
      if (value % 5 === 0) await new Promise((resolve) => setTimeout(resolve, value % 3));
      return value;
    });
    synapse.handle('deeper', (depth: number) => synapse.invoke('nest', [depth]));
    const jobs: Promise<void>[] = [];
    const expectAnswer = (name: string, args: unknown[], answer: unknown): void => {
      jobs.push(synapse.invoke(name, args).then((found) => expect(found).toEqual(answer)));
    };
    const items = async (): Promise<void> => {
      const found: unknown[] = [];
      for await (const item of synapse.stream('asking', [50])) found.push(item);
      expect(found).toEqual(Array.from({ length: 50 }, (__, index) => index));
    };
    const nested = ['python', 2, ['python', 1, 'bottom']];
    for (let round = 0; round < 20; round++) {
      if (round === 5) expectAnswer('start_threads', [4, 25], null);
      for (let index = 0; index < 10; index++) expectAnswer('plain', [index], index);
      expectAnswer('ask', ['echo', round], round);
      expectAnswer('nest', [2], nested);
      if (round % 5 === 0) jobs.push(items());
      const controller = new AbortController();
      const given = synapse.invoke('ask', ['echo', 5], { signal: controller.signal });
      jobs.push(
        given.then(
          (found) => expect(found).toBe(5),
          (reason: unknown) => expect(reason).toBe(controller.signal.reason),
        ),
      );
      setTimeout(() => controller.abort(), round);
    }
    await Promise.all(jobs);
    expect(await synapse.invoke('join_threads')).toEqual([100, true]);
    expect(synapse.stats()).toMatchObject({ restarts: 0, requestsActive: 0, queued: 0 });
  });

  test('a handler may make many calls at once for one callback', async () => {
    const synapse = await spawn();
    synapse.handle('echo', (value: number) => value);
    synapse.handle('fan', async (count: number) => {
      const numbers = Array.from({ length: count }, (__, index) => index);
      const sums = await Promise.all(
        numbers.map((n) => synapse.invoke<number>('ask', ['echo', n])),
      );
      return sums.reduce((sum, number) => sum + number, 0);
    });
    expect(await synapse.invoke('ask', ['fan', 200])).toBe(19900);
  });

  test('a cancelled call takes its callback with it', async () => {
    const synapse = await spawn();
    const { promise: started, resolve: start } = deferred<AbortSignal>();
    synapse.handle('hangs', (ctx: HandlerContext) => {
      start(ctx.signal);
      return new Promise(() => {});
    });
    const controller = new AbortController();
    const call = synapse.invoke('ask', ['hangs'], { signal: controller.signal });
    const signal = await started;
    expect(signal.aborted).toBe(false);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    if (!signal.aborted) await once(signal, 'abort');
    expect(await synapse.invoke('plain', [1])).toBe(1);
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });

  test('the death of a worker aborts what it asked for', async () => {
    const synapse = await spawn();
    const { promise: started, resolve: start } = deferred<HandlerContext>();
    synapse.handle('hangs', (ctx: HandlerContext) => {
      start(ctx);
      return new Promise(() => {});
    });
    const call = rejection(synapse.invoke('ask', ['hangs']));
    const { signal } = await started;
    process.kill(synapse.workers()[0]?.pid as number, 'SIGKILL');
    expect(await call).toMatchObject({ code: 'WORKER_EXITED' });
    if (!signal.aborted) await once(signal, 'abort');
    expect(signal.reason).toMatchObject({ code: 'WORKER_EXITED' });
  });

  test('disposing aborts handlers, and they stay registered', async () => {
    const synapse = await spawn();
    const { promise: started, resolve: start } = deferred<HandlerContext>();
    let hang = true;
    synapse.handle('maybe', (ctx: HandlerContext) => {
      if (!hang) return 'again';
      start(ctx);
      return new Promise(() => {});
    });
    const call = rejection(synapse.invoke('ask', ['maybe']));
    const { signal } = await started;
    await synapse.dispose();
    expect(await call).toMatchObject({ code: 'DISPOSED' });
    expect(signal.aborted).toBe(true);
    hang = false;
    const { createFolder } = await import('../support/modules.js');
    await synapse.spawn(createFolder({ 'main.py': source }), 'main', options);
    expect(await synapse.invoke('ask', ['maybe'])).toBe('again');
  });

  test('waiting can be limited in Python', async () => {
    const synapse = await spawn();
    const { promise: aborted, resolve: abort } = deferred<void>();
    synapse.handle('hangs', (ctx: HandlerContext) => {
      ctx.signal.addEventListener('abort', () => abort());
      return new Promise(() => {});
    });
    expect(await synapse.invoke('given_up', ['hangs'])).toMatch(/Timeout|within 0.05 seconds/);
    if (source === ASYNC) await aborted;
  });

  test('a function is called as long as Python keeps it', async () => {
    const synapse = await spawn();
    expect(await synapse.invoke('apply', [(value: number) => value + 1, 41])).toBe(42);
    expect(await synapse.invoke('apply', [async (value: number) => value * 2, 21])).toBe(42);
    await synapse.invoke('keep', [(value: unknown) => ['kept', value]]);
    expect(await synapse.invoke('use_kept', [1])).toEqual(['kept', 1]);
    expect(await synapse.invoke('use_kept', [2])).toEqual(['kept', 2]);
    await synapse.invoke('release_kept');
    expect(await rejection(synapse.invoke('use_kept', [3]))).toMatchObject({
      pythonType: 'RuntimeError',
      message: expect.stringContaining('was released'),
    });
    const own = (): void => {};
    const back = await synapse.invoke<{ same: unknown }>('send_back', [own]);
    expect(back.same).toBe(own);
    const nested = await rejection(
      synapse.invoke('apply', [
        () => {
          throw new Error('inside');
        },
        1,
      ]),
    );
    expect(nested).toMatchObject({ data: { message: 'inside' } });
  });
});

test('a module of handlers is an attribute of the package, also at import time', async () => {
  const synapse = await spawnModule(`
    import synapse
    from synapse import callback, handler

    DataFetch = synapse.market.DataFetch

    @handler
    def fetch(symbol):
        return [DataFetch({"symbol": symbol}).result(), callback("market.DataFetch", symbol).result()]
  `);
  synapse.handle('market', { DataFetch: (request: unknown) => ({ request }) });
  expect(await synapse.invoke('fetch', ['BTC'])).toEqual([
    { request: { symbol: 'BTC' } },
    { request: 'BTC' },
  ]);
});
