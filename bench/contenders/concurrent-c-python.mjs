/**
 * concurrent-c-python in isolated mode: a Python process of its own, JSON
 * lines, files in shared memory for typed arrays from 64 KiB. A single call
 * uses its default door, which blocks Node until Python answers; many at once
 * use `py.task`, its only promise.
 *
 * Scalars come back by value, anything else as a proxy whose `toJS` is a second
 * round trip; so objects come back as JSON text here, its best case. (Proxies
 * also hang it: when some hundred are collected at once, their releases fill
 * the socket, and the next blocking call waits for ever behind them.)
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { benchDirectory, sharedPython } from '../library/house.mjs';

const require = createRequire(import.meta.url);

export class ConcurrentCPython {
  static id = 'concurrent-c-python';
  static title = 'concurrent-c-python isolated';
  static role = 'peer';
  static capabilities = {
    bytes: true,
    burst: true,
    burstLimit: 5_000,
    restart: true,
    cold: false,
    numpy: true,
  };

  #bridge = null;
  #numpy = null;
  #main = null;
  #mainAsText = null;
  #taskAsText = null;

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
    const echo = this.#bridge.import('echo');
    this.#main = echo.main;
    this.#mainAsText = echo.main_as_text;
    this.#taskAsText = this.#bridge.task(this.#mainAsText);
  }

  /**
   * A table goes by the task: the blocking door hangs for ever on an argument
   * that does not fit into the socket's buffer, since it writes by the event
   * loop that it blocks.
   */
  call(value) {
    if (typeof value !== 'object') return this.#main(value);
    if (ArrayBuffer.isView(value)) return this.#main(value).toTypedArray();
    if (Array.isArray(value)) return this.#callByTask(value);
    return JSON.parse(this.#mainAsText(value));
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.#callByTask(value)));
  }

  /** The first example of its README. Typed arrays of this size go through shared memory. */
  dot(left, right) {
    this.#numpy ??= this.#bridge.import('numpy');
    return this.#numpy.dot(left, right);
  }

  stop() {
    return this.#bridge.destroy();
  }

  async #callByTask(value) {
    return JSON.parse(await this.#taskAsText(value));
  }
}
