/**
 * What the Synapse contenders share: the public API of the package in the
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
  #program;
  #options;
  #synapse = null;

  /**
   * `program` is a directory of `bench/python`, if it is to be another than the contender's own; what
   * is left are options of `spawn`.
   */
  constructor({ directory, program, ...options } = {}) {
    const { id } = this.constructor;
    this.#program = program ?? this.constructor.program;
    this.#directory = directory ?? directoryOf(program === undefined ? id : `${id}-${program}`);
    this.#options = { queue: QUEUE, ...options };
  }

  static unavailable() {
    return problem;
  }

  get pid() {
    return this.#synapse?.workers()[0]?.pid ?? null;
  }

  /** Puts the program where it runs: its directory, and the name of its module. */
  place() {
    furnish(this.#directory, this.#program);
    return [this.#directory, 'main'];
  }

  async start() {
    const [directory, entry] = this.place();
    this.#synapse = new api.Synapse();
    this.#synapse.handle('echo', (value) => value);
    await this.#synapse.spawn(directory, entry, this.#options);
  }

  call(value) {
    return this.#synapse.call(value);
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.#synapse.call(value)));
  }

  /** A handler of the program by its name. */
  invoke(name, args) {
    return this.#synapse.invoke(name, args);
  }

  /** Has the program `host` call Node `count` times; gives the median in microseconds. */
  callBack(value, count) {
    return this.invoke('ask', [value, count]);
  }

  /** Takes `count` items from the program `host`; gives how many came. */
  async consume(count) {
    let received = 0;
    for await (const item of this.#synapse.stream('numbers', [count]))
      received += item === received;
    return received;
  }

  /** The product of two vectors, by the program `numpy`. */
  dot(left, right) {
    return this.invoke('dot', [left, right]);
  }

  async stop() {
    const synapse = this.#synapse;
    this.#synapse = null;
    await synapse.dispose();
  }
}
