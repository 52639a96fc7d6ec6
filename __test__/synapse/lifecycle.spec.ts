/** Workers start, die, are replaced and are stopped; nothing hangs and nothing is left. */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { Engine } from '../../ts/engine.js';
import type { WorkerExit } from '../../ts/index.js';
import { createFolder, createSynapse, isAlive, spawnModule, until } from '../support/modules.js';

const MODULE = `
  import os, signal, subprocess, sys, time
  from synapse import handler, on_stop

  @handler
  def pid():
      return os.getpid()

  @handler
  def leave(code):
      sys.stderr.write("last words\\n")
      os._exit(code)

  @handler
  def quit(code):
      sys.exit(code)

  @handler
  def kill(number):
      os.kill(os.getpid(), number)
      time.sleep(60)

  @handler
  def sleep(seconds):
      time.sleep(seconds)
      return "slept"

  @handler
  def hold(path):
      while not os.path.exists(path):
          time.sleep(0.005)
      return "held"

  @handler
  def spin():
      while True:
          pass

  @handler
  def child():
      return subprocess.Popen(["sleep", "300"]).pid

  @handler
  def deaf():
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      signal.signal(signal.SIGINT, signal.SIG_IGN)
      open("deaf", "w").close()
      while True:
          try:
              time.sleep(60)
          except BaseException:
              pass
`;

describe('a worker that dies', () => {
  test('settles its calls with how it died and its last words', async () => {
    const synapse = await spawnModule(MODULE);
    const calls = await Promise.allSettled([synapse.invoke('leave', [3]), synapse.invoke('pid')]);
    expect(calls[0]).toMatchObject({
      status: 'rejected',
      reason: {
        name: 'WorkerExitedError',
        code: 'WORKER_EXITED',
        exitCode: 3,
        signal: null,
        handler: 'leave',
        mayHaveExecuted: true,
        stderrTail: expect.stringContaining('last words'),
      },
    });
    // The second was never written to the worker that died: it ran on the next.
    expect(calls[1]).toMatchObject({ status: 'fulfilled', value: expect.any(Number) });
  });

  test('with exit code 0 in the middle of a call has failed all the same', async () => {
    const synapse = await spawnModule(MODULE);
    for (const how of ['leave', 'quit']) {
      await expect(synapse.invoke(how, [0])).rejects.toMatchObject({
        code: 'WORKER_EXITED',
        exitCode: 0,
        mayHaveExecuted: true,
      });
      expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
    }
    expect(synapse.stats()).toMatchObject({ restarts: 2 });
  });

  test.each([
    ['SIGKILL', 9],
    ['SIGSEGV', 11],
    ['SIGABRT', 6],
  ])('by %s is replaced, and the next call works', async (signal, number) => {
    const synapse = await spawnModule(MODULE);
    const exits: WorkerExit[] = [];
    synapse.on('worker:exit', (exit) => exits.push(exit));
    await expect(synapse.invoke('kill', [number])).rejects.toMatchObject({
      signal,
      exitCode: null,
      mayHaveExecuted: true,
    });
    expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
    expect(exits).toMatchObject([{ signal, code: null, reason: 'exited' }]);
    expect(synapse.stats()).toMatchObject({ restarts: 1, status: 'ready' });
  });

  test('is not replaced when restart is off: later calls are told why at once', async () => {
    const synapse = await spawnModule(MODULE, { restart: false });
    await expect(synapse.invoke('leave', [3])).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await expect(synapse.invoke('pid')).rejects.toMatchObject({ exitCode: 3 });
  });

  test('an idempotent call is sent again, and only once', async () => {
    const folder = createFolder({
      'main.py': `
        import os
        from synapse import handler

        @handler
        def survive():
            path = "died"
            count = len(open(path).read()) if os.path.exists(path) else 0
            if count < 1:
                open(path, "a").write("x")
                os._exit(9)
            return count

        @handler
        def never():
            open("tries", "a").write("x")
            os._exit(9)
      `,
    });
    const synapse = createSynapse({ cwd: folder });
    await synapse.spawn(folder, 'main');
    expect(await synapse.invoke('survive', [], { idempotent: true })).toBe(1);
    await expect(synapse.invoke('never', [], { idempotent: true })).rejects.toMatchObject({
      code: 'WORKER_EXITED',
    });
    expect(readFileSync(join(folder, 'tries'), 'utf8')).toBe('xx');
  });

  test('many times makes the pool unhealthy; it heals by itself', async () => {
    const folder = createFolder({
      'main.py': `
        import os
        from synapse import handler

        if os.path.exists("broken"):
            raise RuntimeError("cannot start now")

        @handler
        def die():
            open("broken", "w").close()
            os._exit(1)

        @handler
        def ok():
            return "ok"
      `,
    });
    const synapse = createSynapse({
      cwd: folder,
      restart: { enabled: true, max: 2, windowMs: 60_000, backoff: { initialMs: 20, maxMs: 50 } },
    });
    await synapse.spawn(folder, 'main');
    const unhealthy = new Promise((resolve) => synapse.once('unhealthy', resolve));
    await expect(synapse.invoke('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    expect(await unhealthy).toMatchObject({ code: 'START_FAILED' });
    await expect(synapse.invoke('ok')).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('cannot start now'),
    });
    const healthy = new Promise((resolve) => synapse.once('healthy', () => resolve(true)));
    execFileSync('rm', [join(folder, 'broken')]);
    await healthy;
    expect(await synapse.invoke('ok')).toBe('ok');
  });
});

describe('dispose', () => {
  test('twice, or without spawn, is harmless', async () => {
    const synapse = await spawnModule(MODULE);
    await Promise.all([synapse.dispose(), synapse.dispose()]);
    await synapse.dispose();
    await createSynapse().dispose();
  });

  test('rejects what is under way and what waits, and leaves no process', async () => {
    const synapse = await spawnModule(MODULE);
    const pid = await synapse.invoke<number>('pid');
    const calls = [synapse.invoke('sleep', [60]), synapse.invoke('pid')];
    const settled = Promise.allSettled(calls);
    await synapse.dispose();
    for (const call of await settled) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'DISPOSED' } });
    }
    expect(isAlive(pid)).toBe(false);
    await expect(synapse.invoke('pid')).rejects.toMatchObject({
      code: 'DISPOSED',
      message: 'Cannot send inputs to instance before spawning it.',
      hint: 'the instance was disposed of; spawn works again',
    });
  });

  test('ends a worker that ignores SIGTERM, at the grace', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse({ cwd: folder, graceMs: 200 });
    await synapse.spawn(folder, 'main');
    const pid = await synapse.invoke<number>('pid');
    const call = synapse.invoke('deaf').catch((reason: unknown) => reason);
    await until(() => existsSync(join(folder, 'deaf')));
    await synapse.dispose();
    expect(isAlive(pid)).toBe(false);
    expect(await call).toMatchObject({ code: 'DISPOSED' });
  });

  test('ends what the worker started too', async () => {
    const synapse = await spawnModule(MODULE);
    const child = await synapse.invoke<number>('child');
    expect(isAlive(child)).toBe(true);
    await synapse.dispose();
    await until(() => !isAlive(child));
  });

  test('runs on_stop', async () => {
    const folder = createFolder({
      'main.py': `
        from synapse import handler, on_start, on_stop

        @on_start
        def load():
            open("started", "w").close()

        @on_stop
        def close():
            open("stopped", "w").close()

        @handler
        def ok():
            return "ok"
      `,
    });
    const synapse = createSynapse({ cwd: folder });
    await synapse.spawn(folder, 'main');
    expect(existsSync(join(folder, 'started'))).toBe(true);
    await synapse.dispose();
    expect(existsSync(join(folder, 'stopped'))).toBe(true);
  });

  test('during spawn rejects the spawn, and the next spawn works', async () => {
    const folder = createFolder({ 'main.py': `import time\ntime.sleep(0.3)\n${MODULE}` });
    const synapse = createSynapse();
    const spawned = synapse.spawn(folder, 'main').catch((reason: unknown) => reason);
    await new Promise((resolve) => setImmediate(resolve));
    await synapse.dispose();
    expect(await spawned).toMatchObject({ code: 'DISPOSED' });
    const other = createFolder({ 'main.py': MODULE });
    await synapse.spawn(other, 'main');
    expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
  });

  test('spawn during dispose waits for it', async () => {
    const synapse = await spawnModule(MODULE);
    const first = await synapse.invoke('pid');
    const disposed = synapse.dispose();
    await synapse.spawn(createFolder({ 'main.py': MODULE }), 'main');
    await disposed;
    expect(await synapse.invoke('pid')).not.toBe(first);
  });

  test('by await using', async () => {
    let pid = 0;
    {
      await using synapse = await spawnModule(MODULE);
      pid = await synapse.invoke<number>('pid');
    }
    expect(isAlive(pid)).toBe(false);
  });

  test('and spawn, twenty times over, leaves no listener and no process', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const synapse = createSynapse();
    const before = process.listenerCount('exit');
    const pids: number[] = [];
    for (let round = 0; round < 20; round++) {
      await synapse.spawn(folder, 'main');
      pids.push(await synapse.invoke<number>('pid'));
      await synapse.dispose();
    }
    expect(new Set(pids).size).toBe(20);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(process.listenerCount('exit')).toBe(before);
  });
});

describe('spawn', () => {
  test('of the same target does nothing; of another it is refused', async () => {
    const folder = createFolder({ 'main.py': MODULE, 'other.py': MODULE });
    const synapse = createSynapse();
    await synapse.spawn(folder, 'main');
    const pid = await synapse.invoke('pid');
    await synapse.spawn(folder, 'main.py');
    expect(await synapse.invoke('pid')).toBe(pid);
    await expect(synapse.spawn(folder, 'other')).rejects.toMatchObject({ code: 'ALREADY_SPAWNED' });
  });

  test('starts several workers, and spreads calls over them', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    const folder = createFolder({});
    const calls = [1, 2, 3, 4, 5].map(() => synapse.invoke('hold', [join(folder, 'go')]));
    await until(() => synapse.stats().requestsActive === 2);
    expect(synapse.stats().workers.map((worker) => worker.requestsActive)).toEqual([1, 1]);
    expect(synapse.stats()).toMatchObject({ queued: 3, busy: 2, available: 0, requestsHandled: 0 });
    const workers = synapse.workers();
    expect(workers.map((worker) => worker.status)).toEqual(['busy', 'busy']);
    expect(new Set(workers.map(({ pid }) => pid)).size).toBe(2);
    expect(workers.every(({ pid }) => isAlive(pid))).toBe(true);
    writeFileSync(join(folder, 'go'), '');
    await Promise.all(calls);
    expect(synapse.stats()).toMatchObject({ queued: 0, busy: 0, available: 2, requestsHandled: 5 });
  });
});

describe('a deadline', () => {
  test('rejects a running call, and the worker is free again', async () => {
    const synapse = await spawnModule(MODULE);
    const pid = await synapse.invoke('pid');
    await expect(synapse.invoke('sleep', [60], { timeout: 50 })).rejects.toMatchObject({
      name: 'TimeoutError',
      code: 'TIMEOUT',
      phase: 'run',
    });
    // The worker is free again: the next does not wait for it.
    expect(await synapse.invoke('pid')).toBe(pid);
    await expect(synapse.invoke('spin', [], { timeout: 50 })).rejects.toMatchObject({
      phase: 'run',
    });
    expect(await synapse.invoke('pid')).toBe(pid);
  });

  test('rejects a call that waits, and Python never sees it', async () => {
    const synapse = await spawnModule(MODULE);
    const folder = createFolder({});
    const pid = await synapse.invoke('pid');
    const running = synapse.invoke('hold', [join(folder, 'go')]);
    // In the queue, or in the worker's channel: written ahead, behind quick calls.
    await expect(synapse.invoke('leave', [1], { timeout: 30 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    writeFileSync(join(folder, 'go'), '');
    expect(await running).toBe('held');
    // What came to Python in its turn would have ended it before this.
    expect(await synapse.invoke('pid')).toBe(pid);
    expect(synapse.stats()).toMatchObject({ timeouts: 1, restarts: 0 });
  });

  test('by AbortSignal rejects with its reason', async () => {
    const synapse = await spawnModule(MODULE);
    const controller = new AbortController();
    const call = synapse.invoke('sleep', [60], { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(call).rejects.toThrow('enough');
    const reason = { any: 'value' };
    await expect(synapse.invoke('pid', [], { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
  });
});

test('a full queue refuses the next call at once', async () => {
  const synapse = await spawnModule(MODULE, { queue: { max: 2 } });
  const calls = [1, 2, 3].map(() => synapse.invoke('sleep', [0.1]));
  await expect(synapse.invoke('pid')).rejects.toMatchObject({
    name: 'QueueFullError',
    code: 'QUEUE_FULL',
  });
  await Promise.all(calls);
  expect(await synapse.invoke('pid')).toEqual(expect.any(Number));
});

test('queue.timeout: a call that waited too long never runs, and no other is counted', async () => {
  const folder = createFolder({
    'main.py': `
      import os, time
      from synapse import handler

      @handler
      def note(name, until=None):
          with open("notes", "a") as notes:
              notes.write(name)
          # No call is written ahead to a worker that takes milliseconds for one.
          time.sleep(0.05)
          while until is not None and not os.path.exists(until):
              time.sleep(0.005)
          return name
    `,
  });
  const synapse = createSynapse({ cwd: folder, queue: { timeout: 2000 } });
  await synapse.spawn(folder, 'main');
  const note = (...args: unknown[]): Promise<unknown> => synapse.invoke('note', args);
  // What is served in time is not bound by it, however long it runs.
  const served = [note('a'), note('b', 'go')];
  const late = note('c');
  await expect(late).rejects.toMatchObject({
    code: 'TIMEOUT',
    phase: 'queue',
    mayHaveExecuted: false,
  });
  writeFileSync(join(folder, 'go'), '');
  expect(await Promise.all(served)).toEqual(['a', 'b']);
  expect(await note('d')).toBe('d');
  expect(readFileSync(join(folder, 'notes'), 'utf8')).toBe('abd');
  expect(synapse.stats()).toMatchObject({ queueTimeouts: 1, requestsHandled: 3, queued: 0 });
});

test('lower priority numbers run first', async () => {
  const synapse = await spawnModule(`
    from synapse import handler

    seen = []

    @handler
    def note(name):
        import time
        time.sleep(0.02)
        seen.append(name)
        return list(seen)
  `);
  const calls = [
    synapse.invoke('note', ['running']),
    synapse.invoke('note', ['late'], { priority: 5 }),
    synapse.invoke('note', ['normal']),
    synapse.invoke<string[]>('note', ['early'], { priority: -1 }),
  ];
  await Promise.all(calls);
  const seen = await synapse.invoke<string[]>('note', ['end']);
  expect(seen).toEqual(['running', 'early', 'normal', 'late', 'end']);
});

describe('an engine that does not start', () => {
  test('rejects spawn with the reason, and the next spawn works', async () => {
    // Such as an addon of another version. Nothing a user can pass leads to it.
    const start = jest.spyOn(Engine.prototype, 'start').mockImplementationOnce(() => {
      throw new Error('spawn options: unknown field');
    });
    const synapse = createSynapse();
    const folder = createFolder({ 'main.py': MODULE });
    await expect(synapse.spawn(folder, 'main')).rejects.toMatchObject({
      code: 'START_FAILED',
      message: 'the engine did not start: spawn options: unknown field',
    });
    start.mockRestore();
    await synapse.spawn(folder, 'main');
    expect(await synapse.invoke('pid')).toBeGreaterThan(0);
  });
});
