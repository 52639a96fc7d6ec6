/** What an abort reaches and what it leaves alone. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { HandlerContext, SpawnOptions, Synapse, WorkerExit } from '../../ts/index.js';
import { createFolder, createSynapse, until } from '../support/modules.js';

const MODULE = `
  import asyncio, os, time
  from synapse import handler, host

  def note(name):
      with open(name, "a") as file:
          file.write("x")

  @handler
  def pid():
      return os.getpid()

  @handler
  def echo(value):
      return value

  @handler
  def noted(name):
      note(name)
      return name

  @handler
  def hold(name, until):
      note(name)
      while not os.path.exists(until):
          time.sleep(0.005)
      return name

  @handler
  def big_power(name):
      """One operation in C that holds the interpreter for minutes."""
      note(name)
      return len(str(7 ** (10 ** 8)))

  @handler
  def asks(name):
      note(name)
      return host.slow(name).result()
`;

const ASYNC = `${MODULE}
  @handler
  async def wait(name, seconds):
      note(name)
      await asyncio.sleep(seconds)
      return name

  @handler
  async def held(name, until):
      note(name)
      while not os.path.exists(until):
          await asyncio.sleep(0.005)
      return name

  @handler
  async def blocks(name):
      note(name)
      return len(str(7 ** (10 ** 8)))
`;

interface Bench {
  readonly synapse: Synapse;
  /** Lets those go on that hold until there is a file of this name. */
  readonly release: (name: string) => void;
  readonly exits: WorkerExit[];
  /** How often a handler has noted a name. */
  readonly count: (name: string) => number;
}

async function start(source: string, options: SpawnOptions = {}): Promise<Bench> {
  const folder = createFolder({ 'main.py': source });
  const synapse = createSynapse({ graceMs: 15_000, cwd: folder, ...options });
  const exits: WorkerExit[] = [];
  synapse.on('worker:exit', (exit) => exits.push(exit));
  await synapse.spawn(folder, 'main');
  const count = (name: string): number => {
    const file = join(folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
  };
  const release = (name: string): void => writeFileSync(join(folder, name), '');
  return { synapse, exits, count, release };
}

/** Has a worker measured as quick, so that calls are written to it ahead. */
async function warm(synapse: Synapse): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 200 }, (_, index) => synapse.invoke('echo', [index])));
  }
}

describe('a signal', () => {
  test('that is aborted already sends nothing, and its reason is kept', async () => {
    const { synapse, count } = await start(MODULE);
    const reason = Symbol('reason');
    const call = synapse.invoke('noted', ['early'], { signal: AbortSignal.abort(reason) });
    await expect(call).rejects.toBe(reason);
    await expect(
      synapse.invoke('noted', ['early'], { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    await synapse.invoke('echo', [1]);
    expect(count('early')).toBe(0);
  });

  test('that is aborted after the answer does nothing', async () => {
    const { synapse, exits } = await start(MODULE);
    const controller = new AbortController();
    const { signal } = controller;
    expect(await synapse.invoke('echo', [1], { signal })).toBe(1);
    controller.abort();
    expect(await synapse.invoke('echo', [2])).toBe(2);
    expect(exits).toEqual([]);
  });

  test('may be shared by many calls, of which those that are over keep their answers', async () => {
    const { synapse } = await start(ASYNC, { concurrency: 8 });
    const controller = new AbortController();
    const { signal } = controller;
    const quick = synapse.invoke('wait', ['quick', 0], { signal });
    const slow = Array.from({ length: 5 }, () => synapse.invoke('wait', ['slow', 60], { signal }));
    const settled = Promise.allSettled(slow);
    expect(await quick).toBe('quick');
    controller.abort('enough');
    expect(await settled).toEqual(slow.map(() => ({ status: 'rejected', reason: 'enough' })));
  });
});

describe('an aborted call', () => {
  test('that waits in the queue never reaches Python', async () => {
    const { synapse, count, release } = await start(MODULE);
    const running = synapse.invoke('hold', ['running', 'go']);
    const controller = new AbortController();
    const waiting = Array.from({ length: 20 }, () =>
      synapse.invoke('noted', ['waiting'], { signal: controller.signal }),
    );
    const settled = Promise.allSettled(waiting);
    await until(() => count('running') === 1);
    controller.abort('not any more');
    expect((await settled).map(({ status }) => status)).toEqual(waiting.map(() => 'rejected'));
    expect(synapse.stats().queued).toBe(0);
    release('go');
    expect(await running).toBe('running');
    await synapse.invoke('echo', [1]);
    expect(count('waiting')).toBe(0);
  });

  test('that waits in the pipe behind another costs that one nothing', async () => {
    const { synapse, exits, count, release } = await start(MODULE, { graceMs: 100 });
    await warm(synapse);
    const running = synapse.invoke('hold', ['running', 'go']);
    const controller = new AbortController();
    const waiting = synapse.invoke('noted', ['waiting'], { signal: controller.signal });
    await until(() => count('running') === 1);
    controller.abort('not any more');
    await expect(waiting).rejects.toBe('not any more');
    // Far beyond the grace.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    release('go');
    expect(await running).toBe('running');
    await until(() => synapse.stats().requestsActive === 0);
    expect(exits).toEqual([]);
    expect(count('waiting')).toBe(0);
  });

  test('is one of several at once: the others go on', async () => {
    const { synapse, exits, release } = await start(ASYNC, { concurrency: 8 });
    const controllers = Array.from({ length: 6 }, () => new AbortController());
    const calls = controllers.map(({ signal }, index) =>
      synapse.invoke('held', [`${index}`, 'go'], { signal }),
    );
    const settled = Promise.allSettled(calls);
    await synapse.invoke('echo', [1]);
    for (const index of [1, 4]) controllers[index]?.abort(index);
    release('go');
    expect(await settled).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) =>
        [1, 4].includes(index)
          ? { status: 'rejected', reason: index }
          : { status: 'fulfilled', value: `${index}` },
      ),
    );
    expect(exits).toEqual([]);
  });

  test.each(['serial', 'async', 'threads'] as const)(
    'that waits for Node aborts the handler there (%s)',
    async (mode) => {
      const { synapse, exits } = await start(mode === 'async' ? ASYNC : MODULE, {
        mode,
        concurrency: mode === 'serial' ? 1 : 4,
      });
      let aborted: (reason: unknown) => void = () => {};
      const seen = new Promise((resolve) => {
        aborted = resolve;
      });
      let begun = false;
      synapse.handle('slow', async (_name, ctx: HandlerContext) => {
        begun = true;
        await new Promise((_, reject) => {
          ctx.signal.addEventListener('abort', () => {
            aborted(ctx.signal.aborted);
            reject(ctx.signal.reason);
          });
        });
      });
      const controller = new AbortController();
      const call = synapse.invoke('asks', ['asks'], { signal: controller.signal });
      const settled = Promise.allSettled([call]);
      await until(() => begun);
      controller.abort('enough');
      expect(await settled).toEqual([{ status: 'rejected', reason: 'enough' }]);
      expect(await seen).toBe(true);
      expect(await synapse.invoke('echo', ['next'])).toBe('next');
      expect(exits).toEqual([]);
    },
  );
});

describe('a call that does not yield', () => {
  const OPTIONS: SpawnOptions = { graceMs: 150 };

  test('loses its worker, and what waits behind it in the pipe runs on the next', async () => {
    const { synapse, exits, count } = await start(MODULE, OPTIONS);
    await warm(synapse);
    const controller = new AbortController();
    const wedged = synapse.invoke('big_power', ['wedged'], { signal: controller.signal });
    const settled = Promise.allSettled([wedged]);
    const neighbours = Array.from({ length: 50 }, (_, index) =>
      synapse.invoke('noted', [`neighbour ${index}`]),
    );
    await until(() => count('wedged') === 1);
    controller.abort('enough');
    expect(await settled).toEqual([{ status: 'rejected', reason: 'enough' }]);
    expect(await Promise.all(neighbours)).toEqual(
      neighbours.map((_, index) => `neighbour ${index}`),
    );
    for (const index of neighbours.keys()) expect(count(`neighbour ${index}`)).toBe(1);
    expect(exits).toMatchObject([{ reason: 'hung', signal: 'SIGKILL' }]);
  });

  test('at its deadline is told so, and loses its worker', async () => {
    const { synapse, exits } = await start(MODULE, OPTIONS);
    await expect(synapse.invoke('big_power', ['wedged'], { timeout: 200 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'run',
    });
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(exits).toMatchObject([{ reason: 'hung' }]);
  });

  test('takes neighbours that had begun with it, unless they are idempotent', async () => {
    const options: SpawnOptions = { ...OPTIONS, mode: 'async', concurrency: 4 };
    const { synapse, count, release } = await start(ASYNC, options);
    const begun = Promise.allSettled([synapse.invoke('held', ['begun', 'go'])]);
    const again = synapse.invoke('held', ['again', 'go'], { idempotent: true });
    await until(() => count('begun') === 1 && count('again') === 1);
    const controller = new AbortController();
    const wedged = synapse.invoke('blocks', ['wedged'], { signal: controller.signal });
    const settled = Promise.allSettled([wedged]);
    await until(() => count('wedged') === 1);
    const late = synapse.invoke('wait', ['late', 0]);
    controller.abort('enough');
    // The worker that is wedged does not see it any more; the next does.
    release('go');
    expect(await settled).toEqual([{ status: 'rejected', reason: 'enough' }]);
    const [outcome] = await begun;
    expect(outcome).toMatchObject({
      status: 'rejected',
      reason: { code: 'WORKER_EXITED', mayHaveExecuted: true, handler: 'held' },
    });
    expect((outcome as PromiseRejectedResult).reason.message).toMatch(
      /cancelled call had not yielded after 150 ms; this call had begun, and is not idempotent/,
    );
    expect(await again).toBe('again');
    expect(await late).toBe('late');
    expect([count('begun'), count('again'), count('late')]).toEqual([1, 2, 1]);
  });
});

test('a worker that dies takes only what it had begun, however much was written to it', async () => {
  const source = `${MODULE}
  @handler
  def die(name):
      note(name)
      os._exit(3)
  `;
  const { synapse, count } = await start(source);
  await warm(synapse);
  const deaths = Promise.allSettled([synapse.invoke('die', ['death'])]);
  const calls = Array.from({ length: 100 }, (_, index) =>
    synapse.invoke('noted', [`call ${index}`]),
  );
  expect(await deaths).toMatchObject([
    { status: 'rejected', reason: { code: 'WORKER_EXITED', exitCode: 3, mayHaveExecuted: true } },
  ]);
  expect(await Promise.all(calls)).toEqual(calls.map((_, index) => `call ${index}`));
  for (const index of calls.keys()) expect(count(`call ${index}`)).toBe(1);
});
