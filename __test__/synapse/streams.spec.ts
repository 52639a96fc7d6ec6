/** Generators in Python, `for await` in Node. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createFolder, createSynapse, spawnModule, until } from '../support/modules.js';

const MODULE = `
  import asyncio, os, time
  from synapse import context, handler

  @handler
  def tokens(prompt):
      yield from prompt.split()

  @handler
  async def ticks(count):
      for index in range(count):
          await asyncio.sleep(0)
          yield index

  @handler
  def count(total):
      yield from range(total)

  @handler
  def plain(value):
      return value

  @handler
  def hold(path):
      while not os.path.exists(path):
          time.sleep(0.005)

  @handler
  def fails(after):
      for index in range(after):
          yield index
      raise KeyError("in the middle")

  @handler
  async def fails_async(after):
      for index in range(after):
          yield index
      raise KeyError("in the middle")

  @handler
  def endless(path):
      try:
          while True:
              yield 0
      finally:
          open(path, "w").write("closed")

  @handler
  async def endless_async(path):
      try:
          while True:
              await asyncio.sleep(0)
              yield 0
      finally:
          open(path, "w").write("closed")

  @handler
  def stalls():
      yield 1
      time.sleep(60)

  @handler
  def dies(after):
      for index in range(after):
          yield index
      os._exit(5)

  @handler
  def steps():
      context().progress(0.5, "half way")
      return "done"

  @handler
  def bad():
      yield 1
      yield object()
`;

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('a stream', () => {
  test('of a generator, an async generator and a plain value', async () => {
    const synapse = await spawnModule(MODULE);
    expect(await collect(synapse.stream('tokens', ['a b c']))).toEqual(['a', 'b', 'c']);
    expect(await collect(synapse.stream('ticks', [3]))).toEqual([0, 1, 2]);
    expect(await collect(synapse.stream('plain', ['only']))).toEqual(['only']);
    expect(await collect(synapse.stream('tokens', ['']))).toEqual([]);
  });

  test('of many items comes whole and in order, however slow the consumer', async () => {
    const synapse = await spawnModule(MODULE);
    let expected = 0;
    for await (const item of synapse.stream<number>('count', [20_000])) {
      expect(item).toBe(expected++);
      if (expected % 5000 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(expected).toBe(20_000);
  });

  test('goes to a function, which Python waits for', async () => {
    const synapse = await spawnModule(MODULE);
    const seen: unknown[] = [];
    let running = 0;
    const onItem = async (item: unknown, sequence: number): Promise<void> => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push([item, sequence]);
      running--;
    };
    expect(await synapse.invoke('tokens', ['a b'], { onItem })).toBe(2);
    expect(await synapse.invoke('plain', [7], { onItem })).toBe(1);
    expect(await synapse.session('s').invoke('ticks', [1], { onItem })).toBe(1);
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
      [7, 1],
      [0, 1],
    ]);
    const failed = synapse.invoke('fails', [2], { onItem });
    await expect(failed).rejects.toMatchObject({ pythonType: 'KeyError' });
    expect(seen).toHaveLength(6);
  });

  test('is closed when the function that gets its items throws', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse({ cwd: folder });
    await synapse.spawn(folder, 'main');
    const full = new RangeError('full');
    const onItem = (_: unknown, sequence: number): void => {
      if (sequence === 3) throw full;
    };
    await expect(synapse.invoke('endless', ['closed'], { onItem })).rejects.toBe(full);
    await until(() => existsSync(join(folder, 'closed')));
    const wrong = { onItem: 7 } as unknown as { onItem: () => void };
    await expect(synapse.invoke('tokens', ['a'], wrong)).rejects.toThrow(
      'option "onItem" must be a function, got 7',
    );
  });

  test('bounds what Python is ahead of a slow consumer', async () => {
    const folder = createFolder({
      'main.py': `
        from synapse import handler

        @handler
        def blocks(total):
            for index in range(total):
                open("produced", "w").write(str(index + 1))
                yield bytes(100_000)
      `,
    });
    const synapse = createSynapse({ cwd: folder });
    await synapse.spawn(folder, 'main');
    const stream = synapse.stream<Buffer>('blocks', [1000]);
    await stream.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(Number(readFileSync(join(folder, 'produced'), 'utf8'))).toBeLessThanOrEqual(34);
    let rest = 0;
    for await (const block of stream) rest += block.length;
    expect(rest).toBe(999 * 100_000);
  });

  test.each([
    ['fails', 3],
    ['fails', 0],
    ['fails_async', 3],
    ['fails_async', 0],
  ])(
    'that fails in the middle delivers the items before, then the error: %s, after %i',
    async (name, after) => {
      const synapse = await spawnModule(MODULE);
      const items: unknown[] = [];
      const failing = (async () => {
        for await (const item of synapse.stream(name, [after])) items.push(item);
      })();
      await expect(failing).rejects.toMatchObject({
        pythonType: 'KeyError',
        traceback: expect.stringContaining('in the middle'),
      });
      expect(items).toEqual([0, 1, 2].slice(0, after));
    },
  );

  test('whose item cannot cross says which', async () => {
    const synapse = await spawnModule(MODULE);
    await expect(collect(synapse.stream('bad'))).rejects.toMatchObject({ code: 'ENCODE' });
    expect(await synapse.invoke('plain', [1])).toBe(1);
  });

  test.each(['endless', 'endless_async'])('that is left early closes %s', async (name) => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse();
    await synapse.spawn(folder, 'main');
    const path = join(folder, 'closed');
    let count = 0;
    for await (const _ of synapse.stream(name, [path])) if (++count === 100) break;
    await until(() => existsSync(path));
    expect(await synapse.invoke('plain', ['free again'])).toBe('free again');
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });

  test('is ended by an abort with its reason', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse();
    await synapse.spawn(folder, 'main');
    const path = join(folder, 'closed');
    const controller = new AbortController();
    const consuming = (async () => {
      for await (const _ of synapse.stream('endless', [path], { signal: controller.signal })) {
        setTimeout(() => controller.abort(new Error('enough')), 20);
      }
    })();
    await expect(consuming).rejects.toThrow('enough');
    await until(() => existsSync(path));
  });

  test('has a total and an idle limit', async () => {
    // A thread that sleeps cannot be woken: its worker is lost.
    const synapse = await spawnModule(MODULE, { graceMs: 100 });
    await expect(collect(synapse.stream('stalls', [], { timeout: 50 }))).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    await expect(collect(synapse.stream('stalls', [], { idleTimeout: 50 }))).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('50 ms'),
    });
    expect(await synapse.invoke('plain', [1])).toBe(1);
  });

  test('has a limit of its own for streams that give none', async () => {
    const limits = { callTimeout: 60_000, streamTimeout: 50 };
    const synapse = await spawnModule(MODULE, { limits, graceMs: 100 });
    await expect(collect(synapse.stream('stalls'))).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(await synapse.invoke('plain', [1])).toBe(1);
  });

  test('whose worker dies fails after the items that came, and is never just short', async () => {
    const synapse = await spawnModule(MODULE);
    const items: unknown[] = [];
    const failing = (async () => {
      for await (const item of synapse.stream('dies', [10])) items.push(item);
    })();
    await expect(failing).rejects.toMatchObject({ code: 'WORKER_EXITED', exitCode: 5 });
    expect(items).toEqual(Array.from({ length: items.length }, (_, index) => index));
  });

  test('waits while its worker is busy, as a call does; one that waits too long never begins', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse({ cwd: folder });
    await synapse.spawn(folder, 'main');
    const running = synapse.invoke('hold', ['go']);
    const late = collect(synapse.stream('endless', ['late'], { timeout: 30 }));
    const waiting = collect(synapse.stream('count', [3]));
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', phase: 'queue' });
    expect(synapse.stats()).toMatchObject({ requestsActive: 1, queued: 1 });
    writeFileSync(join(folder, 'go'), '');
    await running;
    expect(await waiting).toEqual([0, 1, 2]);
    // Had it begun it would have been closed, and said so, before the next call.
    await synapse.invoke('plain', [1]);
    expect(existsSync(join(folder, 'late'))).toBe(false);
  });

  test('goes into a Readable and a web ReadableStream', async () => {
    const synapse = await spawnModule(MODULE);
    expect(await collect(Readable.from(synapse.stream('count', [5])))).toEqual([0, 1, 2, 3, 4]);
    const web = ReadableStream.from(synapse.stream<number>('count', [3]));
    expect(await collect(web)).toEqual([0, 1, 2]);
  });

  test('of an unknown handler, or before spawn, fails when it is consumed', async () => {
    const synapse = await spawnModule(MODULE);
    await expect(collect(synapse.stream('nope'))).rejects.toMatchObject({
      code: 'HANDLER_NOT_FOUND',
    });
    await expect(collect(createSynapse().stream('count', [1]))).rejects.toMatchObject({
      code: 'NOT_SPAWNED',
    });
  });
});

test('progress of a call is an event', async () => {
  const synapse = await spawnModule(MODULE);
  const seen: unknown[] = [];
  synapse.on('progress', (event) => seen.push(event));
  expect(await synapse.invoke('steps')).toBe('done');
  expect(seen).toEqual([
    { callId: expect.any(Number), handler: 'steps', fraction: 0.5, message: 'half way' },
  ]);
});
