/**
 * The stand-in for peepsy 1.0: `child_process.fork`, Node's own channel with JSON, a request with an id
 * and a map of what waits for answers; of several children each gets a call in turn. Nothing of what peepsy
 * did besides (queues, timers, heartbeats) is done here, so it is the best case of that approach.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { benchDirectory } from '../library/house.mjs';

export class ForkIpc {
  static id = 'fork-ipc';
  static title = 'fork IPC (peepsy)';
  static role = 'node';
  static capabilities = { bytes: false, burst: true, restart: true, pool: true };

  #workers;
  #children = [];
  #waiting = new Map();
  #last = 0;

  constructor({ workers = 1 } = {}) {
    this.#workers = workers;
  }

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#children[0]?.pid ?? null;
  }

  async start() {
    const program = join(benchDirectory, 'node', 'fork.mjs');
    this.#children = Array.from({ length: this.#workers }, () => fork(program));
    await Promise.all(this.#children.map((child) => once(child, 'message')));
    for (const child of this.#children) {
      child.on('message', ({ id, status, data }) => {
        const { resolve, reject } = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (status === 200) resolve(data);
        else reject(new Error(data));
      });
    }
  }

  call(data) {
    return new Promise((resolve, reject) => {
      this.#last += 1;
      this.#waiting.set(this.#last, { resolve, reject });
      const child = this.#children[this.#last % this.#children.length];
      child.send({ id: this.#last, action: 'echo', data });
    });
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.call(value)));
  }

  async stop() {
    const exits = this.#children.map((child) => once(child, 'exit'));
    for (const child of this.#children) child.disconnect();
    await Promise.all(exits);
    this.#children = [];
  }
}
