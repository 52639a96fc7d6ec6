/**
 * Calls of every kind, made by several callers at a time and aborted at every moment. A seed repeats a run
 * as far as it can repeat what processes do.
 */

import { expect } from '@jest/globals';
import type { CallOptions, SpawnOptions, Synapse } from '../../ts/index.js';
import { killProcess } from './modules.js';
import { Random } from './random.js';

/** Calls in all. */
export const STEPS = Number(process.env['SYNAPSE_ABORT_STEPS'] ?? 10_000);
/** What repeats a run. */
export const SEED = Number(process.env['SYNAPSE_ABORT_SEED'] ?? Date.now() % 1_000_000);
/** Calls that are made at a time. */
const ACTORS = 24;
/** How a worker ends itself: with an exit code, or by a signal. */
const CODES = [0, 1, 3, 77, -9, -11];
/** What a worker is killed by from outside. */
const SIGNALS = ['SIGKILL', 'SIGSEGV', 'SIGABRT'] as const;
/** Milliseconds after which a call is taken for stalled. */
export const STALLED = 60_000;

const SYNCHRONOUS = `
  import gc, os, signal, time
  from synapse import handler, host

  notes = os.environ.get("NOTES")
  notes = os.open(notes, os.O_WRONLY | os.O_APPEND) if notes else None

  def began(value):
      """Notes that the call with this number runs: one write, which a death leaves whole."""
      if notes is not None:
          os.write(notes, value.split(" ")[0].encode() + b"\\n")

  @handler
  def echo(value):
      began(value)
      return value

  @handler
  def nested_echo(value):
      return value

  @handler
  def nap(value, seconds):
      began(value)
      time.sleep(seconds)
      return value

  @handler
  def spin(value, seconds):
      began(value)
      end = time.perf_counter() + seconds
      while time.perf_counter() < end:
          pass
      return value

  @handler
  def fails(value):
      began(value)
      raise ValueError(value)

  @handler
  def items(value, count):
      began(value)
      for _ in range(count):
          yield value

  @handler
  def asks(value):
      began(value)
      return host.double(value).result()

  @handler
  def asks_nested(value):
      began(value)
      return host.nested(value).result()

  @handler
  def dies(value, code):
      began(value)
      if code < 0:
          os.kill(os.getpid(), -code)
      os._exit(code)

  def sizes(thing, *names):
      return {name: len(getattr(thing, name)) for name in names}

  @handler
  def leftovers():
      """What the worker keeps of calls, but for this one."""
      found = {}
      for thing in gc.get_objects():
          name = type(thing).__name__
          if name == "Asynchronous":
              found.update(sizes(thing, "_tasks", "_unborn", "_unwanted", "_windows"))
          elif name == "Turns":
              found.update(sizes(thing, "_ready", "_held"))
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
      began(value)
      return value

  @handler
  async def async_nap(value, seconds):
      began(value)
      await asyncio.sleep(seconds)
      return value

  @handler
  async def async_fails(value):
      began(value)
      await asyncio.sleep(0)
      raise ValueError(value)

  @handler
  async def async_items(value, count):
      began(value)
      for _ in range(count):
          await asyncio.sleep(0)
          yield value

  @handler
  async def async_asks(value):
      began(value)
      return await host.double(value)
`;

const SYNC_NAMES = ['echo', 'nap', 'spin', 'fails', 'items', 'asks', 'asks_nested'];
const ASYNC_NAMES = ['async_echo', 'async_nap', 'async_fails', 'async_items', 'async_asks'];

/** How one call came out. */
type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** A call as it was made. */
interface Made {
  readonly number: number;
  readonly name: string;
  readonly value: string;
  readonly reason: unknown;
  readonly aborts: boolean;
  readonly timeout: number;
  readonly idempotent: boolean;
  /** Items that the consumer takes of a stream. */
  readonly count: number;
}

/** A call that is over. */
export interface Ended extends Made {
  /** What kind of end it was. */
  readonly end: string;
  readonly error: unknown;
}

/** What is to be called. */
export interface Plan {
  readonly synapse: Synapse;
  readonly names: readonly string[];
  readonly seed: number;
  /** Calls in all. */
  readonly steps: number;
  /** Whether workers die: by calls that end their process, and killed from outside. */
  readonly deaths?: boolean;
}

/** One run. */
export class Run {
  readonly counts = new Map<string, number>();
  /** All that are over; kept where workers die only. */
  readonly ended: Ended[] = [];
  readonly #random: Random;
  readonly #plan: Plan;
  #steps: number;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    this.#steps = plan.steps;
  }

  /** Makes all calls, so many at a time. */
  async finish(): Promise<void> {
    await Promise.all(Array.from({ length: ACTORS }, () => this.#act()));
  }

  /** One of those who call: one step after the other. */
  async #act(): Promise<void> {
    while (this.#steps > 0) await this.#step(this.#steps--);
  }

  async #step(number: number): Promise<void> {
    const random = this.#random;
    const { deaths = false, names, steps } = this.#plan;
    if (deaths && random.chance(1)) this.#killOne();
    // The first ends its worker whatever the seed, so that no run is without a death.
    const isFirst = number === steps;
    const dies = deaths && (random.chance(1) || isFirst);
    const name = dies ? 'dies' : random.pick(names);
    const value = random.chance(3) ? `${number} ${'x'.repeat(100_000)}` : `${number}`;
    const seconds = random.chance(10) ? 0.02 : random.next() * 0.002;
    const count = random.pick([0, 1, 5, 40, 400]);
    const streams = name.endsWith('items');
    const args: unknown[] = [value];
    if (name.endsWith('nap') || name.endsWith('spin')) args.push(seconds);
    else if (streams) args.push(count);
    else if (name === 'dies') args.push(random.pick(CODES));
    const reason = new Error(`${number} was aborted`);
    const controller = new AbortController();
    const aborts = random.chance(45) && !isFirst;
    const timeout = random.chance(15) && !isFirst ? 1 + random.below(12) : 0;
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
      : this.#plan.synapse.invoke(name, args, options);
    const outcome = await unlessStalled(call, `step ${number}: ${name}`);
    const idempotent = options.idempotent === true;
    const made = { number, name, value, reason, aborts, timeout, idempotent, count: taken };
    const end = judge(outcome, made, deaths);
    this.counts.set(end, (this.counts.get(end) ?? 0) + 1);
    const error = 'error' in outcome ? outcome.error : undefined;
    // Not the value, which may be long.
    if (deaths) this.ended.push({ ...made, value: '', end, error });
  }

  /** Kills one of the workers, from outside. */
  #killOne(): void {
    const alive = this.#plan.synapse.workers().filter(({ pid }) => pid > 0);
    if (alive.length === 0) return;
    const { pid } = this.#random.pick(alive);
    killProcess(pid, this.#random.pick(SIGNALS));
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
      const stream = this.#plan.synapse.stream(name, args, options);
      if (this.#random.chance(50)) await new Promise(setImmediate);
      await stream.return();
      return all;
    }
    for await (const item of this.#plan.synapse.stream(name, args, options)) {
      all.push(item);
      if (all.length === taken) break;
    }
    return all;
  }
}

/** What kind of end it was; throws if a call made so may not end so. */
function judge(outcome: Outcome, made: Made, deaths: boolean): string {
  const { name, value } = made;
  if ('error' in outcome) {
    const { error } = outcome;
    if (made.aborts && error === made.reason) return 'aborted';
    const { code, message, pythonType } = error as Record<string, unknown>;
    if (made.timeout > 0 && code === 'TIMEOUT') return 'timed out';
    if (deaths && code === 'WORKER_EXITED') return 'worker exited';
    if (!name.endsWith('fails')) throw error;
    expect({ message, pythonType }).toEqual({ message: value, pythonType: 'ValueError' });
    return 'failed';
  }
  const wanted = name.endsWith('items')
    ? new Array(made.count).fill(value)
    : name.includes('asks')
      ? value + value
      : value;
  // Nothing answers a call that ends its process.
  expect(name).not.toBe('dies');
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

/** Its name, the module, its handlers, and how they are run. */
export const MODES: readonly [string, string, readonly string[], SpawnOptions][] = [
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

/** Answers what Python asks the host. */
export function handleAsked(synapse: Synapse): void {
  synapse.handle('double', async (value) => {
    if ((value as string).length % 2 === 0) await new Promise(setImmediate);
    return `${value}${value}`;
  });
  synapse.handle('nested', (value) => synapse.invoke('nested_echo', [`${value}${value}`]));
}

/** Expects that idle workers keep nothing of the calls that are over. */
export async function expectNothingLeft(synapse: Synapse): Promise<void> {
  for (const { id } of synapse.workers()) {
    const left = await leftovers(synapse, id);
    const ours = { _open: 1, _threads: 1 };
    for (const [name, size] of Object.entries(left)) {
      expect({ name, size }).toEqual({ name, size: name in ours ? expect.any(Number) : 0 });
      if (name in ours) expect(size).toBeLessThanOrEqual(1);
    }
  }
}

/** What a worker keeps of calls once it is idle. */
async function leftovers(synapse: Synapse, worker: number): Promise<Record<string, number>> {
  for (;;) {
    const left = await synapse.invoke<Record<string, number>>('leftovers', [], { worker });
    // The answer to a callback that was given up may be on its way.
    if (Object.values(left).every((size) => size <= 1)) return left;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
