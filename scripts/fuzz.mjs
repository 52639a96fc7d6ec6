// `node scripts/fuzz.mjs [target…] [--seconds 60]`: fuzzes the wire, from the golden vectors on.
// Needs a nightly Rust toolchain and cargo-fuzz.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { inProject } from './lib/project.mjs';

const targets = ['decoder', 'stdio', 'control', 'received'];

/** Writes the golden vectors where the fuzzer looks for inputs, in the shape that a target takes. */
function seed(target) {
  const folder = inProject('bench', 'fuzz', 'corpus', target);
  mkdirSync(folder, { recursive: true });
  const vectors = JSON.parse(readFileSync(inProject('__test__', 'vectors', 'frames.json'), 'utf8'));
  const lists = [vectors.frames, vectors.malformed, vectors.stdio];
  for (const [index, { hex }] of lists.flat().entries()) {
    // The first bytes say how the stream is cut.
    const head = target === 'received' ? [0xff, 0xff] : [0xff];
    writeFileSync(
      join(folder, `vector-${index}`),
      Buffer.concat([Buffer.from(head), Buffer.from(hex, 'hex')]),
    );
  }
  return folder;
}

function fuzz(target, seconds) {
  const corpus = seed(target);
  const options = [`-max_total_time=${seconds}`, '-max_len=4096'];
  const { status } = spawnSync(
    'cargo',
    [
      '+nightly',
      'fuzz',
      'run',
      '--fuzz-dir',
      inProject('bench', 'fuzz'),
      target,
      corpus,
      '--',
      ...options,
    ],
    { cwd: inProject(), stdio: 'inherit' },
  );
  return status === 0;
}

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !targets.includes(name));
if (unknown.length > 0) throw new Error(`unknown target ${unknown}; there are ${targets}`);
const failed = (positionals.length > 0 ? positionals : targets).filter(
  (target) => !fuzz(target, Number(values.seconds)),
);
if (failed.length > 0) {
  console.error(`findings in ${failed}: see bench/fuzz/artifacts`);
  process.exitCode = 1;
}
