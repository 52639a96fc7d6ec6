/** Workers in Node and Ruby for specs. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe } from '@jest/globals';
import type { SpawnOptions, Synapse } from '../../ts/index.js';
import { createFolder, createSynapse } from '../support/modules.js';

/** An instance whose worker is `source`, an ES module that has the SDK's names and `sleep`. */
export async function spawnNode(source: string, options: SpawnOptions = {}): Promise<Synapse> {
  const synapse = createSynapse({ runtime: 'node', ...options });
  await synapse.spawn(createFolder({ 'worker.mjs': nodeSource(source) }), 'worker');
  return synapse;
}

/** The whole file of such a worker. */
export function nodeSource(source: string): string {
  return `import * as sdk from '@himalaya-quant/synapse/worker';
const { handler, host, context, onStart, onStop, kwargs, ndarray, Handlers } = sdk;
const sleep = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));
${source}`;
}

/** The folder of the Ruby example. */
export const RUBY = join(__dirname, '..', '..', 'examples', 'ruby');

/** Specs that run Ruby. `npm test` installs it; elsewhere than on Linux nobody does. */
export function describeRuby(name: string, specs: () => void): void {
  const run = process.platform === 'linux' ? describe : describe.skip;
  run(name, () => {
    beforeAll(() => {
      const probe = spawnSync('ruby', ['-rmsgpack', '-e', '0'], { encoding: 'utf8' });
      if (probe.status === 0) return;
      const reason = probe.error?.message ?? probe.stderr;
      throw new Error(`Ruby with msgpack is missing (apt-get install ruby-msgpack): ${reason}`);
    });
    specs();
  });
}
