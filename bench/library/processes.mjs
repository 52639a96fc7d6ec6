/** Small helpers around child processes: run one to its end, read its memory. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Runs `command` to its end and gives its standard output; rejects with the tail of its output otherwise. */
export async function run(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    const tail = `${output}\n${errors}`.trim().split('\n').slice(-12).join('\n');
    throw new Error(`"${[command, ...args].join(' ')}" ended with code ${code}:\n${tail}`);
  }
  return output;
}

/** Starts `command`, waits until it is gone, and gives the milliseconds that took. */
export async function timeToExit(command, args) {
  const begin = performance.now();
  const child = spawn(command, args, { stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now() - begin;
}

/** Resident memory of process `pid` in MiB, from the kernel's own account (Linux). */
export function residentMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (kibibytes === null) throw new Error(`process ${pid} has no resident memory: has it ended?`);
  return Number(kibibytes[1]) / 1024;
}

/** The kernel counts processor time in these for programs (USER_HZ), whatever its own clock does. */
const TICKS_A_SECOND = 100;

/**
 * Processor time, user and system, of all children of this process that are gone and were waited for,
 * in milliseconds: with all their threads, from fork to exit, and with the children that they waited
 * for (Linux). Whole ticks of 10 ms.
 */
export function processorTimeOfChildren() {
  const line = readFileSync('/proc/self/stat', 'utf8');
  // The name of the program stands in parentheses and may hold spaces; `state` follows it.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [user, system] = fields.slice(13, 15).map(Number);
  return ((user + system) * 1_000) / TICKS_A_SECOND;
}
