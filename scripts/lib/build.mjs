// The two halves of the build.

import { copyFileSync, rmSync } from 'node:fs';
import { inModules, inProject } from './project.mjs';
import { must } from './run.mjs';

/** Compiles the crate to `native/synapse.<platform>.node` and writes its loader and types. */
export async function buildNative(options = []) {
  const cli = inModules('@napi-rs', 'cli', 'dist', 'cli.js');
  await must([
    process.execPath,
    cli,
    'build',
    '--platform',
    '--release',
    '--output-dir',
    'native',
    '--js',
    'binding.cjs',
    '--dts',
    'binding.d.cts',
    ...options,
  ]);
}

/** Compiles `ts/` to `dist/`, and lays the golden values beside it that `synapse conformance` sends. */
export async function buildFacade() {
  rmSync(inProject('dist'), { recursive: true, force: true });
  await must([
    process.execPath,
    inModules('typescript', 'bin', 'tsc'),
    '-p',
    'tsconfig.build.json',
  ]);
  copyFileSync(inProject('__test__', 'vectors', 'values.json'), inProject('dist', 'vectors.json'));
}
