/** Policies on real processes that are killed, stopped, wedged or starved. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  type BreakerEvent,
  CircuitOpenError,
  DisposedError,
  type FallbackEvent,
  PythonError,
  RateLimitedError,
  type RetryEvent,
  type SpawnOptions,
  type Synapse,
  TimeoutError,
} from '../../ts/index.js';
import { createFolder, createSynapse, killProcess, until } from '../support/modules.js';

const MODULE = `
  import asyncio, os, signal, time
  from synapse import handler

  def note(name):
      with open(name, "a") as file:
          file.write("x")
      return os.path.getsize(name)

  @handler
  def dies(until, name="dies"):
      if note(name) <= until:
          os.kill(os.getpid(), signal.SIGKILL)
      return os.path.getsize(name)

  @handler(idempotent=True)
  def dies_safely(until, name="dies_safely"):
      return dies(until, name)

  @handler
  def fails(until, name="fails"):
      if note(name) <= until:
          raise ValueError("not yet")
      return os.path.getsize(name)

  @handler
  def echo(value=None):
      return value

  @handler
  def count(value=None, name="count"):
      return note(name)

  @handler
  def nothing(name="nothing"):
      note(name)

  @handler
  def pid():
      return os.getpid()

  @handler
  def wedge(seconds):
      time.sleep(seconds)

  @handler
  async def slow(seconds, name="slow"):
      note(name)
      await asyncio.sleep(seconds)
      return "slow"

  @handler
  async def hold(path, name="hold"):
      note(name)
      while not os.path.exists(path):
          await asyncio.sleep(0.005)
      return "held"

  @handler
  async def twice(name="twice"):
      note(name)
      while os.path.getsize(name) < 2:
          await asyncio.sleep(0.005)
      return "twice"

  @handler
  def items(until, before=0, name="items"):
      number = note(name)
      for index in range(before):
          yield index
      if number <= until:
          os.kill(os.getpid(), signal.SIGKILL)
      yield "last"
`;

interface Target {
  readonly synapse: Synapse;
  /** Where the workers run. */
  readonly folder: string;
  /** How often a handler noted that it ran. */
  runs(name: string): number;
}

async function spawn(options: SpawnOptions = {}): Promise<Target> {
  const folder = createFolder({ 'main.py': MODULE });
  const synapse = createSynapse({ cwd: folder, ...options });
  await synapse.spawn(folder, 'main');
  const runs = (name: string): number => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path).length : 0;
  };
  return { synapse, folder, runs };
}

function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`answered ${String(value)}`);
    },
    (error: unknown) => error,
  );
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The process of the first worker. */
function processOf(synapse: Synapse): number {
  return synapse.workers()[0]?.pid ?? 0;
}

describe('retry', () => {
  test('a call whose worker is killed is made again, if running twice does no harm', async () => {
    const { synapse } = await spawn({ retry: { retries: 3, backoff: [5, 10], jitter: 0 } });
    const retries: RetryEvent[] = [];
    synapse.on('retry', (event) => retries.push(event));
    await expect(synapse.invoke('dies', [2], { idempotent: true })).resolves.toBe(3);
    const common = { handler: 'dies', code: 'WORKER_EXITED' };
    expect(retries).toEqual([
      { ...common, attempt: 2, delay: 5, callId: expect.any(Number) },
      { ...common, attempt: 3, delay: 10, callId: expect.any(Number) },
    ]);
    expect(synapse.stats().policies?.retry).toEqual({ attempts: 2, recovered: 1, overBudget: 0 });
  });

  test('a handler can say for itself that running twice does no harm', async () => {
    const { synapse } = await spawn({ retry: { retries: 1, backoff: 5 } });
    await expect(synapse.invoke('dies_safely', [1])).resolves.toBe(2);
  });

  test('a call that may have run is not repeated otherwise', async () => {
    const { synapse, runs } = await spawn({ retry: { retries: 3, backoff: 1 } });
    const error = await failure(synapse.invoke('dies', [2]));
    expect(error).toMatchObject({ code: 'WORKER_EXITED', mayHaveExecuted: true });
    await expect(synapse.invoke('echo', [1])).resolves.toBe(1);
    expect(runs('dies')).toBe(1);
  });

  test('the call ends with its last failure when all attempts are used up', async () => {
    const { synapse, runs } = await spawn({ restart: { max: 50 } });
    const retry = { retries: 2, backoff: 1 };
    const error = await failure(synapse.invoke('dies', [99], { retry, idempotent: true }));
    expect(error).toMatchObject({ code: 'WORKER_EXITED', handler: 'dies' });
    expect(runs('dies')).toBe(3);
  });

  test('exceptions are tried again only where their code is named', async () => {
    const { synapse, runs } = await spawn();
    const retry = { retries: 5, backoff: 1 };
    const codes = ['PYTHON_ERROR'] as const;
    const plain = synapse.invoke('fails', [1, 'plain'], { retry, idempotent: true });
    await expect(plain).rejects.toBeInstanceOf(PythonError);
    expect(runs('plain')).toBe(1);
    const named = { retry: { ...retry, codes }, idempotent: true };
    await expect(synapse.invoke('fails', [2, 'named'], named)).resolves.toBe(3);
  });

  test('no attempt is made for which there is no time left', async () => {
    const { synapse, runs } = await spawn();
    const retry = { retries: 5, backoff: 60_000, codes: ['PYTHON_ERROR'] as const };
    const options = { retry, idempotent: true, timeout: 30_000 };
    await expect(synapse.invoke('fails', [9], options)).rejects.toBeInstanceOf(PythonError);
    expect(runs('fails')).toBe(1);
  });

  test('the budget bounds what an instance repeats', async () => {
    const budget = { ratio: 0, perSecond: 0.1 };
    const codes = ['PYTHON_ERROR'] as const;
    const { synapse, runs } = await spawn({ retry: { retries: 5, backoff: 0, codes, budget } });
    await failure(synapse.invoke('fails', [99], { idempotent: true }));
    expect(runs('fails')).toBe(2);
    expect(synapse.stats().policies?.retry).toMatchObject({ attempts: 1, overBudget: 1 });
  });

  test('a stream is begun again until its first item has been seen', async () => {
    const { synapse, runs } = await spawn({ retry: { retries: 3, backoff: 1 } });
    const read = async (before: number, name: string): Promise<unknown[]> => {
      const seen: unknown[] = [];
      const args = [1, before, name];
      for await (const item of synapse.stream('items', args, { idempotent: true })) seen.push(item);
      return seen;
    };
    await expect(read(0, 'none')).resolves.toEqual(['last']);
    await expect(read(1, 'one')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    expect([runs('none'), runs('one')]).toEqual([2, 1]);
  });

  test('dispose ends a call that rests between two attempts', async () => {
    const codes = ['PYTHON_ERROR'] as const;
    const { synapse } = await spawn({ retry: { retries: 1, backoff: 60_000, codes } });
    const resting = failure(synapse.invoke('fails', [9], { idempotent: true }));
    await new Promise((resolve) => synapse.once('retry', resolve));
    await synapse.dispose();
    await expect(resting).resolves.toBeInstanceOf(DisposedError);
  });
});

describe('breaker', () => {
  const breaker = { failures: 2, resetMs: 200, probes: 1, successes: 1 };

  test('a stopped worker opens it, and it closes when the worker goes on', async () => {
    const slow = { ...breaker, resetMs: 1500 };
    const { synapse, runs } = await spawn({ breaker: slow, graceMs: 60_000, workers: 1 });
    const events: BreakerEvent[] = [];
    synapse.on('breaker', (event) => events.push(event));
    const stopped = processOf(synapse);
    process.kill(stopped, 'SIGSTOP');
    try {
      for (let call = 0; call < 2; call++) {
        const error = await failure(synapse.invoke('count', [], { timeout: 30 }));
        expect(error).toBeInstanceOf(TimeoutError);
      }
      const error = await failure(synapse.invoke('count'));
      expect(error).toBeInstanceOf(CircuitOpenError);
      expect((error as CircuitOpenError).retryAfter).toBeGreaterThan(0);
      expect((error as CircuitOpenError).retryAfter).toBeLessThanOrEqual(1500);
      expect(synapse.stats().policies?.breakers).toMatchObject({
        count: { state: 'open', refused: 1 },
      });
      await delay(1520);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
    await synapse.invoke('count');
    expect(events.map(({ handler, state, previous }) => [handler, previous, state])).toEqual([
      ['count', 'closed', 'open'],
      ['count', 'open', 'half-open'],
      ['count', 'half-open', 'closed'],
    ]);
    expect(runs('count')).toBeLessThanOrEqual(3);
  });

  test('workers that are killed open that of their handler only', async () => {
    const { synapse } = await spawn({
      breaker: { ...breaker, resetMs: 60_000 },
      restart: { max: 50 },
    });
    for (let call = 0; call < 2; call++) await failure(synapse.invoke('dies', [99]));
    const error = await failure(synapse.invoke('dies', [0]));
    expect(error).toMatchObject({ code: 'CIRCUIT_OPEN', handler: 'dies' });
    await expect(synapse.invoke('echo', [1])).resolves.toBe(1);
  });

  test('exceptions of handlers do not count', async () => {
    const { synapse } = await spawn({ breaker });
    for (let call = 0; call < 5; call++) {
      await expect(synapse.invoke('fails', [99])).rejects.toBeInstanceOf(PythonError);
    }
    expect(synapse.stats().policies?.breakers).toMatchObject({
      fails: { state: 'closed', failures: 0 },
    });
  });

  test('a probe that is aborted, times out or dies gives its slot back', async () => {
    const { synapse, runs } = await spawn({
      breaker: { ...breaker, resetMs: 1 },
      mode: 'async',
      concurrency: 4,
      restart: { max: 50 },
    });
    const open = async (): Promise<void> => {
      const pending = [0, 1].map(() => failure(synapse.invoke('slow', [60], { timeout: 20 })));
      await Promise.all(pending);
      await delay(5);
    };
    await open();
    const { signal, abort } = aborter();
    const aborted = failure(synapse.invoke('slow', [60], { signal }));
    await expect(failure(synapse.invoke('slow', [0]))).resolves.toMatchObject({
      code: 'CIRCUIT_OPEN',
    });
    abort();
    await aborted;
    await expect(failure(synapse.invoke('slow', [60], { timeout: 20 }))).resolves.toMatchObject({
      code: 'TIMEOUT',
    });
    await delay(5);
    const doomed = failure(synapse.invoke('slow', [60, 'doomed']));
    await until(() => runs('doomed') > 0);
    process.kill(processOf(synapse), 'SIGKILL');
    await expect(doomed).resolves.toMatchObject({ code: 'WORKER_EXITED' });
    await delay(5);
    await expect(synapse.invoke('slow', [0])).resolves.toBe('slow');
    expect(synapse.stats().policies?.breakers['slow']).toMatchObject({
      state: 'closed',
      probing: 0,
    });
  });

  test('one call with three attempts is one failure', async () => {
    const { synapse, runs } = await spawn({
      breaker,
      retry: { retries: 2, backoff: 1 },
      restart: { max: 50 },
    });
    await failure(synapse.invoke('dies_safely', [99]));
    expect(runs('dies_safely')).toBe(3);
    expect(synapse.stats().policies?.breakers['dies_safely']).toMatchObject({
      state: 'closed',
      failures: 1,
    });
  });

  test('it is closed by hand', async () => {
    const { synapse } = await spawn({ breaker: { ...breaker, resetMs: 60_000 } });
    for (let call = 0; call < 2; call++) {
      await failure(synapse.invoke('slow', [60], { timeout: 10 }));
    }
    await expect(failure(synapse.invoke('slow', [0]))).resolves.toBeInstanceOf(CircuitOpenError);
    synapse.resetBreaker('echo');
    await expect(failure(synapse.invoke('slow', [0]))).resolves.toBeInstanceOf(CircuitOpenError);
    const closed = new Promise((resolve) => synapse.once('breaker', resolve));
    synapse.resetBreaker('slow');
    await expect(closed).resolves.toMatchObject({ previous: 'open', state: 'closed' });
    await expect(synapse.invoke('slow', [0])).resolves.toBe('slow');
  });
});

describe('adaptive timeout', () => {
  test('it learns, and a stopped worker is given up after it', async () => {
    const adaptiveTimeout = { base: 60_000, min: 1500, max: 120_000 };
    const { synapse } = await spawn({ adaptiveTimeout, graceMs: 60_000 });
    await synapse.invoke('echo', [0]);
    expect(synapse.stats().policies?.timeouts).toEqual({ echo: 60_000 });
    for (let call = 0; call < 20; call++) await synapse.invoke('echo', [call]);
    expect(synapse.stats().policies?.timeouts['echo']).toBeLessThan(60_000);
    const stopped = processOf(synapse);
    process.kill(stopped, 'SIGSTOP');
    try {
      await expect(synapse.invoke('echo', [1])).rejects.toBeInstanceOf(TimeoutError);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
  });
});

describe('adaptive timeout and failures', () => {
  test('calls that ran out of time say nothing of how long others take', async () => {
    const adaptiveTimeout = { base: 60_000, min: 1, max: 120_000 };
    const { synapse } = await spawn({ adaptiveTimeout, mode: 'async', concurrency: 32 });
    const late = Array.from({ length: 20 }, () =>
      failure(synapse.invoke('slow', [60], { timeout: 10 })),
    );
    for (const error of await Promise.all(late)) expect(error).toBeInstanceOf(TimeoutError);
    await synapse.invoke('slow', [0]);
    expect(synapse.stats().policies?.timeouts['slow']).toBe(60_000);
  });
});

describe('cache', () => {
  test('the same call is answered without Python, in whatever order its keys are', async () => {
    const { synapse, runs } = await spawn({ cache: true });
    const first = await synapse.invoke('count', [{ a: 1, b: [2] }]);
    await expect(synapse.invoke('count', [{ b: [2], a: 1 }])).resolves.toBe(first);
    await expect(synapse.invoke('count', [{ a: 1, b: [3] }])).resolves.toBe(2);
    expect(runs('count')).toBe(2);
    expect(synapse.stats().policies?.cache).toMatchObject({ hits: 1, misses: 2, entries: 2 });
  });

  test('nothing is a result, each caller gets an object of its own, and many hits fit a tick', async () => {
    const { synapse, runs } = await spawn({ cache: true });
    await expect(synapse.invoke('nothing')).resolves.toBeNull();
    await expect(synapse.invoke('nothing')).resolves.toBeNull();
    expect(runs('nothing')).toBe(1);
    const value = { deep: [1, 2] };
    await synapse.invoke('echo', [value]);
    const calls = Array.from({ length: 3000 }, () => synapse.invoke('echo', [value]));
    const answers = await Promise.all(calls);
    expect(new Set(answers).size).toBe(3000);
    expect(answers.at(-1)).toEqual(value);
  });

  test('exceptions, streams, sessions and other metadata are not answered from it', async () => {
    const { synapse, runs } = await spawn({ cache: true });
    await failure(synapse.invoke('fails', [1]));
    await expect(synapse.invoke('fails', [1])).resolves.toBe(2);
    for (let round = 0; round < 2; round++) {
      for await (const item of synapse.stream('items', [0])) expect(item).toBe('last');
    }
    expect(runs('items')).toBe(2);
    for (let call = 0; call < 2; call++) await synapse.invoke('nothing', [], { session: 's' });
    expect(runs('nothing')).toBe(2);
    await synapse.invoke('count', [], { metadata: { user: 'a' } });
    await expect(synapse.invoke('count', [], { metadata: { user: 'b' } })).resolves.toBe(2);
  });

  test('a call says otherwise for itself, a time of 0 is no time, and it can be cleared', async () => {
    const { synapse } = await spawn({ cache: true });
    await synapse.invoke('count');
    await expect(synapse.invoke('count', undefined, { cache: false })).resolves.toBe(2);
    await expect(synapse.invoke('count', undefined, { cache: { ttl: 0 } })).resolves.toBe(3);
    await expect(synapse.invoke('count')).resolves.toBe(1);
    synapse.clearCache('echo');
    await expect(synapse.invoke('count')).resolves.toBe(1);
    synapse.clearCache('count');
    await expect(synapse.invoke('count')).resolves.toBe(4);
  });

  test('an old result stands in when the worker was killed', async () => {
    const cache = { ttl: 1, staleIfError: 60_000 };
    const { synapse } = await spawn({ cache, restart: false });
    await synapse.invoke('count');
    await delay(5);
    const exited = new Promise((resolve) => synapse.once('worker:exit', resolve));
    process.kill(processOf(synapse), 'SIGKILL');
    await exited;
    await expect(synapse.invoke('count')).resolves.toBe(1);
    await expect(failure(synapse.invoke('echo'))).resolves.toMatchObject({
      code: 'WORKER_EXITED',
    });
    expect(synapse.stats().policies?.cache.stale).toBe(1);
  });
});

test('an old result comes before a fallback, and what is fresh before both', async () => {
  const cache = { ttl: 60_000, staleIfError: 60_000 };
  const { synapse } = await spawn({ cache, restart: false, fallback: () => 'spare' });
  const fallbacks: unknown[] = [];
  synapse.on('fallback', (event) => fallbacks.push(event));
  const short = { cache: { ttl: 1, staleIfError: 60_000 }, fallback: 'plan b' };
  const old = await synapse.invoke('count', [1], short);
  await synapse.invoke('count', [2]);
  await delay(5);
  const exited = new Promise((resolve) => synapse.once('worker:exit', resolve));
  process.kill(processOf(synapse), 'SIGKILL');
  await exited;
  expect(await synapse.invoke('count', [1], short)).toBe(old);
  expect(await synapse.invoke('count', [2], { fallback: 'plan b' })).toBe(2);
  expect(fallbacks).toEqual([]);
  expect(await synapse.invoke('count', [3], { fallback: 'plan b' })).toBe('plan b');
  expect(await synapse.invoke('count', [3])).toBe('spare');
  expect(fallbacks).toHaveLength(2);
});

describe('bulkhead', () => {
  test('a handler that starves its callers leaves room for the others', async () => {
    const { synapse, runs } = await spawn({
      bulkhead: { limit: 2, queue: 1 },
      mode: 'async',
      concurrency: 8,
    });
    const { signal, abort } = aborter();
    const stuck = [0, 1, 2].map(() => failure(synapse.invoke('slow', [60], { signal })));
    const refused = await failure(synapse.invoke('slow', [60]));
    expect(refused).toMatchObject({ code: 'QUEUE_FULL', max: 1, handler: 'slow' });
    await expect(synapse.invoke('echo', ['free'])).resolves.toBe('free');
    expect(synapse.stats().policies?.bulkheads['slow']).toEqual({ running: 2, waiting: 1 });
    await until(() => runs('slow') === 2);
    abort();
    await Promise.all(stuck);
    await expect(synapse.invoke('slow', [0])).resolves.toBe('slow');
    expect(synapse.stats().policies?.bulkheads['slow']).toEqual({ running: 0, waiting: 0 });
  });

  test('a wait that is too long ends, and that call never runs', async () => {
    const { synapse, folder, runs } = await spawn({
      bulkhead: { limit: 1, timeout: 20 },
      mode: 'async',
      concurrency: 8,
    });
    const first = synapse.invoke('hold', ['go']);
    const error = await failure(synapse.invoke('hold', ['go']));
    expect(error).toMatchObject({ code: 'TIMEOUT', phase: 'queue', mayHaveExecuted: false });
    writeFileSync(join(folder, 'go'), '');
    await expect(first).resolves.toBe('held');
    await expect(synapse.invoke('hold', ['go'])).resolves.toBe('held');
    expect(runs('hold')).toBe(2);
  });
});

describe('rate limit', () => {
  test('what is above it is refused and told when to come back', async () => {
    const { synapse } = await spawn({ rateLimit: { calls: 1, burst: 2 } });
    const allowed = Promise.all([synapse.invoke('echo', [1]), synapse.invoke('echo', [2])]);
    const error = (await failure(synapse.invoke('echo', [3]))) as RateLimitedError;
    await expect(allowed).resolves.toEqual([1, 2]);
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(error).toMatchObject({ handler: 'echo', retryable: true });
    await expect(synapse.invoke('pid')).resolves.toBeGreaterThan(0);
    await delay((error.retryAfter ?? 0) + 1);
    await expect(synapse.invoke('echo', [4])).resolves.toBe(4);
    expect(synapse.stats().policies?.rateLimited).toBe(1);
  });
});

describe('hedge', () => {
  test('a copy goes elsewhere when the first worker has stopped', async () => {
    const { synapse } = await spawn({ workers: 2, hedge: 30, graceMs: 60_000 });
    const stopped = processOf(synapse);
    process.kill(stopped, 'SIGSTOP');
    try {
      const other = await synapse.invoke('pid', [], { idempotent: true });
      expect(other).not.toBe(stopped);
      expect(synapse.stats().policies?.hedge).toEqual({ sent: 1, won: 1 });
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
  });

  test('no copy is sent of a call that must not run twice', async () => {
    const { synapse, runs } = await spawn({ mode: 'async', concurrency: 4, hedge: 1 });
    await expect(synapse.invoke('slow', [0.1])).resolves.toBe('slow');
    expect(runs('slow')).toBe(1);
    await expect(synapse.invoke('twice', [], { idempotent: true })).resolves.toBe('twice');
    expect(runs('twice')).toBe(2);
  });
});

describe('fallback', () => {
  test('that of the call is asked first, then that of spawn; a failing one has no answer', async () => {
    const { synapse } = await spawn({ fallback: () => 'last resort', restart: { max: 50 } });
    const events: FallbackEvent[] = [];
    synapse.on('fallback', (event) => events.push(event));
    const dies = (fallback?: unknown): Promise<unknown> =>
      synapse.invoke('dies', [99], fallback === undefined ? {} : { fallback: fallback as null });
    await expect(dies()).resolves.toBe('last resort');
    await expect(dies(null)).resolves.toBeNull();
    await expect(dies(async () => undefined)).resolves.toBe('last resort');
    const throws = (): never => {
      throw new Error('no');
    };
    await expect(dies(throws)).resolves.toBe('last resort');
    const told = (
      error: Error,
      { handler, input }: { handler?: string; input: unknown },
    ): unknown => [error.name, handler, input];
    await expect(dies(told)).resolves.toEqual(['WorkerExitedError', 'dies', [99]]);
    expect(events).toHaveLength(5);
    expect(events[0]).toMatchObject({ handler: 'dies', error: { code: 'WORKER_EXITED' } });
  });

  test('it answers when the breaker is open and when time is over, not for an abort or a misuse', async () => {
    const { synapse } = await spawn({ breaker: { failures: 1 } });
    const fallback = 'plan b';
    const wedged = synapse.invoke('slow', [60], { timeout: 20, fallback });
    await expect(wedged).resolves.toBe(fallback);
    await expect(synapse.invoke('slow', [0], { fallback })).resolves.toBe(fallback);
    const aborted = synapse.invoke('wedge', [0], { signal: AbortSignal.abort('mine'), fallback });
    await expect(aborted).rejects.toBe('mine');
    const missing = synapse.invoke('no_such', [], { fallback });
    await expect(missing).rejects.toMatchObject({ code: 'HANDLER_NOT_FOUND' });
    const stream = synapse.stream('items', [0], { fallback });
    await expect(stream.next()).rejects.toThrow('option "fallback" does not apply to streams');
  });
});

describe('together', () => {
  test('thousands of calls through kills: each is answered once, and nothing is left behind', async () => {
    const { synapse } = await spawn({
      workers: 3,
      queue: { max: 5000 },
      restart: { max: 1000, backoff: { initialMs: 1, maxMs: 10 } },
      retry: { retries: 50, backoff: 1, budget: false },
      bulkhead: { limit: 64, queue: 5000 },
      breaker: { failures: 1_000_000 },
    });
    const calls = Array.from({ length: 2000 }, (_, index) =>
      synapse.invoke('echo', [index], { idempotent: true }),
    );
    let over = false;
    const all = Promise.all(calls).finally(() => {
      over = true;
    });
    for (let round = 0; round < 5 && !over; round++) {
      await delay(round === 0 ? 1 : 20);
      const victim = synapse.workers().find(({ status }) => status === 'busy');
      if (victim !== undefined) killProcess(victim.pid);
    }
    await expect(all).resolves.toEqual(Array.from({ length: 2000 }, (_, index) => index));
    expect(synapse.stats().policies?.bulkheads['echo']).toEqual({ running: 0, waiting: 0 });
    await until(() => synapse.stats().requestsActive === 0);
    expect(synapse.stats().restarts).toBeGreaterThan(0);
  });
});

function aborter(): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
