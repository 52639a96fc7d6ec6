// `npm run package`: makes the tarballs of the main package and of the platforms that are built.
// `npm run package -- <folder>` puts them elsewhere than into `packages/`.

import { resolve } from 'node:path';
import { main } from './lib/main.mjs';
import { pack } from './lib/pack.mjs';
import { inProject } from './lib/project.mjs';

await main(async () => {
  const folder = process.argv[2];
  const tarballs = await pack(folder === undefined ? inProject('packages') : resolve(folder));
  process.stdout.write(`${[tarballs.main, ...tarballs.platforms].join('\n')}\n`);
});
