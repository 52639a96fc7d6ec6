// Where things are. No dependencies: these scripts run before `npm ci` has.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** An absolute path inside the checkout. */
export function inProject(...parts) {
  return join(root, ...parts);
}

/** The absolute path of a file inside an installed development package. */
export function inModules(...parts) {
  return inProject('node_modules', ...parts);
}
