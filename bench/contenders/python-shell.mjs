/**
 * python-shell 5 in its `json` mode, held open as its README shows for talking
 * to a script: `send` writes a line, `message` brings one. It has no notion of
 * a call, so replies are matched in order; nothing makes it wait for one reply
 * before the next request, so many are under way at once.
 */

import { join } from 'node:path';
import { PythonShell } from 'python-shell';
import { benchDirectory, sharedPython } from '../library/house.mjs';

export class PythonShellContender {
  static id = 'python-shell';
  static title = 'python-shell 5';
  static role = 'peer';
  static capabilities = { bytes: false, burst: true, restart: true, cold: false };

  #shell = null;
  #waiting = [];
  #next = 0;

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#shell?.childProcess.pid ?? null;
  }

  start() {
    this.#shell = new PythonShell('main.py', {
      mode: 'json',
      pythonPath: sharedPython,
      scriptPath: join(benchDirectory, 'python', 'shell'),
    });
    this.#shell.on('message', (message) => this.#settle(message));
    this.#shell.on('stderr', (line) => process.stderr.write(`[python-shell] ${line}\n`));
  }

  call(value) {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#shell.send(value);
    });
  }

  callMany(values) {
    return Promise.all(values.map((value) => this.call(value)));
  }

  stop() {
    const shell = this.#shell;
    this.#shell = null;
    return new Promise((resolve, reject) => {
      shell.end((error) => (error ? reject(error) : resolve()));
    });
  }

  /** A cursor, not `shift`: the queue is the bench's, and must not cost the peer anything. */
  #settle(message) {
    const resolve = this.#waiting[this.#next];
    this.#next += 1;
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    resolve(message);
  }
}
