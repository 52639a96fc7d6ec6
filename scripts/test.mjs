// `npm test`: installs what is missing, builds, and runs every suite.
// `npm test -- --only jest,rust` runs some of them, by name or by group.

import { parseArgs } from 'node:util';
import { buildFacade, buildNative } from './lib/build.mjs';
import { install } from './lib/install.mjs';
import { main } from './lib/main.mjs';
import { preparePython } from './lib/python.mjs';
import { report } from './lib/report.mjs';
import { prepareRuby } from './lib/ruby.mjs';
import { chooseSuites } from './lib/suites.mjs';

/** Installs and builds. What fails here is the run's one failure: nothing can be tested. */
async function prepare() {
  try {
    await install();
    await preparePython();
    await prepareRuby();
    await buildNative();
    await buildFacade();
    return true;
  } catch (error) {
    process.stdout.write(`\n${error.message}\n\n0 passed, 1 failed\n`);
    return false;
  }
}

await main(async () => {
  const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
  const names = (values.only ?? []).flatMap((list) => list.split(',')).filter(Boolean);
  const suites = chooseSuites(names);
  if (!(await prepare()) || !(await report(suites))) process.exitCode = 1;
});
