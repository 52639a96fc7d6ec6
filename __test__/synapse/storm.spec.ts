/**
 * `kill -9` of random workers under steady load, on real processes, for a while. It takes
 * `SYNAPSE_STORM_SECONDS` (default 20); `SYNAPSE_STORM_SEED` repeats the choices of a run, though not
 * the moments at which they hit.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { CallOptions, Synapse, SynapseError } from '../../ts/index.js';
import { createFolder, createSynapse, isAlive, killProcess, until } from '../support/modules.js';
import { Random } from '../support/random.js';

const SECONDS = Number(process.env['SYNAPSE_STORM_SECONDS'] ?? 20);
const SEED = Number(process.env['SYNAPSE_STORM_SEED'] ?? Date.now() % 1_000_000);

const WORKERS = 3;
const CALLERS = 12;
const BETWEEN_KILLS_MS = [20, 250] as const;

const MODULE = `
  import os, time
  from synapse import handler

  runs = os.open("runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

  @handler
  def work(number, seconds):
      # One write is one line, whoever else writes.
      os.write(runs, b"%d\\n" % number)
      time.sleep(seconds)
      return number

  @handler
  def count(number, seconds):
      for item in range(5):
          time.sleep(seconds / 5)
          yield number + item
`;

/** What has become of the calls. */
interface Tally {
  made: number;
  answered: number;
  /** Rejected because the worker was killed. */
  told: number;
  /** Numbers of plain calls that may have run once at most. */
  readonly once: Set<number>;
  /** Numbers of calls that were rejected as never having run. */
  readonly neverRan: Set<number>;
  /** What must not be. */
  readonly faults: string[];
}

test(
  `random workers are killed under steady load for ${SECONDS} s (seed ${SEED})`,
  async () => {
    const folder = createFolder({ 'main.py': MODULE, runs: '' });
    const synapse = createSynapse({
      cwd: folder,
      workers: WORKERS,
      restart: { max: 1e6, backoff: { initialMs: 1, maxMs: 20 }, callDeaths: 0 },
    });
    const started = new Set<number>();
    synapse.on('worker:start', ({ pid }) => started.add(pid));
    await synapse.spawn(folder, 'main');

    const random = new Random(SEED);
    const tally: Tally = {
      made: 0,
      answered: 0,
      told: 0,
      once: new Set(),
      neverRan: new Set(),
      faults: [],
    };
    const end = performance.now() + SECONDS * 1000;
    let isOver = false;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (!isOver) await callOnce(synapse, random, tally);
    });
    const kills = await killAtRandom(synapse, random, tally, end);
    isOver = true;
    await Promise.all(callers);

    expect(tally.faults).toEqual([]);
    expect(tally.answered + tally.told).toBe(tally.made);
    expect(kills).toBeGreaterThan(SECONDS);
    expect(tally.told).toBeGreaterThan(0);
    expect(tally.answered).toBeGreaterThan(tally.told);

    // What Python wrote down says the same as the errors.
    const runs = readFileSync(join(folder, 'runs'), 'latin1').trimEnd().split('\n').map(Number);
    const times = new Map<number, number>();
    for (const number of runs) times.set(number, (times.get(number) ?? 0) + 1);
    expect([...tally.once].filter((number) => (times.get(number) ?? 0) > 1)).toEqual([]);
    expect([...tally.neverRan].filter((number) => times.has(number))).toEqual([]);

    // Back to its size, with nothing left over, and it works.
    await until(() => isWhole(synapse));
    expect(synapse.stats()).toMatchObject({ requestsActive: 0, queued: 0, status: 'ready' });
    expect(await synapse.invoke('work', [-1, 0])).toBe(-1);
    const alive = synapse.workers().map(({ pid }) => pid);
    expect([...started].filter(isAlive).sort()).toEqual(alive.sort());
    expect(started.size).toBeGreaterThan(WORKERS);
  },
  SECONDS * 1000 + 300_000,
);

/** Makes one call of a random kind and looks at how it ends. */
async function callOnce(synapse: Synapse, random: Random, tally: Tally): Promise<void> {
  const number = 10 * ++tally.made;
  const seconds = random.next() * 0.03;
  const kind = random.pick(['plain', 'plain', 'idempotent', 'stream'] as const);
  try {
    if (kind === 'stream') {
      let next = number;
      for await (const item of synapse.stream<number>('count', [number, seconds])) {
        if (item !== next) tally.faults.push(`stream ${number}: item ${item} instead of ${next}`);
        next++;
      }
      if (next !== number + 5) tally.faults.push(`stream ${number}: ended at ${next}`);
    } else {
      if (kind === 'plain') tally.once.add(number);
      const options: CallOptions = { idempotent: kind === 'idempotent' };
      const answer = await synapse.invoke('work', [number, seconds], options);
      if (answer !== number) tally.faults.push(`call ${number}: answer ${String(answer)}`);
    }
    tally.answered++;
  } catch (reason) {
    tally.told++;
    const { code, signal, mayHaveExecuted } = reason as SynapseError & { signal?: string };
    if (code !== 'WORKER_EXITED' || signal !== 'SIGKILL') {
      tally.faults.push(`${kind} ${number}: ${String(reason)}`);
    }
    if (kind !== 'stream' && mayHaveExecuted === false) tally.neverRan.add(number);
  }
}

/** Kills workers, whatever they do just then, also such as have only just started. */
async function killAtRandom(
  synapse: Synapse,
  random: Random,
  tally: Tally,
  end: number,
): Promise<number> {
  const [shortest, longest] = BETWEEN_KILLS_MS;
  let kills = 0;
  // On a slow machine it goes on until there were enough of both.
  while (performance.now() < end || kills <= SECONDS || tally.told === 0) {
    await wait(shortest + random.below(longest - shortest));
    // Where a start takes longer than a worker is left alive, nothing would ever be answered.
    if (tally.answered <= tally.told + 2 * CALLERS) continue;
    const victims = synapse.workers().filter(({ pid, status }) => pid > 0 && status !== 'stopped');
    // Now and then all of them at once.
    const chosen = random.chance(5) ? victims : [random.pick(victims)].filter(Boolean);
    for (const { pid } of chosen) {
      if (!isAlive(pid)) continue;
      killProcess(pid);
      kills++;
    }
  }
  return kills;
}

function isWhole(synapse: Synapse): boolean {
  const workers = synapse.workers();
  return workers.length === WORKERS && workers.every(({ status }) => status === 'ready');
}
