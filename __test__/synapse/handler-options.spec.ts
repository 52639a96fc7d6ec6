/** What a handler says of its calls (`concurrency`, `timeout`) is kept, by workers in both languages. */

import { describe, expect, test } from '@jest/globals';
import type { SpawnOptions, Synapse } from '../../ts/index.js';
import { spawnNode } from '../runtimes/support.js';
import { spawnModule } from '../support/modules.js';

const ASYNC = `
  import asyncio, time
  from synapse import context, handler, host

  running, peaks, begun = {}, {}, []

  def begin(name):
      running[name] = running.get(name, 0) + 1
      peaks[name] = max(peaks.get(name, 0), running[name])

  @handler(concurrency=2)
  async def narrow(ms):
      begin("narrow")
      await asyncio.sleep(ms / 1000)
      running["narrow"] -= 1

  @handler(concurrency=1)
  def single(ms):
      begin("single")
      time.sleep(ms / 1000)
      running["single"] -= 1

  @handler
  async def wide(ms):
      begin("wide")
      await asyncio.sleep(ms / 1000)
      running["wide"] -= 1

  @handler(timeout=0.2)
  async def hurried(ms):
      begun.append(ms)
      await asyncio.sleep(ms / 1000)
      left = context().remaining()
      return None if left is None else left * 1000

  @handler(timeout=0.2)
  async def ticks(ms):
      while True:
          yield context().remaining() * 1000
          await asyncio.sleep(ms / 1000)

  @handler
  async def asks(ms):
      return await host.again(ms)

  @handler
  def begun_with(ms): return begun.count(ms)

  @handler
  def highest(name): return peaks[name]
`;

const THREADS = ASYNC.replaceAll('async def', 'def')
  .replaceAll('await asyncio.sleep', 'time.sleep')
  .replaceAll('await host.again(ms)', 'host.again(ms).result()');

const NODE = `
  const running = {}, peaks = {}, begun = [];
  const counted = (name) => async (ms) => {
    running[name] = (running[name] ?? 0) + 1;
    peaks[name] = Math.max(peaks[name] ?? 0, running[name]);
    await sleep(ms);
    running[name]--;
  };
  handler('narrow', counted('narrow'), { concurrency: 2 });
  handler('single', counted('single'), { concurrency: 1 });
  handler('wide', counted('wide'));
  handler('hurried', async (ms) => {
    begun.push(ms);
    await sleep(ms);
    return context().remaining() ?? null;
  }, { timeout: 200 });
  handler('ticks', async function* (ms) {
    for (;;) {
      yield context().remaining();
      await sleep(ms);
    }
  }, { timeout: 200 });
  handler('asks', (ms) => host.again(ms));
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
    const order: string[] = [];
    const note = (name: string, ms: number): Promise<unknown> =>
      synapse.invoke(name, [ms]).then(() => order.push(name));
    const waiting = [note('single', 300), note('single', 0), note('single', 0)];
    await Promise.all([note('wide', 0), note('wide', 0)]);
    expect(order).toEqual(['wide', 'wide']);
    await Promise.all(waiting);
  });

  test('a call that gives no timeout has that of its handler, and the handler knows', async () => {
    const synapse = await spawn();
    const remaining = await synapse.invoke<number>('hurried', [0]);
    expect(remaining).toBeGreaterThan(0);
    expect(remaining).toBeLessThanOrEqual(200);
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
    const remaining = await synapse.invoke<number>('hurried', [0]);
    expect(remaining).toBeLessThanOrEqual(200);
    await expect(synapse.invoke('hurried', [60_000])).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('streams end at the timeout of their handler', async () => {
    const synapse = await spawn();
    const items: number[] = [];
    const consume = async (): Promise<void> => {
      for await (const item of synapse.stream<number>('ticks', [5])) items.push(item);
    };
    await expect(consume()).rejects.toMatchObject({ code: 'TIMEOUT', handler: 'ticks' });
    expect(items[0]).toBeLessThanOrEqual(200);
  });

  test('it holds for calls that handlers in Node make on behalf of a callback', async () => {
    const synapse = await spawn();
    synapse.handle('again', (ms: number) => synapse.invoke('hurried', [ms]));
    expect(await synapse.invoke('asks', [0])).toBeLessThanOrEqual(200);
    await expect(synapse.invoke('asks', [60_000])).rejects.toThrow(/deadline/);
  });

  test('it is the time for all attempts of a call', async () => {
    const synapse = await spawn({ retry: 5 });
    await expect(synapse.invoke('hurried', [2_000], { idempotent: true })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    expect(await synapse.invoke('begun_with', [2_000])).toBe(1);
  });
});
