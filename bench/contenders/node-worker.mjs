/** Synapse with a worker in Node: `runtime: 'node'` and a handler of the SDK. */

import { join } from 'node:path';
import { benchDirectory } from '../library/house.mjs';
import { SynapseContender } from './synapse.mjs';

export class NodeWorker extends SynapseContender {
  static id = 'node-worker';
  static title = 'Synapse, worker in Node';
  static role = 'node';
  static capabilities = { bytes: true, burst: true, restart: true, pool: true };

  constructor(options = {}) {
    super({ runtime: 'node', ...options });
  }

  place() {
    return [join(benchDirectory, 'node'), 'worker'];
  }
}
