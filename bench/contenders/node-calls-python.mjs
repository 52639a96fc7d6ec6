/**
 * node-calls-python: CPython inside the Node process, asynchronous calls (its
 * `call`, on a libuv thread). No process border, so no isolation: an extension
 * that crashes takes Node along. `None` comes back as `undefined`. Compiled on the first run of the bench.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { benchDirectory, nodeCallsPythonProblem } from '../library/house.mjs';

const require = createRequire(import.meta.url);

export class NodeCallsPython {
  static id = 'node-calls-python';
  static title = 'node-calls-python (in process)';
  static role = 'peer';
  static capabilities = { bytes: true, burst: true, restart: false, cold: false, inProcess: true };

  #interpreter = null;
  #module = null;

  static unavailable() {
    return nodeCallsPythonProblem();
  }

  get pid() {
    return process.pid;
  }

  async start() {
    this.#interpreter = require('node-calls-python').interpreter;
    this.#module = await this.#interpreter.import(
      join(benchDirectory, 'python', 'module', 'echo.py'),
    );
  }

  async call(value) {
    const reply = await this.#interpreter.call(this.#module, 'main', value);
    return reply instanceof ArrayBuffer ? Buffer.from(reply) : reply;
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.call(value)));
  }

  /** The interpreter lives as long as Node: there is nothing to stop. */
  stop() {
    this.#module = null;
  }
}
