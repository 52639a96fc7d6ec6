/** Python modules for specs that need numpy, pydantic, Arrow and the like: an environment of its own. */

import { join } from 'node:path';
import { beforeAll } from '@jest/globals';
import { type SpawnOptions, Synapse } from '../../ts/index.js';

const FOLDER = join(__dirname, '..', 'fixtures', 'data');

/** The environment's folder, as the option `python` takes it. */
export const libraries = join(FOLDER, '.venv');

/** Options that make `spawn` use it. */
export const withLibraries: SpawnOptions = { python: libraries };

beforeAll(async () => {
  // Built once for all runs: later spawns find it finished.
  const synapse = new Synapse();
  await synapse.spawn(FOLDER, 'main');
  await synapse.dispose();
}, 600_000);
