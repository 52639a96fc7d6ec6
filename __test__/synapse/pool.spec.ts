/** Many workers: sizes that follow the calls, strategies, and what is done to a pool as a whole. */

import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { SpawnOptions, Synapse, WorkerExit } from '../../ts/index.js';
import { kwargs } from '../../ts/index.js';
import {
  createFolder,
  createSynapse,
  isAlive,
  PROCESS_HANDLERS,
  spawnModule,
  until,
} from '../support/modules.js';

const MODULE = `${PROCESS_HANDLERS}
  @handler
  def fail(value):
      if value < 0:
          raise ValueError(value)
      time.sleep(0.02)
      return -value

  @handler
  def add(a, b):
      return a + b
`;

function pids(synapse: Synapse): number[] {
  return synapse.workers().map((worker) => worker.pid);
}

function exits(synapse: Synapse): WorkerExit[] {
  const seen: WorkerExit[] = [];
  synapse.on('worker:exit', (exit) => seen.push(exit));
  return seen;
}

/** Calls without a pause until so many processes have answered, however long they take to start. */
async function untilAnsweredBy(synapse: Synapse, wanted: number): Promise<void> {
  const seen = new Set<unknown>();
  const callers = Array.from({ length: 4 * wanted }, async () => {
    while (seen.size < wanted) seen.add(await synapse.invoke('sleep', [0.02]));
  });
  await Promise.all(callers);
}

/** Calls so many times at once; answers which processes answered. */
async function processes(synapse: Synapse, calls: number, seconds = 0.15): Promise<Set<unknown>> {
  const all = Array.from({ length: calls }, () => synapse.invoke('sleep', [seconds]));
  return new Set(await Promise.all(all));
}

describe('an elastic pool', () => {
  test('grows when calls wait, to its maximum, and shrinks to its minimum when it is idle', async () => {
    const synapse = await spawnModule(MODULE, { workers: { min: 1, max: 3, idleTtl: 300 } });
    const gone = exits(synapse);
    expect(synapse.workers()).toHaveLength(1);
    await untilAnsweredBy(synapse, 3);
    expect(synapse.workers().length).toBeLessThanOrEqual(3);
    await until(() => synapse.workers().length === 1);
    expect(gone.length).toBeGreaterThanOrEqual(2);
    expect(gone.every(({ reason }) => reason === 'idle')).toBe(true);
    expect(synapse.stats()).toMatchObject({ min: 1, max: 3, restarts: 0, available: 1, busy: 0 });
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
  });

  test('starts all its workers at the same time', async () => {
    const folder = createFolder({
      'main.py': `
        import os, time
        from synapse import handler

        # None is ready before all have begun.
        open(f"begun-{os.getpid()}", "w").close()
        while sum(name.startswith("begun-") for name in os.listdir()) < 4:
            time.sleep(0.005)

        @handler
        def pid():
            return os.getpid()
      `,
    });
    const synapse = createSynapse({ workers: 4, cwd: folder });
    await synapse.spawn(folder, 'main');
    expect(new Set(pids(synapse)).size).toBe(4);
  });

  test('is ready with less than all where that is asked for, and the rest follows', async () => {
    const workers = { min: 3, max: 3, minReady: 1, startupBatch: { size: 1, delayMs: 50 } };
    // All but the first wait for leave to start.
    const folder = createFolder({
      'main.py': `
        import os, time
        from synapse import handler

        try:
            os.close(os.open("first", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            while not os.path.exists("go"):
                time.sleep(0.005)

        @handler
        def pid():
            return os.getpid()
      `,
    });
    const synapse = createSynapse({ workers, cwd: folder });
    await synapse.spawn(folder, 'main');
    expect(synapse.workers().filter(({ status }) => status === 'ready')).toHaveLength(1);
    writeFileSync(join(folder, 'go'), '');
    await synapse.ready();
    expect(synapse.workers().filter(({ status }) => status === 'ready')).toHaveLength(3);
  });
});

describe('scale', () => {
  test('a worker without a process has no number that a signal could go to', async () => {
    const synapse = await spawnModule(MODULE);
    const scaled = synapse.scale(2);
    await until(() => synapse.workers().length === 2);
    const starting = synapse.workers().find(({ status }) => status === 'starting');
    expect(starting?.pid).toBe(Number.NaN);
    expect(synapse.stats().workers.map(({ pid }) => pid)).toContainEqual(Number.NaN);
    // 0 would be the process group of this test.
    expect(() => process.kill(starting?.pid ?? 0, 0)).toThrow('must be of type number');
    await scaled;
    expect(pids(synapse).every((pid) => pid > 0)).toBe(true);
  });

  test('makes the pool larger and smaller, and calls that run are answered', async () => {
    const synapse = await spawnModule(MODULE);
    const gone = exits(synapse);
    await synapse.scale(3);
    expect(synapse.workers()).toHaveLength(3);
    const running = processes(synapse, 3, 0.3);
    await synapse.scale(1);
    expect(synapse.workers()).toHaveLength(1);
    expect((await running).size).toBe(3);
    expect(gone.map(({ reason }) => reason)).toEqual(['scaled', 'scaled']);
    expect(await synapse.invoke('add', [2, 2])).toBe(4);
  });

  test('to a range makes the pool elastic', async () => {
    const synapse = await spawnModule(MODULE);
    await synapse.scale({ min: 1, max: 2 });
    await untilAnsweredBy(synapse, 2);
    expect(synapse.workers().length).toBeLessThanOrEqual(2);
  });

  test('tells what a new worker failed to start of, and the others go on', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse();
    await synapse.spawn(folder, 'main');
    writeFileSync(join(folder, 'main.py'), 'import nowhere_to_be_found\n');
    await expect(synapse.scale(2)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('nowhere_to_be_found'),
    });
    expect(await synapse.invoke('add', [1, 1])).toBe(2);
  });

  test.each([0, -1, 1.5, 'two', { min: 3, max: 2 }])('of %j is refused', async (size) => {
    const synapse = createSynapse();
    await expect(synapse.scale(size as number)).rejects.toThrow(/scale/);
  });

  test('before spawn is refused', async () => {
    const synapse = createSynapse();
    await expect(synapse.scale(2)).rejects.toMatchObject({ code: 'NOT_SPAWNED' });
    await expect(synapse.ready()).rejects.toMatchObject({ code: 'NOT_SPAWNED' });
  });
});

describe('ready and drain', () => {
  test('ready waits for as many workers as it was asked for, also while they start', async () => {
    const synapse = createSynapse({ workers: 2 });
    const spawned = synapse.spawn(createFolder({ 'main.py': MODULE }), 'main');
    await synapse.ready({ min: 1 });
    expect(synapse.workers().some(({ status }) => status === 'ready')).toBe(true);
    await spawned;
    await synapse.ready({ min: 2 });
    await expect(synapse.ready({ min: 0 })).rejects.toThrow('ready.min');
  });

  test('drain resolves when nothing is in flight, and says so', async () => {
    const synapse = await spawnModule(MODULE);
    const events: string[] = [];
    synapse.on('drain', () => events.push('drain'));
    const calls = [0.1, 0.1, 0.1].map(async (seconds) => {
      await synapse.invoke('sleep', [seconds]);
      events.push('call');
    });
    await synapse.drain();
    expect(synapse.stats()).toMatchObject({ requestsActive: 0, queued: 0, requestsHandled: 3 });
    await Promise.all(calls);
    expect(events.filter((event) => event === 'drain')).toHaveLength(1);
    expect(await synapse.invoke('add', [1, 1])).toBe(2);
    await synapse.drain();
  });

  test('a queue that was full tells when it is empty', async () => {
    const synapse = await spawnModule(MODULE, { queue: { max: 1 } });
    const drained = new Promise<void>((resolve) => synapse.once('drain', resolve));
    const calls = [1, 2, 3, 4].map(() => synapse.invoke('sleep', [0.05]));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(2);
    await drained;
    expect(synapse.stats()).toMatchObject({ queueRefusals: 2, queued: 0 });
  });
});

describe('restart and reload', () => {
  test('restart replaces every worker, each after it has answered', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    const gone = exits(synapse);
    const before = pids(synapse);
    const running = processes(synapse, 2, 0.3);
    await synapse.restart();
    expect([...(await running)].sort()).toEqual(before.sort());
    expect(pids(synapse)).toHaveLength(2);
    expect(pids(synapse).filter((pid) => before.includes(pid))).toEqual([]);
    expect(gone.map(({ reason }) => reason)).toEqual(['restarted', 'restarted']);
    expect(synapse.stats().restarts).toBe(0);
  });

  test('restart of one leaves the others alone', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    const [first, second] = synapse.workers();
    await synapse.restart(first?.id);
    expect(pids(synapse)).toContain(second?.pid);
    expect(pids(synapse)).not.toContain(first?.pid);
    await expect(synapse.restart(first?.id)).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      worker: first?.id,
    });
  });

  test('reload brings the new code, loses no call and never has fewer workers', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse({ workers: 2 });
    await synapse.spawn(folder, 'main');
    const old = pids(synapse);
    appendFileSync(join(folder, 'main.py'), '\n\n@handler\ndef version():\n    return 2\n');
    let serving = Number.POSITIVE_INFINITY;
    let over = false;
    const answers: unknown[] = [];
    const load = Array.from({ length: 4 }, async () => {
      while (!over) {
        answers.push(await synapse.invoke('sleep', [0.005]));
        const ready = synapse.workers().filter(({ status }) => /ready|busy/.test(status));
        serving = Math.min(serving, ready.length);
      }
    });
    await synapse.reload();
    over = true;
    await Promise.all(load);
    expect(serving).toBe(2);
    expect(answers.length).toBeGreaterThan(4);
    expect(pids(synapse).filter((pid) => old.includes(pid))).toEqual([]);
    expect(await synapse.invoke('version')).toBe(2);
  });

  test('reload of code that does not start is refused, and the old code serves', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse({ workers: 2 });
    await synapse.spawn(folder, 'main');
    const old = pids(synapse);
    writeFileSync(join(folder, 'main.py'), 'raise RuntimeError("broken")\n');
    await expect(synapse.reload()).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('broken'),
    });
    expect(await synapse.invoke('add', [1, 1])).toBe(2);
    expect(pids(synapse)).toEqual(expect.arrayContaining(old));
  });

  test('what is under way when the instance is disposed of is told so', async () => {
    const synapse = await spawnModule(MODULE);
    const slow = synapse.invoke('sleep', [30]).catch(() => {});
    const restarted = expect(synapse.restart()).rejects.toMatchObject({ code: 'DISPOSED' });
    await synapse.dispose();
    await Promise.all([slow, restarted]);
  });
});

describe('strategies', () => {
  /** The workers that answered calls made one after the other, by their order of registration. */
  async function sequence(options: SpawnOptions, calls: number): Promise<number[]> {
    const synapse = await spawnModule(MODULE, { workers: 3, ...options });
    const order = synapse
      .workers()
      .sort((one, other) => one.id - other.id)
      .map(({ pid }) => pid);
    const answered: number[] = [];
    for (let call = 0; call < calls; call++) {
      answered.push(order.indexOf(await synapse.invoke<number>('pid')));
    }
    return answered;
  }

  test('round-robin is an exact cycle', async () => {
    expect(await sequence({ strategy: 'round-robin' }, 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  test('least-busy takes the first registered of equals', async () => {
    expect(await sequence({}, 4)).toEqual([0, 0, 0, 0]);
  });

  test('weighted keeps to the shares, and random reaches all', async () => {
    const weighted = await sequence({ strategy: 'weighted', weights: [8, 1, 1] }, 300);
    const first = weighted.filter((worker) => worker === 0).length;
    expect(first).toBeGreaterThan(200);
    expect(first).toBeLessThan(285);
    expect(new Set(await sequence({ strategy: 'random' }, 100)).size).toBe(3);
  });

  test('fastest tries all, then prefers the one that answers sooner', async () => {
    const source = `
      import os, time
      from synapse import handler
      path = "slow"
      try:
          os.close(os.open(path, os.O_CREAT | os.O_EXCL))
          delay = 2
      except FileExistsError:
          delay = 0

      @handler
      def work():
          time.sleep(delay)
          return delay
    `;
    const folder = createFolder({ 'main.py': source });
    const synapse = createSynapse({ workers: 2, strategy: 'fastest', cwd: folder });
    await synapse.spawn(folder, 'main');
    const delays: unknown[] = [];
    for (let call = 0; call < 12; call++) delays.push(await synapse.invoke('work'));
    expect(delays.slice(0, 2).sort()).toEqual([0, 2]);
    expect(delays.slice(2)).toEqual(Array.from({ length: 10 }, () => 0));
  });
});

describe('map', () => {
  test('answers in the order of the items, so many at a time', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    let most = 0;
    const watch = setInterval(() => {
      const { requestsActive, queued } = synapse.stats();
      most = Math.max(most, requestsActive + queued);
    }, 1);
    const items = Array.from({ length: 20 }, (_, item) => item + 1);
    const results = await synapse.map('fail', items, { concurrency: 3 });
    clearInterval(watch);
    expect(results).toEqual(items.map((item) => -item));
    expect(most).toBe(3);
    expect(await synapse.map('fail', [])).toEqual([]);
  });

  test('takes arguments as invoke does, from any iterable', async () => {
    const synapse = await spawnModule(MODULE);
    const items = [[1, 2], kwargs({ a: 3, b: 4 })];
    expect(await synapse.map('add', items)).toEqual([3, 7]);
    expect(await synapse.map('fail', new Set([1, 2]))).toEqual([-1, -2]);
    async function* source(): AsyncGenerator<number> {
      yield 5;
      yield 6;
    }
    expect(await synapse.map('fail', source(), { concurrency: 1 })).toEqual([-5, -6]);
    await expect(synapse.map('fail', 5 as never)).rejects.toThrow(TypeError);
    await expect(synapse.map('fail', [1], { concurrency: 0 })).rejects.toThrow(RangeError);
    await expect(synapse.map('fail', [], { piority: 0 } as never)).rejects.toThrow('priority');
  });

  test('ends with the first failure, closes its source and makes no further calls', async () => {
    const synapse = await spawnModule(MODULE);
    let closed = false;
    let taken = 0;
    function* source(): Generator<number> {
      try {
        for (;;) yield taken++ === 3 ? -1 : 1;
      } finally {
        closed = true;
      }
    }
    await expect(synapse.map('fail', source(), { concurrency: 2 })).rejects.toMatchObject({
      pythonType: 'ValueError',
    });
    expect(closed).toBe(true);
    expect(taken).toBeLessThan(9);
    await synapse.drain();
  });

  test('settles every call where that is asked for', async () => {
    const synapse = await spawnModule(MODULE);
    const outcomes = await synapse.map('fail', [1, -1, 2], { settle: true });
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: -1 },
      { status: 'rejected', reason: { pythonType: 'ValueError' } },
      { status: 'fulfilled', value: -2 },
    ]);
  });

  test('ends when its signal is aborted', async () => {
    const synapse = await spawnModule(MODULE);
    const abort = new AbortController();
    const items = Array.from({ length: 50 }, () => 0.05);
    const mapped = synapse.map('sleep', items, { concurrency: 2, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(mapped).rejects.toThrow('enough');
  });
});

test('statistics tell of the pool and of each worker', async () => {
  const synapse = await spawnModule(MODULE, { workers: 2, heartbeat: { interval: 50 } });
  await processes(synapse, 6, 0.03);
  await expect(synapse.invoke('fail', [-1])).rejects.toMatchObject({ code: 'PYTHON_ERROR' });
  await until(() => synapse.stats().workers.every(({ rss }) => rss > 0));
  const stats = synapse.stats();
  expect(stats).toMatchObject({ requestsHandled: 7, errors: 1, available: 2, busy: 0, queued: 0 });
  expect(stats.rss).toBe(stats.workers.reduce((sum, { rss }) => sum + rss, 0));
  expect(stats.p50).toBeGreaterThan(0);
  expect(stats.p95).toBeGreaterThanOrEqual(stats.p50);
  expect(stats.p99).toBeGreaterThanOrEqual(stats.p95);
  for (const worker of stats.workers) {
    expect(worker).toMatchObject({ requestsActive: 0, queued: 0, restarts: 0, status: 'ready' });
    expect(worker.cpu).toBeGreaterThanOrEqual(0);
    for (const time of [worker.lastActivity, worker.lastHeartbeatAt]) {
      expect(Math.abs(Date.now() - time)).toBeLessThan(60_000);
    }
    expect(isAlive(worker.pid)).toBe(true);
  }
});
