/** Runs the user's file, whichever of the two module formats it has. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { provideSdk } from './resolve.js';

/** Errors by which `require` tells that a file has to be imported. */
const IS_MODULE = new Set(['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE']);

/** Runs `entry` to its end, top-level `await` included. */
export async function load(entry: string): Promise<void> {
  process.argv[1] = entry;
  process.argv.length = 2;
  provideSdk(entry);
  if (!isModule(entry)) {
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

/** Whether a file is an ES module by its extension, or by the package that it lies in. */
function isModule(entry: string): boolean {
  const extension = extname(entry);
  if (extension !== '.js' && extension !== '.ts')
    return extension === '.mjs' || extension === '.mts';
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    try {
      const manifest = readFileSync(join(folder, 'package.json'), 'utf8');
      return (JSON.parse(manifest) as { type?: unknown }).type === 'module';
    } catch {
      // None here, or none that can be read: Node looks further up as well.
    }
    if (folder === dirname(folder)) return false;
  }
}
