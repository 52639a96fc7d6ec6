/**
 * pythonia 1.2: a module is imported and its function awaited. Text and
 * integers come back by value, anything else as a proxy whose `valueOf` is a
 * second round trip; so objects come back as JSON text here, its best case.
 * `setFastMode` is on: without it each reply carries the text of an inspection
 * as well. It takes no bytes.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { benchDirectory, sharedPython } from '../library/house.mjs';

const require = createRequire(import.meta.url);

export class Pythonia {
  static id = 'pythonia';
  static title = 'pythonia 1.2';
  static role = 'peer';
  static capabilities = {
    bytes: false,
    burst: true,
    burstLimit: 5_000,
    restart: true,
    cold: false,
  };

  #bridge = null;
  #module = null;

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#bridge?.com.proc?.pid ?? null;
  }

  /** Loading the package starts its process, so it is loaded here and not above. */
  async start() {
    process.env.PYTHON_BIN = sharedPython;
    this.#bridge = require('pythonia');
    this.#module = await this.#bridge.python(join(benchDirectory, 'python', 'module', 'echo.py'));
    this.#bridge.python.setFastMode(true);
  }

  async call(value) {
    if (typeof value !== 'object') return this.#module.main(value);
    return JSON.parse(await this.#module.main_as_text(value));
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.call(value)));
  }

  stop() {
    const child = this.#bridge.com.proc;
    return new Promise((resolve) => {
      child.once('exit', () => resolve());
      this.#bridge.python.exit();
    });
  }
}
