/** Synapse with a worker in Node: `runtime: 'node'` and a handler of the SDK. */

import { join } from 'node:path';
import { benchDirectory, repositoryDirectory } from '../library/house.mjs';

const QUEUE = { max: 1_000_000 };

let api = null;
let problem = null;
try {
  api = await import(join(repositoryDirectory, 'index.js'));
} catch (error) {
  problem = `not built (npm run build): ${error.message.split('\n')[0]}`;
}

export class NodeWorker {
  static id = 'node-worker';
  static title = 'Synapse, worker in Node';
  static role = 'node';
  static capabilities = { bytes: true, burst: true, restart: true, pool: true };

  #options;
  #synapse = null;

  constructor(options = {}) {
    this.#options = { runtime: 'node', queue: QUEUE, ...options };
  }

  static unavailable() {
    return problem;
  }

  get pid() {
    return this.#synapse?.workers()[0]?.pid ?? null;
  }

  async start() {
    this.#synapse = new api.Synapse();
    await this.#synapse.spawn(join(benchDirectory, 'node'), 'worker', this.#options);
  }

  call(value) {
    return this.#synapse.call(value);
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.#synapse.call(value)));
  }

  async stop() {
    const synapse = this.#synapse;
    this.#synapse = null;
    await synapse.dispose();
  }
}
