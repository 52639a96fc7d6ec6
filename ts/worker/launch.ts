/** Where a worker in Node begins: `node launch.js`, with the configuration in a variable. */

import { takeConfig } from './config.js';
import { Worker } from './worker.js';

/**
 * Turns this process into a worker.
 *
 * @param file the entry file, if the configuration is not to name it
 */
export function launch(file?: string): void {
  const config = takeConfig();
  void new Worker(file === undefined ? config : { ...config, entry: file }).run();
}

if (require.main === module) launch();
