// Runs a command and gives back its exit code and output.

import { spawn } from 'node:child_process';
import { root } from './project.mjs';

/** The process groups that are running now; they end with this process. */
const running = new Set();

function endGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended by itself.
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const pid of running) endGroup(pid, 'SIGTERM');
    process.exit(130);
  });
}

/**
 * Runs `command` without a shell and without standard input, in a process group of its own.
 *
 * @param {string[]} command the program and its arguments
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, show?: boolean, limitSeconds?: number }} [options]
 *   `show` passes the output through as it comes; it is collected either way. `limitSeconds`, by
 *   default 1800, ends a command that hangs
 * @returns {Promise<{ code: number, output: string, seconds: number }>} `code` is 127 when the
 *   program cannot be started and 128 when a signal ended it
 */
export function run(command, { cwd = root, env = {}, show = false, limitSeconds = 1800 } = {}) {
  const started = performance.now();
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    if (child.pid !== undefined) running.add(child.pid);
    const chunks = [];
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.on('data', (chunk) => {
        chunks.push(chunk);
        if (show) target.write(chunk);
      });
    }
    let note = '';
    const limit = setTimeout(() => {
      note = `${program} did not end within ${limitSeconds} s\n`;
      endGroup(child.pid, 'SIGKILL');
    }, limitSeconds * 1000);
    const settle = (code) => {
      clearTimeout(limit);
      running.delete(child.pid);
      const output = Buffer.concat(chunks).toString('utf8') + note;
      resolve({ code, output, seconds: (performance.now() - started) / 1000 });
    };
    child.on('error', (error) => {
      note += `${program}: ${error.message}\n`;
      settle(127);
    });
    const end = (code, signal) => {
      if (signal !== null) note += `${program} was ended by ${signal}\n`;
      settle(code ?? 128);
    };
    child.on('close', end);
    // A process that it has left behind, in a group of its own, may hold the pipes for ever.
    child.on('exit', (code, signal) => {
      const patience = setTimeout(() => {
        note += `${program} has ended, and something that it has started holds its output\n`;
        child.stdout.destroy();
        child.stderr.destroy();
        end(code ?? 128, signal);
      }, 60_000);
      child.once('close', () => clearTimeout(patience));
    });
  });
}

/** A command that had to succeed and did not. */
export class CommandFailed extends Error {
  constructor(command, result) {
    super(`failed with code ${result.code}: ${command.join(' ')}`);
    this.name = 'CommandFailed';
    this.result = result;
  }
}

/**
 * Runs `command`, showing its output unless told otherwise.
 *
 * @throws {CommandFailed} when its exit code is not 0
 */
export async function must(command, options = {}) {
  const result = await run(command, { show: true, ...options });
  if (result.code !== 0) throw new CommandFailed(command, result);
  return result;
}

/** Whether `program` can be started with `args` and succeeds. */
export async function works(program, args = ['--version']) {
  return (await run([program, ...args])).code === 0;
}
