/** `queue.timeout` reaches calls that lie in a worker already, behind others. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { SpawnOptions, Synapse } from '../../ts/index.js';
import { spawnNode } from '../runtimes/support.js';
import { createFolder, createSynapse, until } from '../support/modules.js';

const TIMEOUT = 1500;

/** Quick calls after which more are written to a worker than it runs. */
const ROUNDS = 20;
const BURST = 100;

const MODULE = `
  import os, signal, time
  from synapse import handler

  @handler
  def quick(_): return None

  @handler
  def note(name):
      with open("notes", "a") as notes:
          notes.write(name)
      return name

  @handler
  def hold(path):
      open("holds", "w").close()
      while not os.path.exists(path):
          time.sleep(0.005)
      return "held"

  @handler
  def stop(path):
      open("holds", "w").close()
      os.kill(os.getpid(), signal.SIGSTOP)
      return hold(path)
`;

const ASYNCHRONOUS = MODULE.replaceAll('def ', 'async def ')
  .replace('import os,', 'import asyncio, os,')
  .replace('time.sleep(0.005)', 'await asyncio.sleep(0.005)')
  .replace('return hold(path)', 'return await hold(path)');

interface World {
  readonly synapse: Synapse;
  readonly folder: string;
  note(name: string): Promise<unknown>;
  notes(): string;
}

/** A pool of one worker that has been found so quick that calls are written to it ahead. */
async function world(source: string, options: SpawnOptions = {}): Promise<World> {
  const folder = createFolder({ 'main.py': source, notes: '' });
  const synapse = createSynapse({ cwd: folder, queue: { timeout: TIMEOUT }, ...options });
  await synapse.spawn(folder, 'main');
  await warm(synapse);
  return {
    synapse,
    folder,
    note: (name) => synapse.invoke('note', [name]),
    notes: () => readFileSync(join(folder, 'notes'), 'utf8'),
  };
}

async function warm(synapse: Synapse): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(Array.from({ length: BURST }, () => synapse.invoke('quick', [0])));
  }
}

/** What became of calls, in order. */
async function outcomes(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  return Promise.all(
    calls.map((call) =>
      call.catch((error: { code: string; phase: string; mayHaveExecuted: boolean }) => [
        error.code,
        error.phase,
        error.mayHaveExecuted,
      ]),
    ),
  );
}

const LATE = ['TIMEOUT', 'queue', false];

describe.each([
  ['one at a time', MODULE, {}],
  ['in threads', MODULE, { mode: 'threads', concurrency: 2 }],
  ['in an event loop', ASYNCHRONOUS, { concurrency: 2 }],
] as const)('%s', (_, source, options) => {
  const holds = 'concurrency' in options ? 2 : 1;

  test('what waits in a busy worker for too long never runs, and what runs goes on', async () => {
    const { synapse, folder, note, notes } = await world(source, options);
    const busy = Array.from({ length: holds }, () => synapse.invoke('hold', ['go']));
    const late = ['a', 'b', 'c'].map(note);
    await until(() => existsSync(join(folder, 'holds')));
    expect(synapse.stats()).toMatchObject({ queued: 0, requestsActive: holds + 3 });
    expect(await outcomes(late)).toEqual([LATE, LATE, LATE]);
    expect(synapse.stats()).toMatchObject({ queueTimeouts: 3, timeouts: 3 });
    const later = note('d');
    writeFileSync(join(folder, 'go'), '');
    expect(await Promise.all(busy)).toEqual(Array(holds).fill('held'));
    expect(await later).toBe('d');
    expect(await note('e')).toBe('e');
    expect(notes()).toBe('de');
    expect(synapse.stats()).toMatchObject({ requestsHandled: ROUNDS * BURST + holds + 2 });
  });

  test('nor does it when the worker was stopped meanwhile and goes on', async () => {
    const { synapse, folder, note, notes } = await world(source, options);
    const pid = synapse.stats().workers[0]?.pid ?? 0;
    const busy = synapse.invoke('stop', ['go']);
    const others = Array.from({ length: holds - 1 }, () => synapse.invoke('hold', ['go']));
    const late = ['a', 'b', 'c'].map(note);
    expect(await outcomes(late)).toEqual([LATE, LATE, LATE]);
    writeFileSync(join(folder, 'go'), '');
    process.kill(pid, 'SIGCONT');
    expect(await busy).toBe('held');
    await outcomes(others);
    expect(await note('d')).toBe('d');
    expect(notes()).toBe('d');
    expect(synapse.stats().workers[0]?.pid).toBe(pid);
  });
});

test('a worker that is stopped before it begins anything is replaced, and its calls are told', async () => {
  const { synapse, note, notes } = await world(MODULE, { heartbeat: false, graceMs: 500 });
  const pid = synapse.stats().workers[0]?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  expect(await outcomes(['a', 'b', 'c'].map(note))).toEqual([LATE, LATE, LATE]);
  await until(() => synapse.stats().workers[0]?.pid !== pid);
  expect(await note('d')).toBe('d');
  expect(notes()).toBe('d');
});

test('a deadline before it is a timeout while running, of which nothing is claimed', async () => {
  const { synapse, folder, note, notes } = await world(MODULE);
  const busy = synapse.invoke('hold', ['go']);
  const late = synapse.invoke('note', ['a'], { timeout: 100 });
  expect(await outcomes([late])).toEqual([['TIMEOUT', 'run', true]]);
  writeFileSync(join(folder, 'go'), '');
  expect(await busy).toBe('held');
  expect(await note('b')).toBe('b');
  expect(notes()).toBe('b');
});

test('a worker that keeps no journal runs what was written to it, however late', async () => {
  const synapse = await spawnNode(
    `
      const seen = [];
      handler('quick', () => null);
      handler('note', (name) => seen.push(name));
      handler('seen', () => seen);
      handler('hold', (ms) => {
        for (const end = Date.now() + ms; Date.now() < end; );
        return 'held';
      });
    `,
    { queue: { timeout: 100 } },
  );
  await warm(synapse);
  const busy = synapse.invoke('hold', [600]);
  const late = ['a', 'b'].map((name) => synapse.invoke('note', [name]));
  expect(await busy).toBe('held');
  expect(await outcomes(late)).toEqual([1, 2]);
  expect(await synapse.invoke('seen')).toEqual(['a', 'b']);
  expect(synapse.stats()).toMatchObject({ queueTimeouts: 0 });
});
