/** Workers in Node: what the SDK promises, on real processes. */

import { describe, expect, test } from '@jest/globals';
import {
  EncodeError,
  HandlerNotFoundError,
  kwargs,
  type LogEvent,
  ndarray,
  PythonError,
  SpawnError,
  TimeoutError,
  WorkerExitedError,
} from '../../ts/index.js';
import { createFolder, createSynapse, isAlive, until } from '../support/modules.js';
import { nodeSource, spawnNode } from './support.js';

describe('a worker file', () => {
  const body = `
    handler('format', () => typeof require === 'undefined' ? 'esm' : 'cjs');
    handler('argv', () => process.argv.slice(2));`;
  const required = `const { handler } = require('@himalaya-quant/synapse/worker');${body}`;
  const imported = `import { handler } from '@himalaya-quant/synapse/worker';${body}`;
  test.each([
    ['worker.js', required, {}, 'cjs'],
    ['worker.cjs', required, {}, 'cjs'],
    ['worker.mjs', imported, {}, 'esm'],
    ['worker.js', imported, { 'package.json': '{ "type": "module" }' }, 'esm'],
    ['worker.mjs', `await 0;\n${imported}`, {}, 'esm'],
  ])('%s runs in its format', async (file, source, more, format) => {
    const synapse = createSynapse({ runtime: 'node' });
    await synapse.spawn(createFolder({ [file]: source, ...more }), 'worker');
    expect(await synapse.invoke('format')).toBe(format);
    expect(await synapse.invoke('argv')).toEqual([]);
  });

  test('that is not there is named', async () => {
    const folder = createFolder({});
    await expect(createSynapse({ runtime: 'node' }).spawn(folder, 'worker')).rejects.toMatchObject({
      code: 'ENTRYPOINT_NOT_FOUND',
      message: 'Entrypoint "worker.js" does not exist.',
    });
  });

  test.each([
    ['throws', 'throw new RangeError("no model")', /Node\.js did not start: RangeError: no model/],
    ['is no JavaScript', 'const = 5', /Node\.js did not start: SyntaxError/],
    ['registers nothing', '', /ended without a handler/],
    [
      'fails to start',
      'onStart(async () => { throw new Error("no disk") });handler("a", () => 1)',
      /Error: no disk/,
    ],
    [
      'registers a name twice',
      'handler("a", () => 1); handler("a", () => 2)',
      /there is a handler "a" already/,
    ],
  ])('that %s rejects spawn with the reason', async (_, source, message) => {
    const error = await spawnNode(source).catch((thrown: unknown) => thrown);
    expect(SpawnError.is(error)).toBe(true);
    expect(error).toMatchObject({ code: 'START_FAILED', message: expect.stringMatching(message) });
  });
});

describe('arguments and results', () => {
  test('positional ones, one value, and keyword arguments as the last object', async () => {
    const synapse = await spawnNode(
      `handler('given', (...args) => args); handler('main', (input) => ({ got: input }), { default: true });`,
    );
    expect(await synapse.invoke('given', [1, 'two', null])).toEqual([1, 'two', null]);
    expect(await synapse.invoke('given', { a: 1 })).toEqual([{ a: 1 }]);
    expect(await synapse.invoke('given')).toEqual([]);
    expect(await synapse.invoke('given', kwargs({ a: 1 }))).toEqual([{ a: 1 }]);
    expect(await synapse.invoke('given', [1, kwargs({ a: 2 })])).toEqual([1, { a: 2 }]);
    expect(await synapse.call('x')).toEqual({ got: 'x' });
  });

  test('values of every kind cross and come back', async () => {
    const synapse = await spawnNode(`handler('echo', (value) => value);`);
    const values: unknown[] = [
      null,
      -0,
      2n ** 80n,
      new Date(1_700_000_000_123),
      new Set([1, 'a']),
      new Map([[1, 'one']]),
      Buffer.alloc(300_000, 7),
      Float32Array.of(1.5, 2.5),
      ndarray(Int32Array.of(1, 2, 3, 4), [2, 2]),
      { nested: [{ deep: true }] },
    ];
    for (const value of values) expect(await synapse.invoke('echo', [value])).toEqual(value);
  });

  test('large ones go both ways while others are answered', async () => {
    const synapse = await spawnNode(`handler('echo', (value) => value);`, { concurrency: 4 });
    const large = Buffer.alloc(20_000_000, 3);
    const [bytes, ...small] = await Promise.all([
      synapse.invoke<Buffer>('echo', [large]),
      ...[1, 2, 3].map((value) => synapse.invoke('echo', [value])),
    ]);
    expect(bytes.equals(large)).toBe(true);
    expect(small).toEqual([1, 2, 3]);
  });

  test('a result that cannot cross is refused with its path', async () => {
    const synapse = await spawnNode(`handler('bad', () => ({ items: [1, () => 2] }));`);
    const error = await synapse.invoke('bad').catch((thrown: unknown) => thrown);
    expect(EncodeError.is(error)).toBe(true);
    expect(error).toMatchObject({ path: '$.items[1]' });
    expect(await synapse.invoke('bad').catch(() => 'still there')).toBe('still there');
  });
});

describe('errors', () => {
  test('carry type, stack, properties and cause', async () => {
    const synapse = await spawnNode(`
      class NoStock extends RangeError { name = 'NoStock'; }
      handler('fail', async () => {
        throw Object.assign(new NoStock('sold out', { cause: new Error('inner') }), { sku: 7 });
      });`);
    const error = await synapse.invoke('fail').catch((thrown: unknown) => thrown);
    expect(PythonError.is(error)).toBe(true);
    const { message, pythonType, traceback, data, cause, mro } = error as PythonError;
    expect({ message, pythonType, data }).toEqual({
      message: 'sold out',
      pythonType: 'NoStock',
      data: { sku: 7 },
    });
    expect(mro).toContain('RangeError');
    expect(traceback).toMatch(/NoStock: sold out\n.*worker\.mjs/);
    expect(traceback).not.toMatch(/dist.worker/);
    expect(cause).toMatchObject({ message: 'inner' });
  });

  test('an unknown handler is a real error', async () => {
    const synapse = await spawnNode(`handler('a', () => 1);`);
    const error = await synapse.invoke('b').catch((thrown: unknown) => thrown);
    expect(HandlerNotFoundError.is(error)).toBe(true);
  });

  test('an unhandled rejection is logged and the worker lives', async () => {
    const synapse = await spawnNode(
      `handler('lose', () => { Promise.reject(new Error('lost')); });`,
    );
    const logs: LogEvent[] = [];
    synapse.on('log', (event) => logs.push(event));
    await synapse.invoke('lose');
    await until(() => logs.length > 0);
    expect(logs[0]).toMatchObject({ level: 'ERROR', text: expect.stringContaining('Error: lost') });
    expect(synapse.stats().restarts).toBe(0);
  });

  test('an uncaught exception ends the worker, and its calls say why', async () => {
    const synapse = await spawnNode(`
      handler('crash', () => { setTimeout(() => { throw new Error('kaboom'); }, 1); return sleep(60_000); });
      handler('a', () => 1);`);
    const error = await synapse.invoke('crash').catch((thrown: unknown) => thrown);
    expect(WorkerExitedError.is(error)).toBe(true);
    expect(error).toMatchObject({ exitCode: 1, stderrTail: expect.stringContaining('kaboom') });
    expect(await synapse.invoke('a')).toBe(1);
  });
});

describe('streams', () => {
  const source = `
    let open = 0;
    handler('count', function* (n) { open++; try { for (let i = 0; i < n; i++) yield i; } finally { open--; } });
    handler('later', async function* (n) { open++; try { for (let i = 0; i < n; i++) { await sleep(0); yield i; } } finally { open--; } });
    handler('open', () => open);
    handler('plain', () => 'one');
    handler('breaks', function* () { yield 1; throw new Error('torn'); });
    let made = 0;
    handler('eager', function* () { for (;;) yield ++made; });
    handler('made', () => made);`;

  test.each(['count', 'later'])('%s yields all, in order, past its credit', async (name) => {
    const synapse = await spawnNode(source);
    const items: unknown[] = [];
    for await (const item of synapse.stream(name, [500])) items.push(item);
    expect(items).toEqual(Array.from({ length: 500 }, (_, index) => index));
    expect(await synapse.invoke(name, [3])).toEqual([0, 1, 2]);
  });

  test.each(['count', 'later'])('leaving the loop closes %s', async (name) => {
    const synapse = await spawnNode(source);
    for await (const item of synapse.stream(name, [1e9])) if (item === 5) break;
    while ((await synapse.invoke('open')) !== 0);
    expect(await synapse.invoke('open')).toBe(0);
  });

  test('a plain result is a stream of one item, and an error ends one', async () => {
    const synapse = await spawnNode(source);
    const items: unknown[] = [];
    for await (const item of synapse.stream('plain')) items.push(item);
    const torn = async (): Promise<void> => {
      for await (const item of synapse.stream('breaks')) items.push(item);
    };
    await expect(torn()).rejects.toMatchObject({ message: 'torn' });
    expect(items).toEqual(['one', 1]);
  });

  test('the generator is not far ahead of its consumer', async () => {
    const synapse = await spawnNode(source, { concurrency: 2 });
    const stream = synapse.stream('eager')[Symbol.asyncIterator]();
    await stream.next();
    const before = (await synapse.invoke('made')) as number;
    await synapse.invoke('open');
    expect(await synapse.invoke('made')).toBe(before);
    expect(before).toBeLessThan(10_000);
    await stream.return?.(undefined);
  });
});

describe('concurrency', () => {
  const source = `
    let now = 0, most = 0;
    handler('work', async (wanted) => {
      most = Math.max(most, ++now);
      // As many as may come together do, however slow the machine is; one more would have its time.
      while (most < wanted) await sleep(1);
      await sleep(5);
      now--;
    });
    handler('most', () => most);`;

  test.each([
    [{ concurrency: 1 }, 1],
    [{ concurrency: 3 }, 3],
    [{ concurrency: 3, mode: 'serial' } as const, 1],
  ])('with %j at most %i run at once', async (options, most) => {
    const synapse = await spawnNode(source, options);
    await Promise.all(Array.from({ length: 12 }, () => synapse.invoke('work', [most])));
    expect(await synapse.invoke('most')).toBe(most);
  });

  test('calls of a serial worker run in their order', async () => {
    const synapse = await spawnNode(`
      const done = [];
      handler('step', async (name, ms) => { await sleep(ms); done.push(name); });
      handler('done', () => done);`);
    await Promise.all([synapse.invoke('step', ['a', 20]), synapse.invoke('step', ['b', 0])]);
    expect(await synapse.invoke('done')).toEqual(['a', 'b']);
  });
});

describe('the context', () => {
  test('is that of the call, whatever it awaits', async () => {
    const synapse = await spawnNode(
      `
      handler('about', async (ms) => {
        const before = context().callId;
        await sleep(ms);
        const { callId, metadata, cancelled } = context();
        return [before === callId, metadata, cancelled, context().remaining() <= 5000];
      });`,
      { concurrency: 8 },
    );
    const all = await Promise.all(
      [5, 0, 3].map((ms) => synapse.invoke('about', [ms], { metadata: { ms }, timeout: 5000 })),
    );
    expect(all).toEqual([5, 0, 3].map((ms) => [true, { ms }, false, true]));
  });

  test('reports progress and logs with the call', async () => {
    const synapse = await spawnNode(`
      handler('work', async () => {
        console.log('out %d', 1);
        await sleep(1);
        console.error('err');
        context().log.warn('odd');
        context().progress(0.5, 'half');
        return context().callId;
      });`);
    const logs: LogEvent[] = [];
    const progress: unknown[] = [];
    synapse.on('log', (event) => logs.push(event));
    synapse.on('progress', (event) => progress.push(event));
    const callId = await synapse.invoke('work');
    expect(logs).toMatchObject([
      { stream: 'stdout', text: 'out 1\n', level: 'info', callId },
      { stream: 'stderr', text: 'err\n', level: 'error', callId },
      { stream: 'logging', text: 'odd', level: 'WARNING', callId },
    ]);
    expect(progress).toMatchObject([{ callId, fraction: 0.5, message: 'half' }]);
  });

  test('a deadline aborts the signal, and the worker goes on', async () => {
    const synapse = await spawnNode(`
      let reason;
      handler('wait', (ms) => new Promise((resolve) => {
        context().signal.addEventListener('abort', () => { reason = context().signal.reason.name; });
        setTimeout(resolve, ms);
      }));
      handler('reason', () => reason);
      handler('pid', () => process.pid);`);
    const pid = await synapse.invoke('pid');
    let reason: unknown = null;
    // Longer each time, if the machine was too slow for it to begin.
    for (let timeout = 30; reason === null; timeout *= 2) {
      await expect(synapse.invoke('wait', [60_000], { timeout })).rejects.toThrow(TimeoutError);
      reason = await synapse.invoke('reason');
    }
    expect(reason).toBe('CancelledError');
    expect(await synapse.invoke('pid')).toBe(pid);
  });

  test('a handler that blocks its thread past the deadline costs the worker', async () => {
    const synapse = await spawnNode(
      `handler('spin', () => { for (;;); }); handler('a', () => 1);`,
      { graceMs: 50 },
    );
    const exits: unknown[] = [];
    synapse.on('worker:exit', (exit) => exits.push(exit));
    // Longer each time, if the machine was too slow for it to begin.
    for (let timeout = 30; exits.length === 0; timeout *= 2) {
      await expect(synapse.invoke('spin', [], { timeout })).rejects.toThrow(TimeoutError);
    }
    expect(exits[0]).toMatchObject({ signal: 'SIGKILL', reason: 'hung' });
    expect(await synapse.invoke('a')).toBe(1);
  });
});

describe('the host', () => {
  test('is called by name, with keyword arguments, and streams', async () => {
    const synapse = await spawnNode(`
      handler('user', async (id) => host.getUser(id, kwargs({ full: true })));
      handler('fetch', async () => host.call('market.fetch', 'AAPL'));
      handler('nested', async () => host.market.fetch('MSFT'));
      handler('sum', async (n) => { let sum = 0; for await (const x of host.numbers(n)) sum += x; return sum; });
      handler('all', async (n) => host.numbers(n));
      handler('first', async () => { for await (const x of host.numbers(1e9)) return x; });
      handler('fails', async () => host.broken());
      handler('missing', async () => host.nothing().then(() => 0, (error) => [error.code, error.name]));`);
    let finished = 0;
    synapse.handle('getUser', (id, ctx) => ({ id, ...(ctx as { kwargs: object }).kwargs }));
    synapse.handle('market', { fetch: (symbol: string) => `${symbol}!` });
    synapse.handle('numbers', function* (n: number) {
      try {
        for (let index = 0; index < n; index++) yield index;
      } finally {
        finished++;
      }
    });
    synapse.handle('broken', () => {
      throw Object.assign(new RangeError('too far'), { limit: 3 });
    });
    expect(await synapse.invoke('user', [1])).toEqual({ id: 1, full: true });
    expect(await synapse.invoke('fetch')).toBe('AAPL!');
    expect(await synapse.invoke('nested')).toBe('MSFT!');
    expect(await synapse.invoke('sum', [200])).toBe(19_900);
    expect(await synapse.invoke('all', [100])).toHaveLength(100);
    expect(await synapse.invoke('first')).toBe(0);
    await until(() => finished === 3);
    const error = (await synapse.invoke('fails').catch((thrown: unknown) => thrown)) as PythonError;
    expect(error).toMatchObject({ pythonType: 'synapse.HostError', message: 'too far' });
    expect(error.cause).toMatchObject({ name: 'RangeError', limit: 3 });
    expect(await synapse.invoke('missing')).toEqual(['HANDLER_NOT_FOUND', 'HostError']);
  });

  test('calls back into the one serial worker that waits for it', async () => {
    const synapse = await spawnNode(`
      handler('outer', async (n) => host.again(n));
      handler('inner', (n) => n * 2);`);
    synapse.handle('again', (n: number) => synapse.invoke('inner', [n]));
    expect(await synapse.invoke('outer', [21])).toBe(42);
  });

  test('gives functions, which are called and sent back', async () => {
    const synapse = await spawnNode(`
      handler('apply', async (run, value) => [await run(value), run.name]);
      handler('same', (run) => run);`);
    const double = (value: number): number => value * 2;
    expect(await synapse.invoke('apply', [double, 21])).toEqual([42, 'double']);
    expect(await synapse.invoke('same', [double])).toBe(double);
  });

  test('gives input streams, which are taken as they are iterated over', async () => {
    const synapse = await spawnNode(`
      handler('sum', async (numbers) => { let sum = 0; for await (const n of numbers) sum += n; return sum; });
      handler('first', async (numbers) => { for await (const n of numbers) return n; });`);
    let taken = 0;
    async function* numbers(): AsyncGenerator<number> {
      for (;;) yield taken++;
    }
    async function* few(): AsyncGenerator<number> {
      for (let index = 0; index < 200; index++) yield index;
    }
    expect(await synapse.invoke('sum', [few()])).toBe(19_900);
    expect(await synapse.invoke('first', [numbers()])).toBe(0);
    expect(taken).toBeLessThan(100);
  });

  test('hears of the end of a call that has asked it', async () => {
    const synapse = await spawnNode(`handler('ask', async () => host.slow());`);
    const controller = new AbortController();
    const aborted = new Promise((resolve) => {
      synapse.handle('slow', (ctx) => {
        const { signal } = ctx as { signal: AbortSignal };
        controller.abort('enough');
        return new Promise(() => signal.addEventListener('abort', resolve));
      });
    });
    const { signal } = controller;
    await expect(synapse.invoke('ask', [], { signal })).rejects.toBe('enough');
    await aborted;
  });

  test('cannot be called before the worker is ready', async () => {
    await expect(spawnNode(`await host.early(); handler('a', () => 1);`)).rejects.toThrow(
      'host.call("early") found no host',
    );
  });
});

describe('a base class', () => {
  test('makes handlers of its methods', async () => {
    const synapse = await spawnNode(`
      class Base extends Handlers { constructor() { super(); this.factor = 3; } scale(x) { return x * this.factor; } }
      class Calculator extends Base { add(a, b) { return this._check(a) + b; } _check(a) { return a; } }
      new Calculator().register('calculator');`);
    expect(synapse.handlers().sort()).toEqual(['calculator.add', 'calculator.scale']);
    expect(await synapse.invoke('calculator.add', [1, 2])).toBe(3);
    expect(await synapse.invoke('calculator.scale', [2])).toBe(6);
  });
});

describe('the end', () => {
  test('onStop runs, last first, when the instance is disposed of', async () => {
    const folder = createFolder({
      'worker.mjs': nodeSource(`
        import { appendFileSync } from 'node:fs';
        const write = (text) => appendFileSync(new URL('./end', import.meta.url), text);
        onStop(() => write('first')); onStop(async () => { await sleep(1); write('last '); });
        handler('a', () => 1);`),
    });
    const synapse = createSynapse({ runtime: 'node', graceMs: 10_000 });
    await synapse.spawn(folder, 'worker');
    const [{ pid } = { pid: 0 }] = synapse.workers();
    await synapse.dispose();
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(`${folder}/end`, 'utf8')).toBe('last first');
    expect(isAlive(pid)).toBe(false);
  });

  test('a worker that is killed is replaced', async () => {
    const synapse = await spawnNode(`handler('pid', () => process.pid);`);
    const pid = (await synapse.invoke('pid')) as number;
    process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => synapse.once('worker:ready', resolve));
    expect(await synapse.invoke('pid')).not.toBe(pid);
  });

  test('heartbeats come from its event loop', async () => {
    const synapse = await spawnNode(`handler('a', () => 1);`, { heartbeat: { interval: 20 } });
    const beat = await new Promise((resolve) => synapse.once('heartbeat', resolve));
    expect(beat).toMatchObject({ worker: 1, rss: expect.any(Number) });
    expect((beat as { rss: number }).rss).toBeGreaterThan(10_000_000);
  });
});

describe('a session', () => {
  test('is read and written, also in place; nothing is kept of a call that fails', async () => {
    const synapse = await spawnNode(`
      handler('append', (value) => {
        const { session } = context();
        if (!session.has('list')) session.set('list', []);
        session.get('list').push(value);
        return [session.id, session.get('list')];
      });
      handler('fail', () => { context().session.set('list', []); throw new Error('no'); });
      handler('refuse', () => { context().session.set('list', []); return Symbol('no'); });
      handler('forget', () => context().session.delete('list'));
      handler('count', function* (n) {
        for (let i = 0; i < n; i++) { context().session.set('last', i); yield i; }
      });`);
    const session = synapse.session('s');
    expect(await session.invoke('append', [1])).toEqual(['s', [1]]);
    expect(await session.invoke('append', [2])).toEqual(['s', [1, 2]]);
    await expect(session.invoke('fail')).rejects.toThrow('no');
    await expect(session.invoke('refuse')).rejects.toMatchObject({ code: 'ENCODE' });
    expect(await session.get('list')).toEqual([1, 2]);
    for await (const _ of session.stream('count', [3]));
    expect(await session.get('last')).toBe(2);
    expect(await session.invoke('forget')).toBe(true);
    expect([...(await session.entries()).keys()]).toEqual(['last']);
    await expect(synapse.invoke('append', [1])).rejects.toThrow('the call belongs to no session');
  });
});
