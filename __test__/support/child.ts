/** Node programs that use the built package, run as processes of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach } from '@jest/globals';

const PACKAGE = join(__dirname, '..', '..', 'index.js');
const SHARED = join(__dirname, '..', 'fixtures', 'shared', '.venv');

const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A running program and the lines that it has printed. */
export interface Program {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly errors: string[];
  /** Resolves when it has ended, with its exit code or the signal. */
  readonly ended: Promise<number | string>;
  /** Resolves with the next line that starts so, without that beginning. */
  line(start: string): Promise<string>;
}

/** How a program is started. */
export interface Way {
  /** Whether it leads a process group of its own, as a program in a terminal does. */
  readonly detached?: boolean;
  /** A command that starts the program it is given. */
  readonly wrapper?: readonly string[];
}

/**
 * Runs `source` as a CommonJS program in which `Synapse` is the package's, `packagePath` where the
 * package lies, `python` the options of the shared environment, and `folder` a module's folder.
 *
 * @param args of Node
 * @param way how it is started
 */
export function runNode(
  source: string,
  folder: string,
  args: readonly string[] = [],
  { detached = false, wrapper = [] }: Way = {},
): Program {
  const prelude = `
    const packagePath = ${JSON.stringify(PACKAGE)};
    const { Synapse } = require(packagePath);
    const python = { python: ${JSON.stringify(SHARED)}, graceMs: 30_000 };
    const folder = ${JSON.stringify(folder)};
  `;
  const words = [...wrapper, process.execPath, ...args, '-e', prelude + source];
  const [command = '', ...rest] = words;
  const child = spawn(command, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached,
  });
  running.push(child);
  const lines: string[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  let unfinished = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const all = (unfinished + text).split('\n');
    unfinished = all.pop() ?? '';
    lines.push(...all);
    for (const look of waiting) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  const ended = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const line = (start: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find((text) => text.startsWith(start));
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found.slice(start.length));
      };
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`no line "${start}": ${errors.join('')}`)));
    });
  return { process: child, lines, errors, ended, line };
}
