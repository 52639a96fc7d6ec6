/** Async iterables of Node as arguments of calls, on real workers. */

import { once } from 'node:events';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { kwargs, type SpawnOptions, type Synapse } from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule, until } from '../support/modules.js';

const MODULE = `
  import asyncio, os, threading, time
  from synapse import HostError, context, handler

  @handler
  def total(numbers):
      return sum(numbers)

  @handler
  async def total_async(numbers):
      found = 0
      async for number in numbers:
          found += number
      return found

  @handler
  def nested(value, *, options=None):
      return [list(value["items"]), list(options["more"]) if options else None]

  @handler
  def both(left, right):
      return [[a, b] for a, b in zip(left, right)]

  @handler
  async def both_async(left, right):
      return [[a, await right.__anext__()] async for a in left]

  @handler
  def double(numbers):
      for number in numbers:
          yield number * 2

  @handler
  async def double_async(numbers):
      async for number in numbers:
          yield number * 2

  @handler
  def first(numbers):
      for number in numbers:
          return number

  @handler
  async def first_async(numbers):
      async for number in numbers:
          return number

  @handler
  def raises(numbers):
      next(numbers)
      raise KeyError("had enough")

  kept = []

  @handler
  def keeps(numbers):
      kept.append(numbers)
      return next(numbers)

  @handler
  def reads_kept():
      return next(kept[-1])

  @handler
  def closes(numbers):
      found = [next(numbers)]
      numbers.close()
      numbers.close()
      return found + list(numbers)

  @handler
  def ignores(numbers, seconds=0):
      time.sleep(seconds)
      return "ignored"

  @handler
  def closes_unread(numbers):
      numbers.close()
      time.sleep(60)

  @handler
  def tells_error(numbers):
      found = []
      try:
          for number in numbers:
              found.append(number)
      except HostError as error:
          return [found, error.name, error.message]

  @handler
  async def tells_error_async(numbers):
      found = []
      try:
          async for number in numbers:
              found.append(number)
      except HostError as error:
          return [found, error.name, error.message]

  @handler
  def in_thread(numbers):
      found = []
      thread = threading.Thread(target=lambda: found.extend(numbers))
      thread.start()
      thread.join()
      return found

  @handler
  def slow_total(numbers, every):
      found = 0
      for number in numbers:
          found += number
          if number % every == 0:
              time.sleep(0.001)
      return found

  @handler
  def dies(numbers):
      next(numbers)
      os._exit(3)

  @handler
  def dies_once(numbers, path):
      if not os.path.exists(path):
          open(path, "w").close()
          os._exit(3)
      return list(numbers)

  @handler
  def dies_once_reading(numbers, path):
      found = [next(numbers)]
      if not os.path.exists(path):
          open(path, "w").close()
          os._exit(3)
      return found + list(numbers)

  @handler
  def back(numbers):
      return numbers

  @handler
  def echo(value):
      return value

  @handler
  def count(number):
      yield from range(number)
`;

/** A source of numbers that knows how it stands. */
class Source {
  pulled = 0;
  closed = false;

  async *count(to = Number.POSITIVE_INFINITY): AsyncGenerator<number> {
    try {
      while (this.pulled < to) yield this.pulled++;
    } finally {
      this.closed = true;
    }
  }
}

async function* yieldsNothing(): AsyncGenerator<number> {
  await new Promise(() => {});
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const MODES: readonly SpawnOptions['mode'][] = ['serial', 'threads', 'async'];
const spawnMode = (mode: SpawnOptions['mode']): Promise<Synapse> =>
  spawnModule(MODULE, mode === 'serial' ? {} : { mode, concurrency: 4 });

describe.each(MODES)('an input stream of a worker in the mode %s', (mode) => {
  test('arrives whole, in plain code, in coroutines and in threads', async () => {
    const synapse = await spawnMode(mode);
    expect(await synapse.invoke('total', [new Source().count(5000)])).toBe(12_497_500);
    expect(await synapse.invoke('total_async', [new Source().count(5000)])).toBe(12_497_500);
    expect(await synapse.invoke('in_thread', [new Source().count(100)])).toHaveLength(100);
    expect(await synapse.invoke('total', [new Source().count(0)])).toBe(0);
    expect(await synapse.invoke('total_async', [new Source().count(0)])).toBe(0);
  });

  test('feeds an output stream', async () => {
    const synapse = await spawnMode(mode);
    for (const name of ['double', 'double_async']) {
      let expected = 0;
      for await (const item of synapse.stream<number>(name, [new Source().count(5000)])) {
        expect(item).toBe(expected);
        expected += 2;
      }
      expect(expected).toBe(10_000);
    }
  });

  test('comes with others', async () => {
    const synapse = await spawnMode(mode);
    const pairs = Array.from({ length: 200 }, (_, index) => [index, index]);
    for (const name of ['both', 'both_async']) {
      const streams = [new Source().count(200), new Source().count(300)];
      expect(await synapse.invoke(name, streams)).toEqual(pairs);
    }
  });

  test('is ended when the handler leaves early', async () => {
    const synapse = await spawnMode(mode);
    for (const name of ['first', 'first_async', 'keeps']) {
      const source = new Source();
      expect(await synapse.invoke(name, [source.count()])).toBe(0);
      await until(() => source.closed);
    }
    const source = new Source();
    await expect(synapse.invoke('raises', [source.count()])).rejects.toMatchObject({
      pythonType: 'KeyError',
    });
    await until(() => source.closed);
    const closed = new Source();
    expect(await synapse.invoke('closes', [closed.count()])).toEqual([0]);
    await until(() => closed.closed);
    expect(await synapse.invoke('echo', [1])).toBe(1);
  });

  test('is ended when the consumer of an output stream leaves', async () => {
    const synapse = await spawnMode(mode);
    for (const name of ['double', 'double_async']) {
      const source = new Source();
      for await (const item of synapse.stream<number>(name, [source.count()])) {
        if (item === 100) break;
      }
      await until(() => source.closed);
    }
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(synapse.stats().restarts).toBe(0);
  });

  test('is ended by an abort and by a deadline, also if it never yields', async () => {
    const synapse = await spawnMode(mode);
    for (const name of ['total', 'total_async']) {
      const source = new Source();
      const controller = new AbortController();
      const call = synapse.invoke(name, [slowly(source)], { signal: controller.signal });
      call.catch(() => {});
      // A generator that was never begun has no `finally` to run.
      await until(() => source.pulled > 0);
      controller.abort('enough');
      await expect(call).rejects.toBe('enough');
      await until(() => source.closed);
      await expect(synapse.invoke(name, [yieldsNothing()], { timeout: 50 })).rejects.toMatchObject({
        code: 'TIMEOUT',
      });
    }
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(synapse.stats().restarts).toBe(0);
  });

  test('that fails raises what it threw, after the items before', async () => {
    const synapse = await spawnMode(mode);
    async function* fails(): AsyncGenerator<number> {
      yield 1;
      yield 2;
      throw new RangeError('too far');
    }
    for (const name of ['tells_error', 'tells_error_async']) {
      expect(await synapse.invoke(name, [fails()])).toEqual([[1, 2], 'RangeError', 'too far']);
    }
    await expect(synapse.invoke('total', [fails()])).rejects.toMatchObject({
      pythonType: 'synapse.HostError',
      message: 'RangeError: too far',
    });
  });

  test('with an item that cannot cross raises, and the source ends', async () => {
    const synapse = await spawnMode(mode);
    let ended = false;
    async function* bad(): AsyncGenerator<unknown> {
      try {
        yield 1;
        yield Symbol('x');
      } finally {
        ended = true;
      }
    }
    const [items, name] = await synapse.invoke<unknown[]>('tells_error', [bad()]);
    expect([items, name]).toEqual([[1], 'EncodeError']);
    await until(() => ended);
  });
});

/** Collects what is garbage now. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Yields a number every few milliseconds. */
async function* slowly(source: Source): AsyncGenerator<number> {
  for await (const item of source.count()) {
    yield item;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('an input stream', () => {
  test('may be a Readable, a web ReadableStream, a generator or another stream of Python', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    const folder = createFolder({});
    const path = join(folder, 'numbers');
    writeFileSync(path, Buffer.alloc(200_000, 1));
    const file = createReadStream(path);
    const blocks = await synapse.invoke<Buffer[]>('both', [file, Array(100).keys()]);
    expect(blocks.map(([block]) => (block as unknown as Buffer).length)).toEqual([
      65_536, 65_536, 65_536, 3392,
    ]);
    expect(await synapse.invoke('total', [Readable.from([1, 2, 3])])).toBe(6);
    expect(await synapse.invoke('total', [ReadableStream.from([1, 2, 3])])).toBe(6);
    expect(await synapse.invoke('total', [[1, 2, 3].values()])).toBe(6);
    const generator = (function* () {
      yield* [1, 2, 3];
    })();
    expect(await synapse.invoke('total', [generator])).toBe(6);
    const inner = synapse.stream('count', [5000]);
    expect(await synapse.invoke('total', [inner])).toBe(12_497_500);
  });

  test('may lie anywhere among the arguments', async () => {
    const synapse = await spawnModule(MODULE);
    const source = () => new Source().count(2);
    expect(await synapse.invoke('nested', [{ items: source() }])).toEqual([[0, 1], null]);
    expect(
      await synapse.invoke('nested', [
        { items: source() },
        kwargs({ options: { more: source() } }),
      ]),
    ).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(await synapse.invoke('total', kwargs({ numbers: source() }))).toBe(1);
    expect(await synapse.invoke('total', source())).toBe(1);
  });

  test('is not pulled before it is asked for, nor ahead of what the handler takes', async () => {
    const synapse = await spawnModule(MODULE);
    const unread = new Source();
    expect(await synapse.invoke('ignores', [unread.count()])).toBe('ignored');
    expect(unread.pulled).toBe(0);
    const source = new Source();
    await synapse.invoke('first', [source.count()]);
    await until(() => source.closed);
    expect(source.pulled).toBeLessThanOrEqual(32);
  });

  test('of large items is hardly ahead', async () => {
    const synapse = await spawnModule(MODULE);
    let pulled = 0;
    let taken = 0;
    let ahead = 0;
    async function* blocks(): AsyncGenerator<Buffer> {
      for (; pulled < 300; pulled++) {
        ahead = Math.max(ahead, pulled - taken);
        yield Buffer.alloc(100_000);
      }
    }
    for await (const _ of synapse.stream('double', [blocks()])) taken++;
    expect(taken).toBe(300);
    // What both directions hold: 32 items at first, then what fits into their bytes.
    expect(ahead).toBeLessThan(100);
  });

  test('of a million items and a slow handler leaves the memory of Node flat', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Source();
    let highest = 0;
    let start = 0;
    async function* watched(): AsyncGenerator<number> {
      for await (const item of source.count(1_000_000)) {
        if (item > 0 && item % 100_000 === 0) {
          // Only what is held counts, not what nobody has collected yet.
          collectGarbage();
          const { rss } = process.memoryUsage();
          if (start === 0) start = rss;
          highest = Math.max(highest, rss);
        }
        yield item;
      }
    }
    expect(await synapse.invoke('slow_total', [watched(), 5000])).toBe(499_999_500_000);
    expect(highest - start).toBeLessThan(64 * 1024 * 1024);
  }, 300_000);

  test('that the handler keeps ends with its call, and says so', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Source();
    expect(await synapse.invoke('keeps', [source.count()])).toBe(0);
    await until(() => source.closed);
    await expect(
      (async () => {
        for (;;) await synapse.invoke('reads_kept');
      })(),
    ).rejects.toMatchObject({ message: expect.stringContaining('call') });
  });

  test('that was never read ends with its call', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Readable({ read() {} });
    let cancelled = 0;
    const cancel = (): void => {
      cancelled++;
    };
    expect(await synapse.invoke('ignores', [source])).toBe('ignored');
    expect(await synapse.invoke('ignores', [new ReadableStream({ cancel })])).toBe('ignored');
    expect([source.destroyed, cancelled]).toEqual([true, 1]);
    const refused = new Readable({ read() {} });
    await expect(synapse.invoke('ignores', [refused, Symbol('x')])).rejects.toMatchObject({
      code: 'ENCODE',
    });
    expect(refused.destroyed).toBe(true);
  });

  test('that waits for ever is ended at once if it is a Readable or a ReadableStream', async () => {
    const synapse = await spawnModule(MODULE);
    const readable = new Readable({ read() {} });
    const closed = once(readable, 'close');
    let cancelled = false;
    const web = new ReadableStream({
      cancel() {
        cancelled = true;
      },
    });
    for (const source of [readable, web]) {
      await expect(synapse.invoke('total', [source], { timeout: 50 })).rejects.toMatchObject({
        code: 'TIMEOUT',
      });
    }
    await closed;
    await until(() => cancelled);
  });

  test('that fails before anybody reads it does not end Node: who reads it is told', async () => {
    const synapse = await spawnModule(MODULE);
    const missing = (): Readable => createReadStream(join(createFolder({}), 'missing'));
    const unread = missing();
    expect(await synapse.invoke('ignores', [unread, 0.05])).toBe('ignored');
    expect(unread.errored).toMatchObject({ code: 'ENOENT' });
    const [found, name, message] = await synapse.invoke<unknown[]>('tells_error', [missing()]);
    expect([found, name]).toEqual([[], 'Error']);
    expect(message).toMatch(/ENOENT/);
  });

  describe('of a call that waits for spawn', () => {
    const missing = (): Readable => createReadStream(join(createFolder({}), 'missing'));
    const begin = (source: string): [Synapse, Promise<void>] => {
      const synapse = createSynapse();
      return [synapse, synapse.spawn(createFolder({ 'main.py': source }), 'main')];
    };

    test('rejects the call with what it fails of, and the others are ended', async () => {
      const [synapse, spawned] = begin(MODULE);
      const other = new Readable({ read() {} });
      const stream = synapse.stream('double', [missing()]);
      const failures = await Promise.allSettled([
        synapse.invoke('total', [missing()]),
        synapse.invoke('nested', [new Map([['items', [other, missing()]]])]),
        synapse.invoke('total', kwargs({ numbers: missing() })),
        synapse.call({ input: missing() }),
        stream.next(),
      ]);
      for (const failure of failures) {
        expect(failure).toMatchObject({ status: 'rejected', reason: { code: 'ENOENT' } });
      }
      expect(other.destroyed).toBe(true);
      // They did not wait for the worker, and it is none the worse for them.
      expect(synapse.workers().every(({ status }) => status !== 'ready')).toBe(true);
      await spawned;
      expect(await synapse.invoke('total', [[1, 2]])).toBe(3);
    });

    test('is read once the worker is there', async () => {
      const [synapse, spawned] = begin(MODULE);
      const total = synapse.invoke('total', [Readable.from([1, 2, 3])]);
      await spawned;
      expect(await total).toBe(6);
    });

    test('is ended if no worker comes', async () => {
      const [synapse, spawned] = begin('raise SystemExit(3)');
      const source = new Readable({ read() {} });
      const call = synapse.invoke('total', [source]);
      const failed = expect(call).rejects.toMatchObject({ code: 'START_FAILED' });
      await expect(spawned).rejects.toMatchObject({ code: 'START_FAILED' });
      await failed;
      expect(source.destroyed).toBe(true);
    });
  });

  test('that is closed unread is ended while the handler runs', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Readable({ read() {} });
    const controller = new AbortController();
    const call = synapse.invoke('closes_unread', [source], { signal: controller.signal });
    await until(() => source.destroyed);
    controller.abort();
    await expect(call).rejects.toBe(controller.signal.reason);
  });

  test('is ended when its worker dies', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Source();
    await expect(synapse.invoke('dies', [source.count()])).rejects.toMatchObject({
      code: 'WORKER_EXITED',
    });
    await until(() => source.closed);
  });

  test('is ended when the instance is disposed of', async () => {
    const synapse = await spawnModule(MODULE);
    const source = new Source();
    const call = synapse.invoke('total', [source.count()]);
    call.catch(() => {});
    await until(() => source.pulled > 100);
    await synapse.dispose();
    await expect(call).rejects.toMatchObject({ code: 'DISPOSED' });
    await until(() => source.closed);
  });

  test('of a call that is sent again loses nothing, unless it was read', async () => {
    const synapse = await spawnModule(MODULE);
    const folder = createFolder({});
    const source = new Source();
    const options = { idempotent: true };
    const args = [source.count(100), join(folder, 'once')];
    expect(await synapse.invoke('dies_once', args, options)).toHaveLength(100);
    const read = new Source();
    await expect(
      synapse.invoke('dies_once_reading', [read.count(), join(folder, 'twice')], options),
    ).rejects.toMatchObject({ message: expect.stringContaining('cannot be taken again') });
    await until(() => read.closed);
  });

  test('may call Python itself', async () => {
    const synapse = await spawnModule(MODULE);
    async function* asks(): AsyncGenerator<unknown> {
      for (let index = 0; index < 100; index++) yield await synapse.invoke('echo', [index]);
    }
    expect(await synapse.invoke('total', [asks()])).toBe(4950);
  });

  test('that is returned is what the handler yields', async () => {
    const synapse = await spawnModule(MODULE);
    expect(await synapse.invoke('back', [new Source().count(3)])).toEqual([0, 1, 2]);
    expect(await collect(synapse.stream('back', [new Source().count(3)]))).toEqual([0, 1, 2]);
  });

  test('inside another is refused', async () => {
    const synapse = await spawnModule(MODULE);
    async function* streams(): AsyncGenerator<unknown> {
      yield new Source().count();
    }
    await expect(synapse.invoke('total', [streams()])).rejects.toMatchObject({
      message: expect.stringContaining('streams cross in arguments only'),
    });
  });
});
