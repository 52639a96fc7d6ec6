/**
 * Calls of every kind, aborted at every moment, on real workers. A run is repeated as far as a seed
 * can repeat what processes do:
 *
 * - `SYNAPSE_ABORT_STEPS=<count>`: calls in all, 10,000 by default
 * - `SYNAPSE_ABORT_SEED=<seed>`: printed by every run
 */

import { expect, test } from '@jest/globals';
import type { CallOptions, SpawnOptions, Synapse } from '../../ts/index.js';
import { spawnModule, until } from '../support/modules.js';
import { Random } from '../support/random.js';

const STEPS = Number(process.env['SYNAPSE_ABORT_STEPS'] ?? 10_000);
const SEED = Number(process.env['SYNAPSE_ABORT_SEED'] ?? Date.now() % 1_000_000);
/** Calls that are made at a time. */
const ACTORS = 24;
/** Milliseconds after which a call is taken for stalled. */
const STALLED = 20_000;

const SYNCHRONOUS = `
  import gc, os, time
  from synapse import context, handler, host

  @handler
  def echo(value):
      return value

  @handler
  def nap(value, seconds):
      time.sleep(seconds)
      return value

  @handler
  def spin(value, seconds):
      end = time.perf_counter() + seconds
      while time.perf_counter() < end:
          pass
      return value

  @handler
  def fails(value):
      raise ValueError(value)

  @handler
  def items(value, count):
      for _ in range(count):
          yield value

  @handler
  def asks(value):
      return host.double(value).result()

  @handler
  def asks_nested(value):
      return host.nested(value).result()

  @handler
  def pid():
      return os.getpid()

  def sizes(thing, *names):
      return {name: len(getattr(thing, name)) for name in names}

  @handler
  def leftovers():
      """What the worker keeps of calls, but for this one."""
      found = {}
      for thing in gc.get_objects():
          name = type(thing).__name__
          if name == "Asynchronous":
              found.update(sizes(thing, "_tasks", "_unborn", "_unwanted", "_windows", "_waiting"))
          elif name == "Pool":
              found["_open"] = len(thing._open)
          elif name == "ThreadInterrupter":
              found.update(sizes(thing, "_threads", "_unwanted", "_ordered"))
          elif name == "Inbox":
              found.update(sizes(thing, "credits"))
          elif name == "Callbacks":
              found["callbacks"] = len(thing._open)
      return found
`;

const ASYNCHRONOUS = `${SYNCHRONOUS}
  import asyncio

  @handler
  async def async_echo(value):
      return value

  @handler
  async def async_nap(value, seconds):
      await asyncio.sleep(seconds)
      return value

  @handler
  async def async_fails(value):
      await asyncio.sleep(0)
      raise ValueError(value)

  @handler
  async def async_items(value, count):
      for _ in range(count):
          await asyncio.sleep(0)
          yield value

  @handler
  async def async_asks(value):
      return await host.double(value)
`;

const SYNC_NAMES = ['echo', 'nap', 'spin', 'fails', 'items', 'asks', 'asks_nested'];
const ASYNC_NAMES = ['async_echo', 'async_nap', 'async_fails', 'async_items', 'async_asks'];

/** How one call came out. */
type Outcome = { readonly value: unknown } | { readonly error: unknown };

class Run {
  readonly counts = new Map<string, number>();
  readonly #random: Random;
  readonly #synapse: Synapse;
  readonly #names: readonly string[];
  #steps: number;

  constructor(synapse: Synapse, names: readonly string[], seed: number, steps: number) {
    this.#synapse = synapse;
    this.#names = names;
    this.#random = new Random(seed);
    this.#steps = steps;
  }

  /** One of those who call: one step after the other. */
  async act(): Promise<void> {
    while (this.#steps > 0) await this.#step(this.#steps--);
  }

  async #step(number: number): Promise<void> {
    const random = this.#random;
    const name = random.pick(this.#names);
    const value = random.chance(3) ? `${number} ${'x'.repeat(100_000)}` : `${number}`;
    const seconds = random.chance(10) ? 0.02 : random.next() * 0.002;
    const count = random.pick([0, 1, 5, 40, 400]);
    const streams = name.endsWith('items');
    const args =
      name.endsWith('nap') || name.endsWith('spin')
        ? [value, seconds]
        : streams
          ? [value, count]
          : [value];
    const reason = new Error(`${number} was aborted`);
    const controller = new AbortController();
    const aborts = random.chance(45);
    const timeout = random.chance(15) ? 1 + random.below(12) : 0;
    const options: CallOptions = {
      ...(aborts || random.chance(20) ? { signal: controller.signal } : {}),
      ...(timeout > 0 ? { timeout } : {}),
      ...(random.chance(10) ? { priority: random.below(3) - 1 } : {}),
      ...(random.chance(10) ? { idempotent: true } : {}),
    };
    if (aborts) this.#abortSome(controller, reason);
    const taken = streams && random.chance(30) ? random.below(count + 1) : count;
    const call = streams
      ? this.#consume(name, args, options, taken)
      : this.#synapse.invoke(name, args, options);
    const outcome = await unlessStalled(call, `step ${number}: ${name}`);
    const end = judge(outcome, { name, value, reason, aborts, timeout, count: taken });
    this.counts.set(end, (this.counts.get(end) ?? 0) + 1);
  }

  /** Aborts now, in this tick, in the next, or some time later. */
  #abortSome(controller: AbortController, reason: unknown): void {
    const abort = (): void => controller.abort(reason);
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        abort();
        break;
      case 1:
        queueMicrotask(abort);
        break;
      case 2:
        setImmediate(abort);
        break;
      default:
        setTimeout(abort, random.below(6));
    }
  }

  async #consume(
    name: string,
    args: unknown[],
    options: CallOptions,
    taken: number,
  ): Promise<unknown[]> {
    const all: unknown[] = [];
    if (taken === 0) {
      // Given up before the first item is looked at, at once or a little later.
      const stream = this.#synapse.stream(name, args, options);
      if (this.#random.chance(50)) await new Promise(setImmediate);
      await stream.return();
      return all;
    }
    for await (const item of this.#synapse.stream(name, args, options)) {
      all.push(item);
      if (all.length === taken) break;
    }
    return all;
  }
}

/** What kind of end it was; throws if a call made so may not end so. */
function judge(
  outcome: Outcome,
  made: {
    readonly name: string;
    readonly value: string;
    readonly reason: unknown;
    readonly aborts: boolean;
    readonly timeout: number;
    readonly count: number;
  },
): string {
  const { name, value } = made;
  if ('error' in outcome) {
    const { error } = outcome;
    if (made.aborts && error === made.reason) return 'aborted';
    const { code, message, pythonType } = error as Record<string, unknown>;
    if (made.timeout > 0 && code === 'TIMEOUT') return 'timed out';
    if (!name.endsWith('fails')) throw error;
    expect({ message, pythonType }).toEqual({ message: value, pythonType: 'ValueError' });
    return 'failed';
  }
  const wanted = name.endsWith('items')
    ? new Array(made.count).fill(value)
    : name.includes('asks')
      ? value + value
      : value;
  expect(outcome.value).toEqual(wanted);
  return 'answered';
}

/** The outcome of a call; throws if there is none in time. */
async function unlessStalled(call: Promise<unknown>, what: string): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} has stalled`)), STALLED);
  });
  const outcome = call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  try {
    return await Promise.race([outcome, stalled]);
  } finally {
    clearTimeout(timer);
  }
}

const MODES: readonly [string, string, readonly string[], SpawnOptions][] = [
  ['serial', SYNCHRONOUS, SYNC_NAMES, { mode: 'serial' }],
  ['serial, coroutines too', ASYNCHRONOUS, [...SYNC_NAMES, ...ASYNC_NAMES], { mode: 'serial' }],
  ['async', ASYNCHRONOUS, [...SYNC_NAMES, ...ASYNC_NAMES], { mode: 'async', concurrency: 6 }],
  ['threads', SYNCHRONOUS, SYNC_NAMES, { mode: 'threads', concurrency: 4 }],
  [
    'threads, coroutines too',
    ASYNCHRONOUS,
    [...SYNC_NAMES, ...ASYNC_NAMES],
    { mode: 'threads', concurrency: 4 },
  ],
];

test.each(MODES)(
  `%s: nothing is lost, stalls or leaks (SYNAPSE_ABORT_SEED=${SEED})`,
  async (_mode, source, names, options) => {
    const synapse = await spawnModule(source, { workers: 2, graceMs: 15_000, ...options });
    synapse.handle('double', async (value) => {
      if ((value as string).length % 2 === 0) await new Promise(setImmediate);
      return `${value}${value}`;
    });
    synapse.handle('nested', (value) => synapse.invoke('echo', [`${value}${value}`]));
    const pids = synapse.workers().map(({ pid }) => pid);

    const run = new Run(synapse, names, SEED, Math.ceil(STEPS / MODES.length));
    await Promise.all(Array.from({ length: ACTORS }, () => run.act()));

    expect([...run.counts.keys()].sort()).toEqual(['aborted', 'answered', 'failed', 'timed out']);
    // Calls that were given up while they ran are answered in the end.
    await until(() => synapse.stats().requestsActive === 0);
    expect(synapse.stats()).toMatchObject({ queued: 0, restarts: 0, status: 'ready' });
    expect(synapse.workers().map(({ pid }) => pid)).toEqual(pids);
    for (const { id } of synapse.workers()) {
      const left = await leftovers(synapse, id);
      const ours = { _open: 1, _threads: 1 };
      for (const [name, size] of Object.entries(left)) {
        expect({ name, size }).toEqual({ name, size: name in ours ? expect.any(Number) : 0 });
        if (name in ours) expect(size).toBeLessThanOrEqual(1);
      }
    }
  },
  STALLED + STEPS * 20,
);

/** What a worker keeps of calls once it is idle. */
async function leftovers(synapse: Synapse, worker: number): Promise<Record<string, number>> {
  for (;;) {
    const left = await synapse.invoke<Record<string, number>>('leftovers', [], { worker });
    // The answer to a callback that was given up may be on its way.
    if (Object.values(left).every((size) => size <= 1)) return left;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
