/**
 * concurrent-c-python in isolated mode: a Python process of its own, JSON
 * lines, files in shared memory for typed arrays from 64 KiB. A single call
 * uses its default door, which blocks Node until Python answers; many at once
 * use `py.task`, its only promise. Scalars come back by value, anything else
 * as a proxy: `toJS` (or `toTypedArray`) is a second round trip, and each
 * proxy is released by a third, as its README asks of hot loops.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { benchDirectory, sharedPython } from '../library/house.mjs';

const require = createRequire(import.meta.url);

export class ConcurrentCPython {
  static id = 'concurrent-c-python';
  static title = 'concurrent-c-python isolated';
  static role = 'peer';
  static capabilities = { bytes: true, burst: true, burstLimit: 4_000, restart: true, cold: false };

  #bridge = null;
  #main = null;
  #task = null;

  /** The package ships its binary for the usual platforms, and compiles it in an install script for others. */
  static unavailable() {
    try {
      require('concurrent-c-python');
      return null;
    } catch (error) {
      return `not built: ${error.message.split('\n')[0]}`;
    }
  }

  get pid() {
    return this.#bridge?._child?.pid ?? null;
  }

  start() {
    this.#bridge = require('concurrent-c-python').create({ isolated: true, python: sharedPython });
    this.#bridge.import('sys').path.insert(0, join(benchDirectory, 'python', 'module'));
    this.#main = this.#bridge.import('echo').main;
    this.#task = this.#bridge.task(this.#main);
  }

  /**
   * A table goes by the task: the blocking door hangs for ever on an argument
   * that does not fit into the socket's buffer, since it writes by the event
   * loop that it blocks.
   */
  call(value) {
    if (Array.isArray(value)) return this.#callByTask(value);
    return this.#materialise(this.#main(value), value);
  }

  async callMany(values) {
    const replies = await Promise.all(values.map((value) => this.#task(value)));
    return replies.map((reply, index) => this.#materialise(reply, values[index]));
  }

  stop() {
    return this.#bridge.destroy();
  }

  async #callByTask(value) {
    return this.#materialise(await this.#task(value), value);
  }

  #materialise(reply, value) {
    if (!this.#bridge.isProxy(reply)) return reply;
    const result = ArrayBuffer.isView(value) ? reply.toTypedArray() : reply.toJS();
    this.#bridge.release(reply);
    return result;
  }
}
