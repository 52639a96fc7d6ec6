// Installs the development dependencies when they are missing or older than the lock file.

import { statSync } from 'node:fs';
import { inModules, inProject } from './project.mjs';
import { must } from './run.mjs';

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

/** Whether `node_modules` answers to the lock file. npm writes the marker at the end of an install. */
export function isInstalled() {
  const marker = modified(inModules('.package-lock.json'));
  return marker !== undefined && marker >= modified(inProject('package-lock.json'));
}

/** Runs `npm ci` if needed. No dependency of ours needs its install script. */
export async function install() {
  if (isInstalled()) return;
  process.stdout.write('installing the development dependencies\n');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  await must([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
}
