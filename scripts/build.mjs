// Builds everything that is generated: `native/` from the crate, `dist/` from `ts/`.
// `--native` and `--facade` build one of the two. What follows `--` goes to `napi build`.

import { parseArgs } from 'node:util';
import { buildFacade, buildNative } from './lib/build.mjs';
import { install } from './lib/install.mjs';
import { main } from './lib/main.mjs';

await main(async () => {
  const { values, positionals } = parseArgs({
    options: { native: { type: 'boolean' }, facade: { type: 'boolean' } },
    allowPositionals: true,
  });
  const both = !values.native && !values.facade;
  await install();
  if (both || values.native) await buildNative(positionals);
  if (both || values.facade) await buildFacade();
});
