'use strict';

// Jest's Node environment, and a check when a spec file is done: no process that it started is
// still there. Every process inherits the mark of its file.

const { randomUUID } = require('node:crypto');
const { setTimeout: delay } = require('node:timers/promises');
const { TestEnvironment: NodeEnvironment } = require('jest-environment-node');
const { processesMarked } = require('./processes.cjs');

const markName = 'SYNAPSE_TEST_MARK';
/** How long an ending process may take to be gone. */
const graceMs = 20_000;

class Environment extends NodeEnvironment {
  #mark;
  #outer;

  constructor(config, context) {
    const outer = process.env[markName];
    const mark = randomUUID();
    process.env[markName] = mark;
    super(config, context);
    this.#mark = mark;
    this.#outer = outer;
  }

  async teardown() {
    const left = await this.#leftovers();
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    if (this.#outer === undefined) delete process.env[markName];
    else process.env[markName] = this.#outer;
    await super.teardown();
    if (left.length > 0) {
      const list = left.map(({ pid, command }) => `  ${pid} ${command}`).join('\n');
      throw new Error(`processes outlived the spec file that started them:\n${list}`);
    }
  }

  async #leftovers() {
    const deadline = Date.now() + graceMs;
    for (;;) {
      const left = processesMarked(markName, this.#mark);
      if (left.length === 0 || Date.now() > deadline) return left;
      await delay(25);
    }
  }
}

module.exports = Environment;
