/** Several modules in one object, on real workers. */

import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type PoolOptions, SynapseHub } from '../../ts/index.js';
import { createFolder, isAlive, shared, until } from '../support/modules.js';

const MODULE = `
  import os, signal, time
  from synapse import handler, host

  @handler
  def who():
      return os.environ["WHO"]

  @handler
  def pid():
      return os.getpid()

  @handler
  def sleep(seconds):
      time.sleep(seconds)
      return os.environ["WHO"]

  @handler
  def die():
      os._exit(1)

  @handler
  def stay():
      signal.signal(signal.SIGTERM, lambda *_: open(os.environ["TOLD"], "w").close())
      return os.getpid()

  @handler
  def outstay(files):
      # Ends, whatever it is told, when all of them are there.
      open(os.environ["TOLD"] + ".begun", "w").close()
      while not all(os.path.exists(file) for file in files):
          try:
              time.sleep(0.005)
          except BaseException:
              pass
      os._exit(0)

  @handler
  def total(numbers):
      return sum(numbers)

  @handler
  def count(n):
      yield from range(n)

  @handler
  def ask(text):
      return host.answer(text).result()

  @handler(default=True)
  def main(value):
      return [os.environ["WHO"], value]
`;

let hub: SynapseHub;

beforeEach(() => {
  hub = new SynapseHub(shared);
});

afterEach(() => hub.dispose());

function add(name: string, options: PoolOptions = {}): Promise<unknown> {
  const folder = createFolder({ 'main.py': MODULE });
  return hub.add(name, folder, 'main', { env: { WHO: name }, ...options });
}

describe('pools by name', () => {
  test('each is called by its name, in all the ways of one', async () => {
    await Promise.all([add('a'), add('b')]);
    expect(hub.pools().sort()).toEqual(['a', 'b']);
    expect(await hub.invoke('a', 'who')).toBe('a');
    expect(await hub.call('b', 7)).toEqual(['b', 7]);
    expect(await hub.api<{ who(): string }>('b').who()).toBe('b');
    const signal = AbortSignal.abort('enough');
    await expect(hub.api<{ who(): string }>('b', { signal }).who()).rejects.toBe('enough');
    const items: number[] = [];
    for await (const item of hub.stream<number>('a', 'count', [3])) items.push(item);
    expect(items).toEqual([0, 1, 2]);
    expect(Object.keys(hub.workers()).sort()).toEqual(['a', 'b']);
    expect(hub.stats()).toMatchObject({
      requestsHandled: 4,
      requestsActive: 0,
      pools: { a: { requestsHandled: 2 }, b: { requestsHandled: 2 } },
    });
  });

  test('a name is unknown or taken: the error says which', async () => {
    await add('a');
    await expect(hub.invoke('z', 'who')).rejects.toMatchObject({
      code: 'POOL_NOT_FOUND',
      message: 'there is no pool or group "z"; available: a',
      available: ['a'],
    });
    expect(() => hub.stream('z', 'count', [1])).toThrow('there is no pool or group "z"');
    await expect(add('a')).rejects.toMatchObject({
      code: 'POOL_EXISTS',
      message: "Process with target 'a' already exists",
    });
    await expect(add('b', { group: 'a' })).rejects.toMatchObject({ code: 'POOL_EXISTS' });
    await expect(add('')).rejects.toThrow('option "name" must be a string, not empty');
    expect(hub.pools()).toEqual(['a']);
  });

  test('a pool that does not start leaves its name free', async () => {
    const folder = createFolder({ 'main.py': 'raise RuntimeError("no")' });
    await expect(hub.add('a', folder, 'main')).rejects.toMatchObject({ code: 'START_FAILED' });
    await add('a');
    expect(await hub.invoke('a', 'who')).toBe('a');
  });

  test('what is registered on the hub is exposed or hidden in every pool, later ones included', async () => {
    await add('a');
    const registration = hub.handle('answer', () => 'here', { exposed: false });
    await add('b');
    const ask = (pool: string): Promise<unknown> => hub.invoke(pool, 'ask', ['x']);
    for (const pool of ['a', 'b']) await expect(ask(pool)).rejects.toThrow('no handler "answer"');
    registration.exposed = true;
    await add('c');
    expect([await ask('a'), await ask('b'), await ask('c')]).toEqual(['here', 'here', 'here']);
    expect(registration.exposed).toBe(true);
  });

  test('what is registered on the hub answers every pool, also one that comes later', async () => {
    await add('a');
    const registration = hub.handle('answer', (text: string) => `${text}!`);
    expect(() => hub.handle('answer', () => 1)).toThrow('there is a handler "answer" already');
    await add('b');
    expect(await hub.invoke('a', 'ask', ['hi'])).toBe('hi!');
    expect(await hub.invoke('b', 'ask', ['ho'])).toBe('ho!');
    registration.dispose();
    await expect(hub.invoke('b', 'ask', ['ho'])).rejects.toMatchObject({ code: 'PYTHON_ERROR' });
    hub.handle('answer', () => 'again');
    expect(await hub.invoke('a', 'ask', ['hi'])).toBe('again');
    expect([hub.unhandle('answer'), hub.unhandle('answer')]).toEqual([true, false]);
  });

  test('events carry the name of the pool', async () => {
    const started: string[] = [];
    hub.on('worker:start', (pool, { pid }) => started.push(`${pool} ${pid > 0}`));
    await add('a');
    expect(started).toEqual(['a true']);
  });

  test('remove ends one pool; dispose ends all, also one that is starting', async () => {
    await Promise.all([add('a'), add('b')]);
    const [first, second] = await Promise.all([
      hub.invoke<number>('a', 'pid'),
      hub.invoke<number>('b', 'pid'),
    ]);
    expect([await hub.remove('a'), await hub.remove('a')]).toEqual([true, false]);
    expect([isAlive(first), isAlive(second)]).toEqual([false, true]);
    const starting = add('c').catch((reason: unknown) => reason);
    const disposed = hub.dispose();
    await expect(add('d')).rejects.toMatchObject({
      code: 'DISPOSED',
      message: 'Cannot spawn child during shutdown',
    });
    await disposed;
    expect(await starting).toMatchObject({ code: 'DISPOSED' });
    expect(isAlive(second)).toBe(false);
    await add('a');
    expect(await hub.invoke('a', 'who')).toBe('a');
  });
});

describe('what is set for one pool', () => {
  test('restart: of two that are killed only that one comes back which may', async () => {
    hub = new SynapseHub({ ...shared, restart: false });
    await Promise.all([add('a'), add('b', { restart: true })]);
    const before = hub.workers();
    for (const [worker] of Object.values(before)) if (worker) process.kill(worker.pid, 'SIGKILL');
    await until(() => hub.workers()['a']?.length === 0);
    expect(await hub.invoke('b', 'who')).toBe('b');
    await expect(hub.invoke('a', 'who')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    expect(hub.stats()).toMatchObject({ restarts: 1, pools: { a: { restarts: 0 } } });
  });

  test('graceMs: all pools are told to end before the first has used up its own', async () => {
    const folder = createFolder({});
    const names = ['a', 'b', 'c'];
    const told = names.map((name) => join(folder, name));
    await Promise.all(
      names.map((name, index) =>
        add(name, { graceMs: 20_000, env: { WHO: name, TOLD: told[index] ?? '' } }),
      ),
    );
    const pids = await Promise.all(names.map((name) => hub.invoke<number>(name, 'stay')));
    const seen: boolean[][] = [];
    hub.on('worker:exit', () => seen.push(told.map((file) => existsSync(file))));
    const running = names.map((name) => hub.invoke(name, 'outstay', [told]).catch(() => name));
    await until(() => told.every((file) => existsSync(`${file}.begun`)));
    await hub.dispose();
    expect(await Promise.all(running)).toEqual(names);
    expect(seen[0]).toEqual([true, true, true]);
    expect(pids.map(isAlive)).toEqual([false, false, false]);
  });
});

describe('groups', () => {
  test('a strategy hands the calls round', async () => {
    hub.group('web', { strategy: 'round-robin' });
    await add('a', { group: 'web' });
    await add('b', { group: ['web', 'other'] });
    const answers = [];
    for (let call = 0; call < 4; call++) answers.push(await hub.invoke('web', 'who'));
    expect(answers).toEqual(['a', 'b', 'a', 'b']);
    expect(await hub.invoke('other', 'who')).toBe('b');
    const signal = AbortSignal.abort('enough');
    await expect(hub.api<{ who(): string }>('web', { signal }).who()).rejects.toBe('enough');
    expect(hub.stats().groups['web']).toEqual({
      processes: 2,
      totalRequests: 5,
      requestsActive: 0,
      queued: 0,
      strategy: 'round-robin',
      members: ['a', 'b'],
      passedOver: [],
    });
  });

  test('its settings outlive its last member; empty it says so', async () => {
    hub.group('web', { strategy: 'round-robin', concurrency: 1 });
    await expect(hub.invoke('web', 'who')).rejects.toMatchObject({
      code: 'GROUP_EMPTY',
      message: 'Group ID "web" has no associated targets',
    });
    await add('a', { group: 'web' });
    await hub.remove('a');
    await expect(hub.invoke('web', 'who')).rejects.toMatchObject({ code: 'GROUP_EMPTY' });
    await add('b', { group: 'web' });
    expect(hub.stats().groups['web']).toMatchObject({ strategy: 'round-robin', members: ['b'] });
    const both = [hub.invoke('web', 'sleep', [0.2]), hub.invoke('web', 'who')];
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 1, queued: 1 });
    expect((await Promise.all(both))[1]).toBe('b');
    // Nor does it forget them when the only worker of its only member is replaced.
    await expect(hub.invoke('web', 'die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    const after = [hub.invoke('web', 'sleep', [0.2]), hub.invoke('web', 'who')];
    expect(hub.stats().groups['web']).toMatchObject({
      strategy: 'round-robin',
      members: ['b'],
      requestsActive: 1,
      queued: 1,
    });
    expect(await Promise.all(after)).toEqual(['b', 'b']);
  });

  test('the cap holds, and calls that time out or are aborted give their place back', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    await add('b', { group: 'web' });
    let most = 0;
    const watch = setInterval(() => {
      const { requestsActive } = hub.stats();
      most = Math.max(most, requestsActive);
    }, 1);
    const late = hub.invoke('web', 'sleep', [5], { timeout: 30 });
    const abort = new AbortController();
    const aborted = hub.invoke('web', 'who', [], { signal: abort.signal });
    const next = hub.invoke('web', 'who');
    abort.abort(new Error('enough'));
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(aborted).rejects.toThrow('enough');
    expect(['a', 'b']).toContain(await next);
    clearInterval(watch);
    expect(most).toBe(1);
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 0, queued: 0 });
  });

  test('a pool whose calls fail is passed over, and comes back by a call that tries it', async () => {
    const health = { failures: 2, resetMs: 2500 };
    hub.group('web', { strategy: 'round-robin', health });
    await add('a', { group: 'web', restart: { backoff: { initialMs: 1 } } });
    await add('b', { group: 'web' });
    // One for each in turn: only those of `a` fail.
    for (let round = 0; round < health.failures; round++) {
      await expect(hub.invoke('web', 'die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
      expect(await hub.invoke('web', 'who')).toBe('b');
    }
    expect(hub.stats().groups['web']).toMatchObject({ passedOver: ['a'] });
    for (let call = 0; call < 3; call++) expect(await hub.invoke('web', 'who')).toBe('b');
    await until(() => hub.stats().groups['web']?.passedOver.length === 0);
    const answers = [await hub.invoke('web', 'who'), await hub.invoke('web', 'who')];
    expect(answers.sort()).toEqual(['a', 'b']);
    expect(hub.stats().groups['web']).toMatchObject({ passedOver: [] });
  });

  test('a deadline counts the wait for the cap', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    const first = hub.invoke('web', 'sleep', [1.5]);
    await expect(hub.invoke('web', 'who', [], { timeout: 20 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'queue',
    });
    expect(await first).toBe('a');
  });

  test('an input stream that fails while its call waits for the cap is the end of that call', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    const missing = (): Readable => createReadStream(join(createFolder({}), 'missing'));
    hub.handle('answer', async () => {
      await until(() => hub.stats().groups['web']?.queued === 1);
      return 'answered';
    });
    // It holds the only place until none but the last call waits.
    const running = hub.invoke('web', 'ask', ['?']);
    const failures = Promise.allSettled([
      hub.invoke('web', 'total', [missing()]),
      hub.invoke('web', 'total', [missing()], { signal: new AbortController().signal }),
      hub.call('web', [missing()]),
      hub.stream('web', 'total', [missing()]).next(),
    ]);
    const next = hub.invoke('web', 'total', [Readable.from([1, 2, 3])]);
    for (const failure of await failures) {
      expect(failure).toMatchObject({ status: 'rejected', reason: { code: 'ENOENT' } });
    }
    expect(await running).toBe('answered');
    expect(await next).toBe(6);
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 0, queued: 0 });
  });

  test('what waits for the cap with an input stream can be aborted, and ends the stream', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    const running = hub.invoke('web', 'sleep', [0.2]);
    const abort = new AbortController();
    const source = new Readable({ read() {} });
    const waiting = hub.invoke('web', 'total', [source], { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
    expect(await running).toBe('a');
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 0, queued: 0 });
  });

  test('a place that comes free as the stream fails is given back', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    const running = hub.invoke('web', 'sleep', [0.5]);
    const source = new Readable({ read() {} });
    const waiting = hub.invoke('web', 'total', [source]);
    source.emit('error', new Error('broken'));
    // In the very tick: the call is let in, and its failure is told.
    hub.group('web', { concurrency: 2 });
    await expect(waiting).rejects.toThrow('broken');
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 1, queued: 0 });
    expect(await running).toBe('a');
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 0, queued: 0 });
  });

  test('a stream holds its place until it ends or is left', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    for await (const item of hub.stream<number>('web', 'count', [1000])) {
      expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 1 });
      if (item === 3) break;
    }
    expect(hub.stats().groups['web']).toMatchObject({ requestsActive: 0 });
    expect(await hub.invoke('web', 'who')).toBe('a');
  });

  test('disposing refuses what waits', async () => {
    hub.group('web', { concurrency: 1 });
    await add('a', { group: 'web' });
    const running = hub.invoke('web', 'sleep', [60]).catch((reason: unknown) => reason);
    const waiting = hub.invoke('web', 'who').catch((reason: unknown) => reason);
    await until(() => hub.stats().groups['web']?.queued === 1);
    await hub.dispose();
    expect(await running).toMatchObject({ code: 'DISPOSED' });
    expect(await waiting).toMatchObject({ code: 'DISPOSED' });
  });

  test('bad options are refused when the group is configured', () => {
    expect(() => hub.group('web', { strategy: 'fair' as 'random' })).toThrow(
      'option "strategy" must be one of',
    );
    expect(() => hub.group('web', { concurrency: 0 })).toThrow('option "concurrency"');
    expect(() => hub.group('web', { weight: 2 } as object)).toThrow('unknown option "weight"');
    expect(() => hub.group('web', { health: { failures: 0 } })).toThrow('"health.failures"');
    expect(() => hub.group('web', { health: 3 as unknown as true })).toThrow('"health"');
  });
});
