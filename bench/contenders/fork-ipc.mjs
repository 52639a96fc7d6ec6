/**
 * The stand-in for peepsy 1.0: `child_process.fork`, Node's own channel with JSON, a request with an id
 * and a map of what waits for answers. Nothing of what peepsy did besides (queues, timers, heartbeats)
 * is done here, so it is the best case of that approach.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { benchDirectory } from '../library/house.mjs';

export class ForkIpc {
  static id = 'fork-ipc';
  static title = 'fork IPC (peepsy)';
  static role = 'node';
  static capabilities = { bytes: false, burst: true, restart: true };

  #child = null;
  #waiting = new Map();
  #last = 0;

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#child?.pid ?? null;
  }

  async start() {
    this.#child = fork(join(benchDirectory, 'node', 'fork.mjs'));
    await once(this.#child, 'message');
    this.#child.on('message', ({ id, status, data }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (status === 200) resolve(data);
      else reject(new Error(data));
    });
  }

  call(data) {
    return new Promise((resolve, reject) => {
      this.#last += 1;
      this.#waiting.set(this.#last, { resolve, reject });
      this.#child.send({ id: this.#last, action: 'echo', data });
    });
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.call(value)));
  }

  async stop() {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
    this.#child = null;
  }
}
