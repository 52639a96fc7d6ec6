/**
 * A Node process for one entrant (`bench/host.mjs`), seen from the bench. An
 * entrant that hangs, blocks Node or crashes takes this process along and no
 * other.
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { benchDirectory } from './house.mjs';
import { lastAllowedCore } from './machine.mjs';

/** An answer that takes longer is not waited for, and the process killed. */
const ANSWER_MS = 180_000;

const PROGRAM = join(benchDirectory, 'host.mjs');

export class Host {
  #child;
  #ended;

  /** `pinned` puts the process, and so all that it starts, on one core. */
  constructor({ workload, entrant, contender, pinned }) {
    const node = [process.execPath, PROGRAM, workload, entrant, contender ?? ''];
    const pin = ['taskset', '-c', String(lastAllowedCore())];
    const [command, ...args] = pinned ? [...pin, ...node] : node;
    this.#child = spawn(command, args, { stdio: ['ignore', 2, 2, 'ipc'] });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ error: error.message }));
      this.#child.once('exit', (code, signal) => {
        resolve({ error: `ended Node with ${signal ?? `code ${code}`}` });
      });
    });
  }

  /** Has `command` done and gives its figure; rejects with why there is none. */
  async ask(command, given) {
    const answer = new Promise((resolve) => this.#child.once('message', resolve));
    // An error here means that the process is gone, which is said better by its end.
    this.#child.send({ command, given }, () => {});
    const { figure, error } = await Promise.race([answer, this.#ended, this.#patience()]);
    if (error !== undefined) throw new Error(error.split('\n')[0]);
    return figure;
  }

  /** Ends the process; resolves when it is gone. */
  async close() {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }

  #patience() {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        resolve({ error: `no answer for ${ANSWER_MS / 1_000} s` });
      }, ANSWER_MS);
      timer.unref();
    });
  }
}
