// Runs a command and gives back its exit code and output.

import { spawn } from 'node:child_process';
import { root } from './project.mjs';

/**
 * Runs `command` without a shell and without standard input.
 *
 * @param {string[]} command the program and its arguments
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, show?: boolean }} [options]
 *   `show` passes the output through as it comes; it is collected either way
 * @returns {Promise<{ code: number, output: string, seconds: number }>} `code` is 127 when the
 *   program cannot be started and 128 when a signal ended it
 */
export function run(command, { cwd = root, env = {}, show = false } = {}) {
  const started = performance.now();
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    const collect = (stream, target) => {
      stream.on('data', (chunk) => {
        chunks.push(chunk);
        if (show) target.write(chunk);
      });
    };
    collect(child.stdout, process.stdout);
    collect(child.stderr, process.stderr);
    const settle = (code, note = '') => {
      const output = Buffer.concat(chunks).toString('utf8') + note;
      resolve({ code, output, seconds: (performance.now() - started) / 1000 });
    };
    child.on('error', (error) => settle(127, `${program}: ${error.message}\n`));
    child.on('close', (code, signal) => {
      settle(code ?? 128, signal === null ? '' : `${program} was ended by ${signal}\n`);
    });
  });
}

/** Runs `command`, showing its output, and ends this process with its code when it fails. */
export async function must(command, options = {}) {
  const result = await run(command, { show: true, ...options });
  if (result.code !== 0) {
    process.stderr.write(`\nfailed with code ${result.code}: ${command.join(' ')}\n`);
    if (result.code === 127) process.stderr.write(result.output);
    process.exit(result.code);
  }
  return result;
}

/** Whether `program` can be started with `args`. */
export async function works(program, args = ['--version']) {
  return (await run([program, ...args])).code === 0;
}
