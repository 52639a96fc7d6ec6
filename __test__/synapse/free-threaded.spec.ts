/** Threads of a worker in an interpreter without a global lock; which one is said in docs/testing.md. */

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { InfoReply, Synapse } from '../../ts/index.js';
import { spawnModule } from '../support/modules.js';

const PYTHON = find();
const REASON = 'SYNAPSE_FREE_THREADED is not set, and PATH has neither python3.14t nor python3.13t';
const describeIfThere = PYTHON === undefined ? describe.skip : describe;

const WAVES = 15;
const AT_ONCE = 20;

/** Two calls that wait for each other, computing: with a global lock the first would never let go of it. */
const MEETING = `
  import sys
  from synapse import handler

  turns = [0, 0]

  @handler
  def meet(own):
      sys.setswitchinterval(1000)
      for _ in range(10 ** 9):
          if turns[own] >= 100 and turns[1 - own] >= 100:
              return True
          if turns[own] <= turns[1 - own]:
              turns[own] += 1
      return False
`;

const MODULE = `
  from synapse import context, handler, host

  @handler
  def add(number, values):
      return number + sum(values)

  @handler
  def count(number):
      for item in range(20):
          yield number + item

  @handler
  def ask(number):
      return host.double(number).result() + sum(host.parts(number))

  @handler
  def keep(number):
      context().session["sum"] = context().session.get("sum", 0) + number
      return context().session["sum"]

  @handler
  def spin(number):
      while True:
          pass

  @handler
  def large(number, data):
      return data + bytes([number % 256]) * 300_000
`;

/** A free-threaded interpreter of this machine. */
function find(): string | undefined {
  const { SYNAPSE_FREE_THREADED: named, PATH = '' } = process.env;
  const known = PATH.split(delimiter).flatMap((folder) =>
    ['python3.14t', 'python3.13t'].map((name) => join(folder, name)),
  );
  return [...(named === undefined ? [] : [named]), ...known].find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

async function spawn(concurrency: number, module = MODULE): Promise<Synapse> {
  const python = PYTHON ?? 'python3';
  return spawnModule(module, { python, installer: 'none', mode: 'threads', concurrency });
}

describeIfThere(`without a global lock (${PYTHON ?? REASON})`, () => {
  test('two calls compute at the same time', async () => {
    const synapse = await spawn(2, MEETING);
    const both = Promise.all([synapse.invoke('meet', [0]), synapse.invoke('meet', [1])]);
    expect(await both).toEqual([true, true]);
    expect((await synapse.invoke<InfoReply>('synapse.info', [])).gil).toBe(false);
  });

  test('each call gets its own answer, whatever runs beside it', async () => {
    const synapse = await spawn(8);
    synapse.handle('double', (number: number) => 2 * number);
    synapse.handle('parts', function* (number: number) {
      yield number;
      yield 1;
    });
    const answered = new Map<string, number>();
    const note = (name: string, number: number): void => {
      const key = `${name} ${number}`;
      answered.set(key, (answered.get(key) ?? 0) + 1);
    };
    const large = Buffer.alloc(300_000, 7);
    const calls = (number: number): Promise<void>[] => [
      synapse.invoke('add', [number, [1, 2, 3]]).then((sum) => {
        expect(sum).toBe(number + 6);
        note('add', number);
      }),
      collect(synapse, number).then((items) => {
        expect(items).toEqual(Array.from({ length: 20 }, (_, item) => number + item));
        note('count', number);
      }),
      synapse.invoke('ask', [number]).then((sum) => {
        expect(sum).toBe(3 * number + 1);
        note('ask', number);
      }),
      synapse.invoke<Buffer>('large', [number, large]).then((data) => {
        const added = Buffer.alloc(300_000, number % 256);
        expect(data.equals(Buffer.concat([large, added]))).toBe(true);
        note('large', number);
      }),
    ];
    for (let wave = 0; wave < WAVES; wave++) {
      const numbers = Array.from({ length: AT_ONCE }, (_, index) => wave * AT_ONCE + index);
      const spinning = numbers
        .slice(0, 4)
        .map((number) => cancelled(synapse, number).then(() => note('spin', number)));
      await Promise.all([...spinning, ...numbers.flatMap(calls)]);
    }
    expect(answered.size).toBe(WAVES * (4 * AT_ONCE + 4));
    expect([...answered.values()].every((times) => times === 1)).toBe(true);
    // What was cancelled has ended, too: only this call runs.
    while ((await synapse.invoke<InfoReply>('synapse.info', [])).calls > 1) await wait(5);
    expect(synapse.workers()).toHaveLength(1);
    expect(synapse.stats().restarts).toBe(0);
  });

  test('what a session holds is kept', async () => {
    const synapse = await spawn(4);
    const session = synapse.session('one');
    for (let number = 1; number <= 50; number++) {
      expect(await session.invoke('keep', [1])).toBe(number);
    }
  });
});

async function collect(synapse: Synapse, number: number): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of synapse.stream('count', [number])) items.push(item);
  return items;
}

/** A call that would run for ever, and is cancelled. */
async function cancelled(synapse: Synapse, number: number): Promise<void> {
  const signal = AbortSignal.timeout(20 + (number % 7));
  const spinning = synapse.invoke('spin', [number], { signal });
  await expect(spinning).rejects.toMatchObject({ name: 'TimeoutError' });
}
