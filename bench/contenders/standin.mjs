/**
 * The reference: version 1.4 of this package, written again from the
 * description of what it does. Kept as slow as it was, and no slower; the
 * README of the bench lists what was carried over.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode, encode } from '@msgpack/msgpack';
import { directoryOf, furnish } from '../library/house.mjs';

/** Version 1.4 sleeps this long after SIGTERM, whether the child is gone or not. */
const DISPOSE_MS = 500;

export class StandIn {
  static id = 'standin';
  static title = '1.4 stand-in';
  static role = 'standin';
  static program = 'classic';
  static capabilities = { bytes: true, burst: true, restart: true, cold: true };

  #directory;
  #child = null;
  #received = Buffer.alloc(0);
  #queue = [];
  #next = 0;
  #current = null;

  constructor({ directory = directoryOf(StandIn.id) } = {}) {
    this.#directory = directory;
  }

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#child?.pid ?? null;
  }

  async start() {
    furnish(this.#directory, StandIn.program);
    const environment = join(this.#directory, '.venv');
    if (!existsSync(environment)) await this.#makeEnvironment(environment);
    const python = join(environment, 'bin', 'python');
    this.#child = spawn(python, [join(this.#directory, 'main.py')], { cwd: this.#directory });
    this.#child.stdout.on('data', (chunk) => this.#receive(chunk));
    this.#child.stderr.on('data', (chunk) => process.stderr.write(`[1.4 stand-in] ${chunk}`));
  }

  call(input) {
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, resolve, reject });
      this.#dispatch();
    });
  }

  callMany(inputs) {
    return Promise.all(inputs.map((input) => this.call(input)));
  }

  async stop() {
    const child = this.#child;
    child.stdin.end();
    child.kill('SIGTERM');
    await sleep(DISPOSE_MS);
    if (!child.killed) child.kill('SIGKILL');
    this.#child = null;
  }

  async #makeEnvironment(environment) {
    spawnSync('python', ['-m', 'venv', environment]);
    const requirements = join(this.#directory, 'requirements.txt');
    const pip = spawn(join(environment, 'bin', 'pip'), ['install', '-r', requirements]);
    pip.stdout.on('data', () => {});
    pip.stderr.on('data', () => {});
    await new Promise((resolve, reject) => {
      pip.on('close', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`pip ended with code ${code}`));
      });
    });
  }

  /** One call at a time: the next is sent only when the reply before it is complete. */
  #dispatch() {
    if (this.#current !== null || this.#next === this.#queue.length) return;
    this.#current = this.#takeNext();
    const payload = encode(this.#current.input);
    const header = Buffer.alloc(4);
    header.writeUInt32LE(payload.length, 0);
    this.#child.stdin.write(Buffer.concat([header, payload]));
  }

  /** Not `shift`, which moves all of a long array: what 1.4 did is not known, so the better is assumed. */
  #takeNext() {
    const first = this.#queue[this.#next];
    this.#next += 1;
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
    return first;
  }

  /** All that came so far is copied with every chunk, as 1.4 does: quadratic in the size of a reply. */
  #receive(chunk) {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 4) {
      const length = this.#received.readUInt32LE(0);
      if (this.#received.length < 4 + length) return;
      const payload = this.#received.subarray(4, 4 + length);
      this.#received = this.#received.subarray(4 + length);
      this.#settle(decode(payload));
    }
  }

  #settle(reply) {
    const { resolve, reject } = this.#current;
    this.#current = null;
    if (reply !== null && typeof reply === 'object' && reply.error) reject(reply.error);
    else resolve(reply);
    this.#dispatch();
  }
}
