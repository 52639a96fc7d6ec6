/** Runs the user's file, whichever of the two module formats it has. */

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { provideSdk } from './resolve.js';

/** Errors by which `require` tells that a file has to be imported. */
const IS_MODULE = new Set(['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE']);

/** Runs `entry` to its end, top-level `await` included. */
export async function load(entry: string): Promise<void> {
  process.argv[1] = entry;
  process.argv.length = 2;
  provideSdk(entry);
  if (!/\.m[jt]s$/.test(entry)) {
    try {
      // Quicker than `import`, which reads the file for the names that it exports.
      createRequire(entry)(entry);
      return;
    } catch (cause) {
      if (!IS_MODULE.has((cause as NodeJS.ErrnoException)?.code ?? '')) throw cause;
    }
  }
  await import(pathToFileURL(entry).href);
}
