// Builds everything that is generated: `native/` from the crate, `dist/` from `ts/`.
// `--native` and `--facade` build one of the two.

import { buildFacade, buildNative } from './lib/build.mjs';
import { install } from './lib/install.mjs';
import { main } from './lib/main.mjs';

await main(async () => {
  await install();
  const chosen = process.argv.slice(2);
  if (chosen.length === 0 || chosen.includes('--native')) await buildNative();
  if (chosen.length === 0 || chosen.includes('--facade')) await buildFacade();
});
