/**
 * Calls of every kind, aborted at every moment, on real workers. A run is repeated as far as a seed
 * can repeat what processes do:
 *
 * - `SYNAPSE_ABORT_STEPS=<count>`: calls in all, 10,000 by default; a fifth of them where workers die
 * - `SYNAPSE_ABORT_SEED=<seed>`: printed by every run
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { WorkerExit } from '../../ts/index.js';
import { createFolder, spawnModule, until } from '../support/modules.js';
import {
  type Ended,
  expectNothingLeft,
  handleAsked,
  MODES,
  Run,
  SEED,
  STALLED,
  STEPS,
} from '../support/random-calls.js';

describe(`SYNAPSE_ABORT_SEED=${SEED}`, () => {
  test.each(MODES)(
    '%s: nothing is lost, stalls or leaks',
    async (_mode, source, names, options) => {
      const synapse = await spawnModule(source, { workers: 2, graceMs: 15_000, ...options });
      handleAsked(synapse);
      const pids = synapse.workers().map(({ pid }) => pid);

      const steps = Math.ceil(STEPS / MODES.length);
      const run = new Run({ synapse, names, seed: SEED, steps });
      await run.finish();

      expect([...run.counts.keys()].sort()).toEqual(['aborted', 'answered', 'failed', 'timed out']);
      // Calls that were given up while they ran are answered in the end.
      await until(() => synapse.stats().requestsActive === 0);
      expect(synapse.stats()).toMatchObject({ queued: 0, restarts: 0, status: 'ready' });
      expect(synapse.workers().map(({ pid }) => pid)).toEqual(pids);
      await expectNothingLeft(synapse);
    },
    STALLED + STEPS * 20,
  );

  test.each(MODES)(
    '%s, where workers die: every call ends, with the truth',
    async (_mode, source, names, options) => {
      const notes = join(createFolder({ notes: '' }), 'notes');
      const synapse = await spawnModule(source, {
        workers: 3,
        graceMs: 15_000,
        env: { NOTES: notes },
        restart: { max: 1_000_000, backoff: { initialMs: 1, factor: 1, maxMs: 1 } },
        ...options,
      });
      handleAsked(synapse);
      const exits: WorkerExit[] = [];
      synapse.on('worker:exit', (exit) => exits.push(exit));

      const steps = Math.ceil(STEPS / MODES.length / 5);
      const run = new Run({ synapse, names, seed: SEED, steps, deaths: true });
      await run.finish();

      expect(run.ended.length).toBe(steps);
      expect([...run.counts.keys()]).toContain('worker exited');
      await until(() => {
        const isReady = synapse.workers().every(({ status }) => status === 'ready');
        return isReady && synapse.workers().length === 3 && synapse.stats().requestsActive === 0;
      });
      const { restarts, ...stats } = synapse.stats();
      expect(stats).toMatchObject({ queued: 0, status: 'ready' });
      expect(restarts).toBe(exits.length);
      expect(exits.map(({ reason }) => reason)).toEqual(exits.map(() => 'exited'));
      await expectNothingLeft(synapse);

      const runs = countLines(readFileSync(notes, 'latin1'));
      for (const ended of run.ended) expectTruth(ended, runs.get(`${ended.number}`) ?? 0, exits);
    },
    STALLED + STEPS * 20,
  );
});

/** How often each line is there. */
function countLines(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** Expects what a call was told to be what has happened. @param runs how often Python began it */
function expectTruth(ended: Ended, runs: number, exits: readonly WorkerExit[]): void {
  const { number, name, end, idempotent, count } = ended;
  const told = { number, name, end, idempotent, runs };
  if (end === 'answered' && !(name.endsWith('items') && count === 0)) {
    expect({ ...told, hasRun: runs > 0 }).toEqual({ ...told, hasRun: true });
  }
  const most = idempotent ? 2 : 1;
  expect({ ...told, isRepeated: runs > most }).toEqual({ ...told, isRepeated: false });
  if (end !== 'worker exited') return;
  const { worker, exitCode, signal, mayHaveExecuted } = ended.error as Record<string, unknown>;
  const exit = exits.find(({ worker: id }) => id === worker);
  expect({ ...told, exitCode, signal }).toEqual({
    ...told,
    exitCode: exit?.code,
    signal: exit?.signal,
  });
  if (mayHaveExecuted === false) expect({ ...told }).toEqual({ ...told, runs: 0 });
  else expect({ ...told, mayHaveExecuted }).toEqual({ ...told, mayHaveExecuted: true });
}
