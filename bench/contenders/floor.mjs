/**
 * The floor: what the operating system asks for sending 32 bytes to a Python
 * process and getting them back. Two pipes, blocking `write` and `read` on both
 * sides, no event loop, no framing, no encoding. Nothing that crosses a process
 * border by a pipe can be faster, and nothing useful is this bare.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchDirectory, sharedPython } from '../library/house.mjs';

const MESSAGE_BYTES = 32;

export class Floor {
  static id = 'floor';
  static title = 'floor: blocking echo';
  static role = 'floor';
  static capabilities = { bytes: false, burst: false, restart: false, cold: false, echoes: false };

  #child = null;
  #request = -1;
  #reply = -1;
  #message = Buffer.alloc(MESSAGE_BYTES, 0x2a);
  #received = Buffer.alloc(MESSAGE_BYTES);

  static unavailable() {
    return null;
  }

  get pid() {
    return this.#child?.pid ?? null;
  }

  start() {
    const directory = mkdtempSync(join(tmpdir(), 'synapse-bench-'));
    const request = makePipe(join(directory, 'request'));
    const reply = makePipe(join(directory, 'reply'));
    rmSync(directory, { recursive: true });
    this.#child = spawn(sharedPython, ['-S', join(benchDirectory, 'python', 'floor', 'main.py')], {
      stdio: [request.reader, reply.writer, 'inherit'],
    });
    closeSync(request.reader);
    closeSync(reply.writer);
    this.#request = request.writer;
    this.#reply = reply.reader;
  }

  call() {
    writeSync(this.#request, this.#message);
    let received = 0;
    while (received < MESSAGE_BYTES) {
      const count = readSync(this.#reply, this.#received, received, MESSAGE_BYTES - received, null);
      if (count === 0) throw new Error('the floor has lost its Python process');
      received += count;
    }
    return this.#received;
  }

  callMany() {
    throw new Error('the floor holds one call at a time');
  }

  async stop() {
    closeSync(this.#request);
    closeSync(this.#reply);
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    this.#child = null;
  }
}

/**
 * Node's own pipes to children do not block, so these are FIFOs. The end that
 * is opened for both ways first lets the other two open at once.
 */
function makePipe(path) {
  execFileSync('mkfifo', [path]);
  const both = openSync(path, constants.O_RDWR);
  const reader = openSync(path, constants.O_RDONLY);
  const writer = openSync(path, constants.O_WRONLY);
  closeSync(both);
  return { reader, writer };
}
