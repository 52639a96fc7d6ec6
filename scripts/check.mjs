// `npm run check`: formatting, lints and types of all three languages, without the tests.

import { buildNative } from './lib/build.mjs';
import { install } from './lib/install.mjs';
import { main } from './lib/main.mjs';
import { preparePython } from './lib/python.mjs';
import { report } from './lib/report.mjs';
import { suites } from './lib/suites.mjs';

await main(async () => {
  await install();
  await preparePython();
  // The types of the facade stand on the generated types of the crate.
  await buildNative();
  if (!(await report(suites.filter(({ quick }) => quick)))) process.exitCode = 1;
});
