/**
 * What the two Synapse contenders share: the public API of the package in the
 * directory above, used as its users do. The queue is opened wide, because the
 * bursts put 20,000 calls at once where the default takes 1,000.
 */

import { join } from 'node:path';
import { directoryOf, furnish, repositoryDirectory } from '../library/house.mjs';

const QUEUE = { max: 1_000_000 };

let api = null;
let problem = null;
try {
  api = await import(join(repositoryDirectory, 'index.js'));
} catch (error) {
  problem = `not built (npm run build): ${error.message.split('\n')[0]}`;
}

export class SynapseContender {
  static role = 'synapse';
  static capabilities = { bytes: true, burst: true, restart: true, cold: true };

  #directory;
  #options;
  #synapse = null;

  /** `installer` is 'uv', 'pip' or absent for Synapse's own choice. */
  constructor({ directory, installer } = {}) {
    this.#directory = directory ?? directoryOf(this.constructor.id);
    this.#options = { queue: QUEUE, ...(installer === undefined ? {} : { installer }) };
  }

  static unavailable() {
    return problem;
  }

  get pid() {
    return this.#synapse?.workers()[0]?.pid ?? null;
  }

  async start() {
    furnish(this.#directory, this.constructor.program);
    this.#synapse = new api.Synapse();
    await this.#synapse.spawn(this.#directory, 'main', this.#options);
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
