/**
 * Instructions of one call through the engine alone, and what its data misses of the caches, by numbers
 * of workers and of calls that wait: `node bench/engine/instructions.mjs`. Time on a machine that has
 * other things to do says little about either. Needs valgrind; the caches are those that it simulates
 * (`CACHES`). A cell is the difference of two runs, so that what was before the first step is left out.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WORKERS = [1, 10, 100, 1_000];
const QUEUED = [10, 1_000, 100_000, 1_000_000];
const STEPS = 20_000;
/** 48 KiB beside each core, 2 MiB behind them, by lines of 64 bytes. */
const CACHES = ['--cache-sim=yes', '--D1=49152,12,64', '--LL=2097152,16,64'];

const BENCH = ['bench', '--no-default-features', '--bench', 'engine'];

function run(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`"${command}" does not run: ${error.message}`);
  if (status !== 0) throw new Error(`"${command}" ended with code ${status}:\n${stderr}`);
  return { stdout, stderr };
}

/** Builds the bench and gives the path of its program. */
function build() {
  const { stdout } = run('cargo', [...BENCH, '--no-run', '--message-format=json']);
  const messages = stdout.split('\n').filter((line) => line.startsWith('{'));
  const programs = messages.map((line) => JSON.parse(line).executable);
  return programs.filter((path) => typeof path === 'string').at(-1);
}

/** What valgrind counts in a run of `steps`. */
function count(program, directory, cell, steps) {
  const out = `--cachegrind-out-file=${join(directory, 'cachegrind')}`;
  const args = ['--tool=cachegrind', ...CACHES, out, program, '--cell', ...cell, steps];
  const { stderr } = run('valgrind', args.map(String));
  const read = (name) => {
    const line = new RegExp(`${name}:\\s+([\\d,]+)`).exec(stderr);
    if (line === null) throw new Error(`valgrind does not say "${name}":\n${stderr}`);
    return Number(line[1].replaceAll(',', ''));
  };
  return [read('I\\s+refs'), read('D1\\s+misses'), read('LLd misses')];
}

const program = process.argv[2] ?? build();
const directory = mkdtempSync(join(tmpdir(), 'synapse-instructions-'));
const heading = QUEUED.map((queued) => queued.toLocaleString('en')).join(' | ');
console.log('instructions a call / misses of the first cache / of the last\n');
console.log(`| workers, by calls that wait | ${heading} |`);
console.log(`|---|${'---|'.repeat(QUEUED.length)}`);
try {
  for (const workers of WORKERS) {
    const cells = QUEUED.map((queued) => {
      const before = count(program, directory, [workers, queued], 0);
      const after = count(program, directory, [workers, queued], STEPS);
      const [instructions, first, last] = after.map((sum, kind) => (sum - before[kind]) / STEPS);
      return `${instructions.toFixed(0)} / ${first.toFixed(1)} / ${last.toFixed(1)}`;
    });
    console.log(`| ${workers.toLocaleString('en')} | ${cells.join(' | ')} |`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
