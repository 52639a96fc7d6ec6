/** What a handler says of its calls (`concurrency`, `timeout`) is kept, by workers in both languages. */

import { describe, expect, test } from '@jest/globals';
import type { SpawnOptions, Synapse } from '../../ts/index.js';
import { spawnNode } from '../runtimes/support.js';
import { spawnModule } from '../support/modules.js';

const ASYNC = `
  import asyncio, threading, time
  from synapse import context, handler, host

  running, peaks, begun, lock, released = {}, {}, [], threading.Lock(), threading.Event()

  def begin(name):
      with lock:
          running[name] = running.get(name, 0) + 1
          peaks[name] = max(peaks.get(name, 0), running[name])

  def end(name):
      with lock:
          running[name] -= 1

  @handler(concurrency=2)
  async def narrow(ms):
      begin("narrow")
      # As many as may come together do, however slow the machine is; one more would have its time.
      while peaks["narrow"] < 2:
          await asyncio.sleep(0.001)
      await asyncio.sleep(ms / 1000)
      end("narrow")

  @handler(concurrency=1)
  def single(ms):
      begin("single")
      time.sleep(ms / 1000)
      end("single")

  @handler(concurrency=1)
  def held(value):
      released.wait()
      return value

  @handler
  def release(): released.set()

  @handler
  async def wide(ms):
      begin("wide")
      while peaks["wide"] < 3:
          await asyncio.sleep(0.001)
      await asyncio.sleep(ms / 1000)
      end("wide")

  @handler
  async def free(value): return value

  @handler(timeout=0.2)
  async def hurried(ms):
      begun.append(ms)
      await asyncio.sleep(ms / 1000)
      left = context().remaining()
      return None if left is None else left * 1000

  @handler(timeout=20)
  async def patient():
      return context().remaining() * 1000

  @handler(timeout=20)
  async def patient_ticks():
      yield context().remaining() * 1000

  @handler(timeout=0.2)
  async def ticks(ms):
      while True:
          yield context().remaining() * 1000
          await asyncio.sleep(ms / 1000)

  @handler
  async def asks(name, *args):
      return await host.again(name, args)

  @handler
  def begun_with(ms): return begun.count(ms)

  @handler
  def highest(name): return peaks[name]
`;

const THREADS = ASYNC.replaceAll('async def', 'def')
  .replaceAll('await asyncio.sleep', 'time.sleep')
  .replaceAll('await host.again(name, args)', 'host.again(name, args).result()');

const NODE = `
  const running = {}, peaks = {}, begun = [];
  const counted = (name, wanted) => async (ms) => {
    running[name] = (running[name] ?? 0) + 1;
    peaks[name] = Math.max(peaks[name] ?? 0, running[name]);
    while (peaks[name] < wanted) await sleep(1);
    await sleep(ms);
    running[name]--;
  };
  handler('narrow', counted('narrow', 2), { concurrency: 2 });
  handler('single', counted('single', 1), { concurrency: 1 });
  handler('wide', counted('wide', 3));
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  handler('held', async (value) => { await released; return value; }, { concurrency: 1 });
  handler('release', () => release());
  handler('free', (value) => value);
  handler('hurried', async (ms) => {
    begun.push(ms);
    await sleep(ms);
    return context().remaining() ?? null;
  }, { timeout: 200 });
  handler('patient', async () => context().remaining(), { timeout: 20_000 });
  handler('patient_ticks', async function* () { yield context().remaining(); }, { timeout: 20_000 });
  handler('ticks', async function* (ms) {
    for (;;) {
      yield context().remaining();
      await sleep(ms);
    }
  }, { timeout: 200 });
  handler('asks', (name, ...args) => host.again(name, args));
  handler('begun_with', (ms) => begun.filter((other) => other === ms).length);
  handler('highest', (name) => peaks[name]);
`;

describe.each<[string, (options?: SpawnOptions) => Promise<Synapse>]>([
  ['coroutines', (options) => spawnModule(ASYNC, { mode: 'async', concurrency: 6, ...options })],
  ['threads', (options) => spawnModule(THREADS, { mode: 'threads', concurrency: 6, ...options })],
  ['Node', (options) => spawnNode(NODE, { concurrency: 6, ...options })],
])('in a worker of %s', (_, spawn) => {
  test('no more calls of a handler run at once than it says, and others pass them', async () => {
    const synapse = await spawn();
    const calls = (name: string, count: number): Promise<unknown>[] =>
      Array.from({ length: count }, () => synapse.invoke(name, [30]));
    await Promise.all([...calls('narrow', 5), ...calls('single', 3), ...calls('wide', 3)]);
    const names = ['narrow', 'single', 'wide'];
    const highest = await Promise.all(names.map((name) => synapse.invoke('highest', [name])));
    expect(highest).toEqual([2, 1, 3]);
  });

  test('calls that wait for their handler leave the others their turns', async () => {
    const synapse = await spawn();
    const waiting = [1, 2, 3].map((value) => synapse.invoke('held', [value]));
    const others = [4, 5].map((value) => synapse.invoke('free', [value]));
    expect(await Promise.all(others)).toEqual([4, 5]);
    await synapse.invoke('release');
    expect(await Promise.all(waiting)).toEqual([1, 2, 3]);
  });

  test('a call that gives no timeout has that of its handler, and the handler knows', async () => {
    const synapse = await spawn();
    const remaining = await synapse.invoke<number>('patient');
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThanOrEqual(20_000);
    await expect(synapse.invoke('hurried', [60_000])).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'run',
      handler: 'hurried',
    });
  });

  test('what a call says itself goes before that, any time included', async () => {
    const synapse = await spawn();
    expect(await synapse.invoke('hurried', [300], { timeout: 60_000 })).toBeGreaterThan(10_000);
    await expect(synapse.invoke('hurried', [150], { timeout: 20 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    expect(await synapse.invoke('hurried', [300], { timeout: 0 })).toBeNull();
  });

  test('what a handler says goes before the limit of calls that give none', async () => {
    const synapse = await spawn({ limits: { callTimeout: 30_000 } });
    const remaining = await synapse.invoke<number>('patient');
    expect(remaining).toBeLessThanOrEqual(20_000);
    await expect(synapse.invoke('hurried', [60_000])).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('streams end at the timeout of their handler', async () => {
    const synapse = await spawn();
    const consume = async (): Promise<void> => {
      for await (const _ of synapse.stream('ticks', [5]));
    };
    await expect(consume()).rejects.toMatchObject({ code: 'TIMEOUT', handler: 'ticks' });
    const patient = synapse.stream<number>('patient_ticks');
    expect((await patient.next()).value).toBeLessThanOrEqual(20_000);
    await patient.return();
  });

  test('it holds for calls that handlers in Node make on behalf of a callback', async () => {
    const synapse = await spawn();
    synapse.handle('again', (name: string, args: unknown[]) => synapse.invoke(name, args));
    expect(await synapse.invoke('asks', ['patient'])).toBeLessThanOrEqual(20_000);
    await expect(synapse.invoke('asks', ['hurried', 60_000])).rejects.toThrow(/deadline/);
  });

  test('it is the time for all attempts of a call', async () => {
    const synapse = await spawn({ retry: 5 });
    await expect(synapse.invoke('hurried', [2_000], { idempotent: true })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    // None, if the machine is so slow that it had no time to begin.
    expect(await synapse.invoke('begun_with', [2_000])).toBeLessThanOrEqual(1);
    expect(synapse.stats().policies?.retry.attempts).toBe(0);
  });
});
