// Draws `msgpackr` into the one compiled file that imports it.
//
// As an ordinary dependency it would bring an optional package with an install script, of which
// npm warns our users. Its portable entry is taken, without that native part.

import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { inModules, inProject } from './project.mjs';

const bundled = /\brequire\("msgpackr"\)/;

/** Rewrites, in place, each file of `dist/` that requires a bundled package. */
export async function bundleDependencies() {
  const files = readdirSync(inProject('dist'), { recursive: true })
    .map((name) => inProject('dist', name))
    .filter((path) => path.endsWith('.js') && bundled.test(readFileSync(path, 'utf8')));
  if (files.length === 0) return;
  const { rolldown } = await import('rolldown');
  for (const path of files) {
    const bundle = await rolldown({
      input: path,
      platform: 'node',
      external: (id, importer) =>
        importer !== undefined && /^(node:|#|\.)/.test(id) && importer === path,
      resolve: { alias: { msgpackr: inModules('msgpackr', 'index.js') } },
    });
    await bundle.write({ file: `${path}.bundle`, format: 'cjs', exports: 'named' });
    await bundle.close();
    renameSync(`${path}.bundle`, path);
  }
}
