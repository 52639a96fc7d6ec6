// `npm start`: installs what is missing, builds, and runs the quickstart example.

import { buildFacade, buildNative } from './lib/build.mjs';
import { install } from './lib/install.mjs';
import { main } from './lib/main.mjs';
import { inProject } from './lib/project.mjs';
import { must } from './lib/run.mjs';

await main(async () => {
  await install();
  await buildNative();
  await buildFacade();
  await must([process.execPath, inProject('examples', 'quickstart', 'main.mjs')]);
});
