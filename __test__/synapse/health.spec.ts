/** Workers that freeze, crash, grow old or large, on real processes: the pool stays up. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { HeartbeatMissed, Synapse, WorkerExit } from '../../ts/index.js';
import { runNode } from '../support/child.js';
import {
  createFolder,
  createSynapse,
  isAlive,
  PROCESS_HANDLERS,
  spawnModule,
  until,
} from '../support/modules.js';

const MODULE = `${PROCESS_HANDLERS}
  import ctypes, signal

  hoard = []

  @handler
  def linger():
      print("begun", flush=True)
      time.sleep(60)

  @handler
  def compute(seconds):
      # C code that keeps the interpreter's lock, for longer than a worker may be silent: no other
      # thread of this process runs.
      end = time.monotonic() + seconds
      while time.monotonic() < end:
          sum(range(50_000_000))
      return "computed"

  @handler
  def grow(mebibytes):
      hoard.append(b"x" * (mebibytes << 20))
      return len(hoard)

  @handler
  def poison(dose):
      os.kill(os.getpid(), signal.SIGKILL)

  @handler
  def reads_address_zero():
      ctypes.string_at(0)

  @handler
  def crash(how):
      if how == "segfault":
          os.kill(os.getpid(), signal.SIGSEGV)
      if how == "abort":
          os.abort()
      if how == "exit":
          os._exit(7)
      os.kill(os.getpid(), signal.SIGKILL)
`;

function exits(synapse: Synapse): WorkerExit[] {
  const seen: WorkerExit[] = [];
  synapse.on('worker:exit', (exit) => seen.push(exit));
  return seen;
}

function pids(synapse: Synapse): number[] {
  return synapse.workers().map(({ pid }) => pid);
}

function isWhole(synapse: Synapse, size: number): boolean {
  const serving = synapse.workers().filter(({ status }) => /^(ready|busy)$/.test(status));
  return serving.length === size && synapse.workers().length === size;
}

describe('a frozen worker', () => {
  test('that was stopped while idle is killed and replaced where that is asked for', async () => {
    const heartbeat = { interval: 150, misses: 3, action: 'restart' } as const;
    const synapse = await spawnModule(MODULE, { workers: 2, heartbeat });
    const gone = exits(synapse);
    const missed: HeartbeatMissed[] = [];
    synapse.on('heartbeat:missed', (event) => missed.push(event));
    const [frozen] = synapse.workers();
    process.kill(frozen?.pid ?? 0, 'SIGSTOP');
    await until(() => gone.length > 0);
    expect(gone).toMatchObject([{ worker: frozen?.id, signal: 'SIGKILL', reason: 'frozen' }]);
    expect(gone[0]).not.toHaveProperty('crash');
    // The other may have waited for a processor meanwhile.
    const silent = missed.filter(({ worker }) => worker === frozen?.id);
    expect(silent.map((event) => event.missed)).toEqual([1, 2, 3]);
    expect(silent.some(({ busy }) => busy)).toBe(false);
    await until(() => isWhole(synapse, 2));
  });

  test('settles the call that it ran, and says why', async () => {
    const heartbeat = { interval: 150, misses: 3, action: 'restart' } as const;
    const synapse = await spawnModule(MODULE, { heartbeat });
    const begun = new Promise((resolve) => synapse.once('log', resolve));
    const call = synapse.invoke('linger');
    await begun;
    const [worker] = synapse.workers();
    process.kill(worker?.pid ?? 0, 'SIGSTOP');
    await expect(call).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      message: expect.stringContaining('no sign of life'),
      signal: 'SIGKILL',
      mayHaveExecuted: true,
    });
    expect(await synapse.invoke('pid')).not.toBe(worker?.pid);
  });

  test('gets no calls while it is frozen, and gets them again when it goes on', async () => {
    const synapse = await spawnModule(MODULE, {
      workers: 2,
      heartbeat: { interval: 150, misses: 3 },
    });
    const [frozen, other] = synapse.workers();
    const told: string[] = [];
    synapse.on('worker:unhealthy', ({ worker }) => told.push(`${worker} unhealthy`));
    synapse.on('worker:healthy', ({ worker }) => told.push(`${worker} healthy`));
    process.kill(frozen?.pid ?? 0, 'SIGSTOP');
    try {
      await until(() => told.length === 1);
      expect(synapse.workers()[0]).toMatchObject({ id: frozen?.id, status: 'unhealthy' });
      for (let call = 0; call < 5; call++) expect(await synapse.invoke('pid')).toBe(other?.pid);
    } finally {
      process.kill(frozen?.pid ?? 0, 'SIGCONT');
    }
    await until(() => told.length === 2);
    expect(told).toEqual([`${frozen?.id} unhealthy`, `${frozen?.id} healthy`]);
    expect(await synapse.invoke('pid')).toBe(frozen?.pid);
  });

  test('is not taken for one whose handler computes', async () => {
    const heartbeat = { interval: 100, misses: 3, action: 'restart' } as const;
    const synapse = await spawnModule(MODULE, { heartbeat });
    const gone = exits(synapse);
    const missed: HeartbeatMissed[] = [];
    synapse.on('heartbeat:missed', (event) => missed.push(event));
    expect(await synapse.invoke('compute', [1.5])).toBe('computed');
    expect(missed.some((event) => event.missed >= heartbeat.misses && event.busy)).toBe(true);
    expect(gone).toEqual([]);
  });

  test('nor for one that is idle: it beats as often as its pool wants', async () => {
    const heartbeat = { interval: 400, misses: 3, action: 'restart' } as const;
    const synapse = await spawnModule(MODULE, { heartbeat });
    const gone = exits(synapse);
    // At the default of two seconds the first would come too late.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(gone).toEqual([]);
  });
});

test('a host that was blocked takes no worker for frozen, and no answer is lost', async () => {
  const heartbeat = { interval: 200, misses: 2, action: 'restart' } as const;
  const synapse = await spawnModule(MODULE, { workers: 2, heartbeat });
  const missed: HeartbeatMissed[] = [];
  synapse.on('heartbeat:missed', (event) => missed.push(event));
  const before = pids(synapse);
  const calls = [synapse.invoke('sleep', [0.2]), synapse.invoke('sleep', [0.2])];
  const late = synapse.invoke('linger', [], { timeout: 300 });
  const until = performance.now() + 1500;
  while (performance.now() < until) Math.sqrt(until);
  expect((await Promise.all(calls)).sort()).toEqual([...before].sort());
  await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' });
  // A worker that waits for a processor is told as busy.
  expect(missed.filter(({ busy }) => !busy)).toEqual([]);
  expect(pids(synapse)).toEqual(before);
  expect(synapse.stats()).toMatchObject({ restarts: 0 });
});

describe('a worker is recycled', () => {
  test('after so many calls, under load, without losing one', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2, recycle: { calls: 10 } });
    const gone = exits(synapse);
    const seen = new Set<unknown>();
    let serving = Number.POSITIVE_INFINITY;
    const load = Array.from({ length: 4 }, async () => {
      while (gone.length < 4) {
        seen.add(await synapse.invoke('sleep', [0.002]));
        const ready = synapse.workers().filter(({ status }) => /^(ready|busy)$/.test(status));
        serving = Math.min(serving, ready.length);
      }
    });
    await Promise.all(load);
    // Whoever takes over is there before the old one goes.
    expect(serving).toBe(2);
    expect(gone.every(({ reason }) => reason === 'recycle:calls')).toBe(true);
    expect(seen.size).toBeGreaterThanOrEqual(4);
    const { errors, timeouts, restarts } = synapse.stats();
    expect({ errors, timeouts, restarts }).toEqual({ errors: 0, timeouts: 0, restarts: 0 });
  });

  test('at its age, and never in the middle of a call', async () => {
    const synapse = createSynapse({ recycle: { ttl: 100, jitter: 0.2 } });
    const gone = exits(synapse);
    const workers = new Map<number, number>();
    synapse.on('worker:start', ({ pid, worker }) => workers.set(pid, worker));
    await synapse.spawn(createFolder({ 'main.py': MODULE }), 'main');
    // Five times its age: whatever was replaced before, the worker that has the call finishes it.
    const pid = await synapse.invoke<number>('sleep', [0.5]);
    expect(gone.map(({ worker }) => worker)).not.toContain(workers.get(pid));
    await until(() => gone.some(({ worker }) => worker === workers.get(pid)));
    expect(new Set(gone.map(({ reason, code }) => `${reason} ${code}`))).toEqual(
      new Set(['recycle:ttl 0']),
    );
    expect(await synapse.invoke('pid')).not.toBe(pid);
  });

  test('when it has been without a call for too long, unless it never had one', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2, recycle: { idleTtl: 100 } });
    const gone = exits(synapse);
    const used = await synapse.invoke('pid');
    await until(() => gone.length === 1);
    expect(gone[0]?.reason).toBe('recycle:idleTtl');
    expect(pids(synapse)).not.toContain(used);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(gone).toHaveLength(1);
  });

  test('when its own memory is above the limit', async () => {
    const synapse = await spawnModule(MODULE, {
      heartbeat: { interval: 50 },
      recycle: { rss: 150 << 20 },
    });
    const gone = exits(synapse);
    const before = await synapse.invoke('pid');
    await synapse.invoke('grow', [5]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(gone).toEqual([]);
    await synapse.invoke('grow', [200]);
    await until(() => gone.length === 1);
    expect(gone[0]?.reason).toBe('recycle:rss');
    expect(await synapse.invoke('pid')).not.toBe(before);
  });
});

describe('crashes', () => {
  test.each([
    ['segfault', 'segfault'],
    ['abort', 'abort'],
    ['exit', 'exit'],
    ['kill', 'oom'],
  ])('by %s are told apart', async (how, crash) => {
    const synapse = await spawnModule(MODULE);
    const gone = exits(synapse);
    const call = synapse.invoke('crash', [how]);
    await expect(call).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await until(() => gone.length === 1);
    expect(gone).toMatchObject([{ reason: 'exited', crash }]);
    if (crash === 'oom') await expect(call).rejects.toThrow('out of memory');
  });

  test.each(['serial', 'threads'] as const)(
    'in C code tells in its last words which line it was (%s)',
    async (mode) => {
      const synapse = await spawnModule(MODULE, { mode, concurrency: mode === 'serial' ? 1 : 2 });
      const before = await synapse.invoke('pid');
      const error = await synapse.invoke('reads_address_zero').catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'WORKER_EXITED',
        signal: 'SIGSEGV',
        mayHaveExecuted: true,
        stderrTail: expect.stringMatching(
          /Fatal Python error: Segmentation fault.*main\.py", line \d+ in reads_address_zero/s,
        ),
      });
      expect(await synapse.invoke('pid')).not.toBe(before);
    },
  );

  test('a call that kills workers is refused after so many deaths, and others go on', async () => {
    const synapse = await spawnModule(MODULE, {
      workers: 2,
      restart: { callDeaths: 2, backoff: { initialMs: 1 } },
    });
    const gone = exits(synapse);
    for (let death = 1; death <= 2; death++) {
      await expect(synapse.invoke('poison', [1])).rejects.toMatchObject({ signal: 'SIGKILL' });
    }
    await expect(synapse.invoke('poison', [1])).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      handler: 'poison',
      mayHaveExecuted: false,
      details: { deaths: 2 },
      retryable: false,
      message: expect.stringContaining('2 workers died'),
    });
    // Metadata and a time limit do not make it another call; other arguments do.
    const disguised = synapse.invoke('poison', [1], { timeout: 5000, metadata: { a: 1 } });
    await expect(disguised).rejects.toMatchObject({ details: { deaths: 2 } });
    expect(await synapse.invoke('sleep', [0])).toEqual(expect.any(Number));
    await until(() => isWhole(synapse, 2));
    expect(gone).toHaveLength(2);
    await expect(synapse.invoke('poison', [2])).rejects.toMatchObject({ signal: 'SIGKILL' });
  });

  test('all workers killed at once are replaced without anybody asking', async () => {
    const synapse = await spawnModule(MODULE, { workers: 3 });
    const before = pids(synapse);
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await until(() => isWhole(synapse, 3) && !pids(synapse).some((pid) => before.includes(pid)));
    expect(synapse.stats()).toMatchObject({ restarts: 3, status: 'ready' });
    expect(synapse.stats().workers.map(({ restarts }) => restarts)).toEqual([1, 1, 1]);
    expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
  });

  test('while idle are seen by no caller, however soon a call comes', async () => {
    const synapse = await spawnModule(MODULE, { restart: { max: 100, backoff: { initialMs: 1 } } });
    for (let round = 0; round < 5; round++) {
      const [pid] = pids(synapse);
      process.kill(pid as number, 'SIGKILL');
      expect(await synapse.invoke('pid')).not.toBe(pid);
    }
    expect(synapse.stats()).toMatchObject({ restarts: 5, errors: 0 });
  });

  test('of a pool whose replacements cannot start: it fails fast with the reason, and heals', async () => {
    const folder = createFolder({
      'main.py': `
        import os
        from synapse import handler
        if os.path.exists("broken"):
            raise RuntimeError("the disk is full")

        @handler
        def spoil():
            open("broken", "w").close()
            os._exit(1)

        @handler
        def ping():
            return "pong"
      `,
    });
    const synapse = createSynapse({
      cwd: folder,
      restart: { max: 2, windowMs: 60_000, backoff: { initialMs: 10, maxMs: 50 } },
    });
    const told: string[] = [];
    synapse.on('unhealthy', ({ message }) => told.push(message));
    synapse.on('healthy', () => told.push('healthy'));
    await synapse.spawn(folder, 'main');
    await expect(synapse.invoke('spoil')).rejects.toMatchObject({ exitCode: 1 });
    await until(() => told.length === 1);
    await expect(synapse.invoke('ping')).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('the disk is full'),
    });
    await expect(synapse.ready()).rejects.toThrow('the disk is full');
    expect(synapse.stats().status).toBe('unhealthy');
    rmSync(join(folder, 'broken'));
    await until(() => told.length === 2);
    expect(told[1]).toBe('healthy');
    expect(await synapse.invoke('ping')).toBe('pong');
  });

  test('a worker that cannot be replaced for want of descriptors: the others serve, and it comes back', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const node = runNode(
      `const { openSync, closeSync } = require('node:fs');
       (async () => {
         const restart = { max: 3, windowMs: 60_000, backoff: { initialMs: 1, maxMs: 20 } };
         const instance = new Synapse({ ...python, workers: 2, restart });
         await instance.spawn(folder, 'main');
         const delays = [];
         instance.on('worker:restart', ({ delay }) => delays.push(delay));
         const reasons = [];
         instance.on('worker:exit', ({ reason }) => reasons.push(reason));
         const taken = [];
         try {
           for (;;) taken.push(openSync('/dev/null'));
         } catch (error) {
           console.log('code ' + error.code);
         }
         const [victim, other] = instance.workers();
         process.kill(victim.pid, 'SIGKILL');
         while (reasons.length < 6) await instance.invoke('pid');
         console.log('reasons ' + JSON.stringify(reasons.slice(0, 6)));
         const served = [];
         for (let call = 0; call < 20; call++) served.push(await instance.invoke('pid'));
         console.log('served ' + served.every((pid) => pid === other.pid));
         for (const descriptor of taken) closeSync(descriptor);
         while (instance.workers().filter(({ status }) => status === 'ready').length < 2) {
           await new Promise((resolve) => setTimeout(resolve, 5));
         }
         console.log('delays ' + JSON.stringify(delays));
         await instance.dispose();
       })();`,
      folder,
      [],
      { wrapper: ['sh', '-c', 'ulimit -n 128; exec "$0" "$@"'] },
    );
    expect(await node.line('code ')).toBe('EMFILE');
    const failed = Array.from({ length: 5 }, () => 'start');
    expect(JSON.parse(await node.line('reasons '))).toEqual(['exited', ...failed]);
    expect(await node.line('served ')).toBe('true');
    // At once, then ever later, to the ceiling.
    const delays = JSON.parse(await node.line('delays ')) as number[];
    expect(delays[0]).toBe(0);
    expect(Math.max(...delays)).toBeGreaterThan(delays[1] as number);
    expect(Math.max(...delays)).toBeLessThanOrEqual(20);
    expect(await node.ended).toBe(0);
  });

  test('taint: the place of one that crashed so stays empty, and the others work', async () => {
    const taint = { ms: 400, on: ['segfault'] } as const;
    const synapse = await spawnModule(MODULE, {
      workers: 2,
      restart: { backoff: { initialMs: 1 }, taint },
    });
    const delays: number[] = [];
    const starts: number[] = [];
    const before = performance.now();
    synapse.on('worker:restart', ({ delay }) => delays.push(delay));
    synapse.on('worker:start', () => starts.push(performance.now() - before));
    await expect(synapse.invoke('crash', ['segfault'])).rejects.toMatchObject({
      signal: 'SIGSEGV',
    });
    const [left] = pids(synapse);
    while (starts.length === 0) expect(await synapse.invoke('sleep', [0.01])).toBe(left);
    expect(starts[0]).toBeGreaterThanOrEqual(taint.ms - 5);
    await until(() => isWhole(synapse, 2));
    await expect(synapse.invoke('crash', ['exit'])).rejects.toMatchObject({ exitCode: 7 });
    await until(() => delays.length === 2);
    expect(delays[0]).toBe(taint.ms);
    expect(delays[1]).toBeLessThan(taint.ms);
  });

  test('after an explicit stop nothing is started again', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2, recycle: { calls: 1 } });
    const restarts: unknown[] = [];
    const started = synapse.workers().map(({ pid }) => pid);
    synapse.on('worker:restart', (event) => restarts.push(event));
    // Also a successor whose start was under way, of which the event comes later.
    synapse.on('worker:start', ({ pid }) => started.push(pid));
    await synapse.invoke('pid');
    await synapse.dispose();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect({ restarts, alive: started.filter(isAlive) }).toEqual({ restarts: [], alive: [] });
  });
});

describe('limits of one worker', () => {
  test('memory: what is too much is a MemoryError, and the worker lives', async () => {
    const synapse = await spawnModule(MODULE, { limits: { memory: 1 << 30 } });
    const before = await synapse.invoke('pid');
    await expect(synapse.invoke('grow', [4096])).rejects.toMatchObject({
      code: 'PYTHON_ERROR',
      pythonType: 'MemoryError',
    });
    expect(await synapse.invoke('pid')).toBe(before);
  });

  test('cpu: a worker that has used its time is ended, told so and replaced', async () => {
    const synapse = await spawnModule(MODULE, { limits: { cpu: 1 } });
    const gone = exits(synapse);
    await expect(synapse.invoke('compute', [600])).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      signal: 'SIGXCPU',
      message: expect.stringContaining('limits.cpu'),
    });
    expect(gone).toMatchObject([{ crash: 'cpu-limit' }]);
    expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
  });

  test('files: one more is an OSError', async () => {
    const synapse = await spawnModule(
      `
      from synapse import handler

      @handler
      def hold(count):
          files = [open("/dev/null") for _ in range(count)]
          return len(files)
      `,
      { limits: { files: 32 } },
    );
    expect(await synapse.invoke('hold', [5])).toBe(5);
    await expect(synapse.invoke('hold', [40])).rejects.toMatchObject({ pythonType: 'OSError' });
  });

  test('what is above the limit of the system is refused by name', async () => {
    const synapse = createSynapse({ limits: { files: Number.MAX_SAFE_INTEGER } });
    const spawned = synapse.spawn(createFolder({ 'main.py': MODULE }), 'main');
    await expect(spawned).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('limits.files of 9007199254740991 is above'),
    });
  });
});
