/** Each kind of handler through each kind of end, on real processes. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { CallOptions, SpawnOptions, Synapse, WorkerExit } from '../../ts/index.js';
import { createFolder, createSynapse, isAlive, until } from '../support/modules.js';

/** A kind of handler: what it is in Python, and how it is called. */
interface Kind {
  readonly name: string;
  /** `ok` answers with its argument, `fails` raises, `waits` does not end by itself. */
  readonly source: string;
  readonly options: SpawnOptions;
  readonly streams: boolean;
}

const BEGIN = `
  import asyncio, os, time
  from synapse import handler

  def mark(folder, name):
      open(os.path.join(folder, name), "w").close()

  @handler
  def pid():
      return os.getpid()
`;

const SYNC = `${BEGIN}
  @handler
  def ok(value):
      return value

  @handler
  def fails(folder):
      try:
          raise KeyError("lost")
      finally:
          mark(folder, "finally")

  @handler
  def waits(folder):
      try:
          mark(folder, "begun")
          while True:
              time.sleep(0.001)
      finally:
          mark(folder, "finally")
`;

const ASYNC = SYNC.replaceAll(/def (ok|fails|waits)/g, 'async def $1').replace(
  'time.sleep(0.001)',
  'await asyncio.sleep(3600)',
);

/** Of a function that returns, one that yields what that returned. */
function yielding(source: string): string {
  return source
    .replace('return value', 'yield value')
    .replace('raise KeyError', 'yield 0; raise KeyError')
    .replace('mark(folder, "begun")', 'yield 0; mark(folder, "begun")');
}

const KINDS: readonly Kind[] = [
  { name: 'sync', source: SYNC, options: { mode: 'serial' }, streams: false },
  { name: 'async', source: ASYNC, options: { mode: 'async', concurrency: 4 }, streams: false },
  { name: 'generator', source: yielding(SYNC), options: { mode: 'serial' }, streams: true },
  {
    name: 'async generator',
    source: yielding(ASYNC),
    options: { mode: 'async', concurrency: 4 },
    streams: true,
  },
  { name: 'thread', source: SYNC, options: { mode: 'threads', concurrency: 4 }, streams: false },
  {
    name: 'generator in a thread',
    source: yielding(SYNC),
    options: { mode: 'threads', concurrency: 4 },
    streams: true,
  },
  { name: 'coroutine, one at a time', source: ASYNC, options: { mode: 'serial' }, streams: false },
  {
    name: 'async generator, one at a time',
    source: yielding(ASYNC),
    options: { mode: 'serial' },
    streams: true,
  },
];

/** One instance that runs a kind's module, and what the module leaves in its folder. */
class Bench {
  readonly synapse: Synapse;
  readonly exits: WorkerExit[] = [];
  readonly #folder: string;
  readonly #streams: boolean;

  private constructor(kind: Kind, synapse: Synapse, folder: string) {
    this.synapse = synapse;
    this.#folder = folder;
    this.#streams = kind.streams;
    synapse.on('worker:exit', (exit) => this.exits.push(exit));
  }

  static async start(kind: Kind): Promise<Bench> {
    const folder = createFolder({ 'main.py': kind.source });
    // Nothing here is so slow that it has to be killed.
    const synapse = createSynapse({ graceMs: 15_000, ...kind.options });
    await synapse.spawn(folder, 'main');
    return new Bench(kind, synapse, folder);
  }

  /** Calls a handler: a stream is read to its end. */
  async call(name: string, value: unknown, options: CallOptions = {}): Promise<unknown> {
    if (!this.#streams) return this.synapse.invoke(name, [value], options);
    const items: unknown[] = [];
    for await (const item of this.synapse.stream(name, [value], options)) items.push(item);
    return items.length === 1 ? items[0] : items;
  }

  #ended: Promise<PromiseSettledResult<unknown>[]> = Promise.resolve([]);

  /** How the call that `begin` began has ended. */
  async outcome(): Promise<unknown> {
    const [result] = await this.#ended;
    return result?.status === 'rejected' ? result.reason : result;
  }

  /** Begins the call, and goes on when it has begun. */
  async waiting(options: CallOptions = {}): Promise<void> {
    const settled = Promise.allSettled([this.call('waits', this.#folder, options)]);
    this.#ended = settled;
    await until(() => this.has('begun'));
  }

  /** The same with a deadline, which is longer the next time if the machine was too slow to begin. */
  async waitingFor(timeout: number): Promise<void> {
    const settled = Promise.allSettled([this.call('waits', this.#folder, { timeout })]);
    this.#ended = settled;
    await settled;
    if (!this.has('begun')) await this.waitingFor(2 * timeout);
  }

  has(name: string): boolean {
    return existsSync(join(this.#folder, name));
  }

  get folder(): string {
    return this.#folder;
  }

  async cleanedUp(): Promise<void> {
    await until(() => this.has('finally'));
  }

  pid(): Promise<number> {
    return this.synapse.invoke<number>('pid');
  }

  /** The worker is the one that it was, and works. */
  async isKept(pid: number): Promise<void> {
    expect(await this.call('ok', 'next')).toBe('next');
    expect(await this.pid()).toBe(pid);
    expect(this.exits).toEqual([]);
    await until(() => this.synapse.stats().requestsActive === 0);
    expect(this.synapse.stats()).toMatchObject({ queued: 0, restarts: 0 });
  }
}

describe.each(KINDS.map((kind) => [kind.name, kind] as const))('%s', (_name, kind) => {
  test('success', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    expect(await bench.call('ok', { a: [1, null] })).toEqual({ a: [1, null] });
    await bench.isKept(pid);
  });

  test('error', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    await expect(bench.call('fails', bench.folder)).rejects.toMatchObject({
      code: 'PYTHON_ERROR',
      pythonType: 'KeyError',
    });
    expect(bench.has('finally')).toBe(true);
    await bench.isKept(pid);
  });

  test('cancel', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    const controller = new AbortController();
    await bench.waiting({ signal: controller.signal });
    const reason = { any: 'reason' };
    controller.abort(reason);
    expect(await bench.outcome()).toBe(reason);
    await bench.cleanedUp();
    await bench.isKept(pid);
  });

  test('deadline', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    await bench.waitingFor(400);
    expect(await bench.outcome()).toMatchObject({ code: 'TIMEOUT', phase: 'run' });
    await bench.cleanedUp();
    await bench.isKept(pid);
  });

  test('worker death', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    await bench.waiting();
    process.kill(pid, 'SIGKILL');
    expect(await bench.outcome()).toMatchObject({
      code: 'WORKER_EXITED',
      signal: 'SIGKILL',
      mayHaveExecuted: true,
    });
    expect(bench.has('finally')).toBe(false);
    expect(await bench.call('ok', 'next')).toBe('next');
    expect(await bench.pid()).not.toBe(pid);
    expect(bench.exits).toMatchObject([{ signal: 'SIGKILL', reason: 'exited' }]);
    expect(bench.synapse.stats()).toMatchObject({ queued: 0, restarts: 1 });
  });

  test('dispose', async () => {
    const bench = await Bench.start(kind);
    const pid = await bench.pid();
    await bench.waiting();
    await bench.synapse.dispose();
    expect(await bench.outcome()).toMatchObject({ code: 'DISPOSED' });
    expect(bench.has('finally')).toBe(true);
    expect(isAlive(pid)).toBe(false);
    expect(bench.exits).toMatchObject([{ reason: 'stopped' }]);
    await bench.synapse.spawn(bench.folder, 'main');
    expect(await bench.call('ok', 'next')).toBe('next');
  });
});
