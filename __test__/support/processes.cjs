'use strict';

// Finds the processes that carry a mark in their environment. Linux only: elsewhere it finds none.

const { readdirSync, readFileSync } = require('node:fs');

/** The text of a file of `/proc`, or nothing when the process has gone or is not ours. */
function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/**
 * The living processes, this one excepted, whose environment holds `NAME=value`.
 *
 * @param {string} name
 * @param {string} value
 * @returns {{ pid: number, command: string }[]}
 */
function processesMarked(name, value) {
  const mark = `${name}=${value}`;
  const pids =
    process.platform === 'linux' ? readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)) : [];
  return pids
    .filter((pid) => Number(pid) !== process.pid)
    .filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(mark))
    .filter((pid) => !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`)))
    .map((pid) => ({
      pid: Number(pid),
      command: read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim(),
    }));
}

module.exports = { processesMarked };
