/** Streams that go on when their worker is killed: every item once and in order. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { PythonStream, SpawnOptions, Synapse } from '../../ts/index.js';
import { createFolder, killProcess, spawnModule, until } from '../support/modules.js';

const MODULE = `
  import asyncio, os, time
  from synapse import context, handler

  def began(path):
      with open(path, "a") as file:
          file.write(f"{context().resume_from}\\n")

  @handler
  def counts(total):
      start = context().resume_from or 0
      for number in range(start + 1, total + 1):
          yield number

  @handler
  async def counts_async(total):
      start = context().resume_from or 0
      for number in range(start + 1, total + 1):
          await asyncio.sleep(0)
          yield number

  @handler
  def anew(total):
      for number in range(1, total + 1):
          yield number

  @handler
  async def anew_async(total):
      for number in range(1, total + 1):
          await asyncio.sleep(0)
          yield number

  @handler
  def listed(total):
      return iter(range(1, total + 1))

  @handler
  def late(total):
      yield "head"
      for number in range((context().resume_from or 0) + 1, total + 1):
          yield number

  @handler
  def tells():
      yield context().resume_from

  @handler
  def single():
      return "only"

  @handler
  def always_dies():
      yield 1
      time.sleep(0.01)
      os._exit(9)

  @handler
  def dies_at(total, item, seen):
      for number in range((context().resume_from or 0) + 1, total + 1):
          if number == item:
              # What was yielded has come.
              while not os.path.exists(seen):
                  time.sleep(0.005)
              os._exit(9)
          yield number

  @handler
  def dies_unread(path):
      if not os.path.exists(path):
          open(path, "w").close()
          os._exit(9)
      yield context().resume_from

  @handler
  def total(numbers):
      for number in numbers:
          yield number

  @handler
  def echo(value):
      return value
`;

const MODES: readonly SpawnOptions['mode'][] = ['serial', 'threads', 'async'];
/** More than a test kills. */
const restart = { max: 50, backoff: { initialMs: 1, maxMs: 1 } };

const spawnMode = (mode: SpawnOptions['mode']): Promise<Synapse> =>
  spawnModule(MODULE, mode === 'serial' ? { restart } : { mode, concurrency: 4, restart });

/** Kills the worker that has a call, as `kill -9` does. */
async function kill(synapse: Synapse): Promise<void> {
  const busy = (): number | undefined =>
    synapse.workers().find(({ status }) => status === 'busy')?.pid;
  await until(() => busy() !== undefined);
  killProcess(busy() as number);
}

/** Takes everything, and kills the worker whenever one of `deaths` has been taken. */
async function takeAll(
  synapse: Synapse,
  stream: PythonStream<number>,
  deaths: readonly number[],
): Promise<number[]> {
  const items: number[] = [];
  for await (const item of stream) {
    items.push(item);
    expect(stream.sequence).toBe(items.length);
    if (deaths.includes(items.length)) {
      const before = stream.resumes;
      await kill(synapse);
      await until(() => stream.resumes > before);
    }
  }
  return items;
}

const upTo = (total: number): number[] => Array.from({ length: total }, (_, index) => index + 1);

describe.each(MODES)('a resumable stream of a worker in the mode %s', (mode) => {
  test.each(['counts', 'counts_async', 'anew', 'anew_async', 'listed'])(
    'comes whole, once and in order though its worker is killed: %s',
    async (name) => {
      const synapse = await spawnMode(mode);
      const total = 20_000;
      const stream = synapse.stream<number>(name, [total], { resume: true });
      expect(await takeAll(synapse, stream, [1, 57, 3000, 3001])).toEqual(upTo(total));
      expect(stream.resumes).toBe(4);
      expect(synapse.stats()).toMatchObject({
        resumable: { total: 1, active: 0, completed: 1, failed: 0, resumed: 4 },
      });
    },
    240_000,
  );
});

describe('a resumable stream', () => {
  test('tells the handler what the consumer has, and nothing at first', async () => {
    const synapse = await spawnModule(MODULE);
    const all = async (options: object): Promise<unknown[]> => {
      const items: unknown[] = [];
      for await (const item of synapse.stream('tells', [], options)) items.push(item);
      return items;
    };
    expect(await all({})).toEqual([null]);
    expect(await all({ resume: true })).toEqual([null]);
    expect(await all({ resume: true, resumeFrom: 0 })).toEqual([null]);
    expect(await all({ resumeFrom: 57 })).toEqual([57]);
    expect(await all({ resumeFrom: 2 ** 40, timeout: 60_000, metadata: { a: 1 } })).toEqual([
      2 ** 40,
    ]);
  });

  test('goes on from what an earlier process of Node had', async () => {
    const synapse = await spawnModule(MODULE);
    for (const name of ['counts', 'anew', 'listed', 'counts_async', 'anew_async']) {
      const first = synapse.stream<number>(name, [100]);
      const items: number[] = [];
      for await (const item of first) if (items.push(item) === 41) break;
      expect(first.sequence).toBe(41);
      const second = synapse.stream<number>(name, [100], { resumeFrom: first.sequence });
      for await (const item of second) items.push(item);
      expect(second.sequence).toBe(100);
      expect(items).toEqual(upTo(100));
    }
    for (const resumeFrom of [1, 5]) {
      expect((await synapse.stream('single', [], { resumeFrom }).next()).done).toBe(true);
      expect((await synapse.stream('listed', [1], { resumeFrom }).next()).done).toBe(true);
    }
  });

  test('begins anew where the handler asks only behind its first item', async () => {
    const synapse = await spawnModule(MODULE);
    const items: unknown[] = [];
    for await (const item of synapse.stream('late', [5], { resumeFrom: 3 })) items.push(item);
    expect(items).toEqual([3, 4, 5]);
  });

  test('whose worker died before its first item begins again', async () => {
    const synapse = await spawnModule(MODULE);
    const path = join(createFolder({}), 'once');
    const stream = synapse.stream('dies_unread', [path], { resume: true });
    expect(await stream.next()).toEqual({ done: false, value: null });
    expect(stream.resumes).toBe(1);
  });

  test('keeps to the credit of its consumer over a death', async () => {
    const synapse = await spawnModule(MODULE, { restart });
    const stream = synapse.stream<number>('counts', [5000], { resume: true });
    expect((await stream.next()).value).toBe(1);
    // Whatever was granted has come, and the consumer takes nothing.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await kill(synapse);
    await until(() => stream.resumes === 1);
    const rest: number[] = [];
    for await (const item of stream) rest.push(item);
    expect(rest).toEqual(upTo(5000).slice(1));
  });

  test('is told as an event when it goes on', async () => {
    const synapse = await spawnModule(MODULE, { restart });
    const events: unknown[] = [];
    synapse.on('stream:resumed', (event) => events.push(event));
    const stream = synapse.stream<number>('counts', [5000], { resume: true });
    await takeAll(synapse, stream, [100]);
    expect(events).toEqual([
      { callId: expect.any(Number), worker: 1, resumeFrom: expect.any(Number) },
    ]);
    expect((events[0] as { resumeFrom: number }).resumeFrom).toBeGreaterThanOrEqual(100);
  });

  test('that never gets further fails with what its worker died of', async () => {
    const restart = { max: 3, backoff: { initialMs: 1, maxMs: 1 } };
    const synapse = await spawnModule(MODULE, { workers: 8, restart });
    const seen = join(createFolder({}), 'seen');
    const stream = synapse.stream<number>('dies_at', [100, 41, seen], { resume: true });
    const items: number[] = [];
    const taking = (async () => {
      for await (const item of stream) if (items.push(item) === 40) writeFileSync(seen, '');
    })();
    await expect(taking).rejects.toMatchObject({ code: 'WORKER_EXITED', exitCode: 9 });
    expect(items).toEqual(upTo(40));
    expect(stream.resumes).toBe(3);
    expect(synapse.stats()).toMatchObject({ resumable: { active: 0, failed: 1, resumed: 3 } });
  });

  test('ends with the restart budget of the instance', async () => {
    const restart = { max: 2, backoff: { initialMs: 1, maxMs: 1 } };
    const synapse = await spawnModule(MODULE, { restart });
    const taking = (async () => {
      for await (const _ of synapse.stream('always_dies', [], { resume: true }));
    })();
    await expect(taking).rejects.toMatchObject({ code: 'WORKER_EXITED' });
  });

  test('without the option fails at once', async () => {
    const synapse = await spawnModule(MODULE);
    const stream = synapse.stream<number>('counts', [20_000]);
    await stream.next();
    await kill(synapse);
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    expect(synapse.stats().resumable.total).toBe(0);
  });

  test('that reads an input stream does not read it a second time', async () => {
    const synapse = await spawnModule(MODULE, { restart });
    async function* source(): AsyncGenerator<number> {
      for (let number = 0; ; number++) yield number;
    }
    const stream = synapse.stream<number>('total', [source()], { resume: true });
    await expect(takeAll(synapse, stream, [5])).rejects.toMatchObject({
      message: expect.stringContaining('cannot be taken again'),
    });
  });

  test('are counted by what became of them', async () => {
    const synapse = await spawnModule(MODULE, { restart });
    const open = (total: number): PythonStream<number> =>
      synapse.stream<number>('counts', [total], { resume: true });
    for await (const _ of open(5));
    const killed = open(20_000);
    await killed.next();
    expect(synapse.stats().resumable).toMatchObject({ total: 2, active: 1, completed: 1 });
    await kill(synapse);
    for await (const _ of killed);
    for await (const _ of open(20_000)) break;
    const missing = synapse.stream('nowhere', [], { resume: true });
    await expect(missing.next()).rejects.toMatchObject({ code: 'HANDLER_NOT_FOUND' });
    expect(synapse.stats().resumable).toEqual({
      total: 4,
      active: 0,
      completed: 2,
      failed: 1,
      resumed: 1,
    });
  });

  test('can be left and aborted while no worker has it', async () => {
    const synapse = await spawnModule(MODULE, {
      restart: { max: 50, backoff: { initialMs: 200, maxMs: 200 } },
    });
    for (const _ of [1, 2]) {
      const stream = synapse.stream<number>('counts', [20_000], { resume: true });
      await stream.next();
      await kill(synapse);
      await until(() => stream.resumes === 1);
      await stream.return();
    }
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(synapse.stats().resumable).toMatchObject({ total: 2, active: 0, completed: 0 });
  });

  test.each([
    [{ resume: 'yes' }, TypeError, '"resume"'],
    [{ resumeFrom: -1 }, RangeError, '"resumeFrom"'],
    [{ resumeFrom: 1.5 }, RangeError, '"resumeFrom"'],
    [{ resumeFrom: '5' }, TypeError, '"resumeFrom"'],
  ])('refuses %p', async (options, kind, name) => {
    const synapse = await spawnModule(MODULE);
    const begin = () => synapse.stream('counts', [1], options as never);
    expect(begin).toThrow(kind);
    expect(begin).toThrow(name);
  });
});
