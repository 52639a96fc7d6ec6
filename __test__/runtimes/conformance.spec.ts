/** `synapse conformance` passes workers that keep the protocol and names what others break. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { describeRuby, RUBY } from './support.js';

const ROOT = join(__dirname, '..', '..');
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');
const EXAMPLES = join(ROOT, 'examples', 'conformance');
const BROKEN = join(ROOT, '__test__', 'workers', 'broken', 'worker.mjs');

interface Run {
  readonly code: number | null;
  readonly output: string;
  /** Names of checks that failed, with what was wrong. */
  readonly failed: readonly string[];
}

function synapse(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        output += text.toString();
      });
    }
    child.once('close', (code) => {
      const failed = [...output.matchAll(/^FAILED +(.*)$/gm)].map(([, text = '']) => text);
      resolve({ code, output, failed });
    });
  });
}

function conformance(...command: string[]): Promise<Run> {
  return synapse(['conformance', '--', ...command], { PYTHONPATH: join(ROOT, 'python') });
}

describe('a worker that keeps the protocol passes', () => {
  test('in Node', async () => {
    const run = await conformance(process.execPath, MAIN, 'worker', join(EXAMPLES, 'worker.mjs'));
    expect(run.output).toMatch(/\d+ ok, 0 failed, 0 not offered/);
    expect(run.code).toBe(0);
  });

  test('in Python', async () => {
    // The one of the developer tools has numpy: without it a shape is lost on the way back.
    const python = join(ROOT, '.venv-dev', 'bin', 'python');
    const run = await conformance(python, '-m', 'synapse', join(EXAMPLES, 'worker.py'));
    expect(run.output).toMatch(/\d+ ok, 0 failed, 0 not offered/);
    expect(run.code).toBe(0);
  });
});

describeRuby('a worker in another language passes', () => {
  test('in Ruby, but for what its library cannot hold', async () => {
    const run = await conformance('ruby', join(RUBY, 'worker.rb'));
    expect(run.output).toMatch(/\d+ ok, 0 failed, 0 not offered/);
    expect(run.output).toMatch(/221 of 222; refused by an error: array nested 512 deep/);
    expect(run.code).toBe(0);
  });
});

describe('a worker that breaks a rule is told which', () => {
  test.each([
    ['no-hello', 'hello', /no hello within/],
    ['wrong-version', 'hello', /protocol: 2/],
    ['prints-on-the-channel', 'values', /a frame of length \d+ over the data channel/],
    ['wrong-code', 'unknown handler', /NOT_THERE instead of HANDLER_NOT_FOUND/],
    ['swallows-errors', 'what a handler raises', /response .* instead of an error/],
    ['answers-twice', 'n', /that nobody asked for/],
    ['changes-values', 'values', /"int 9007199254740992": it came back as cb43/],
    ['whole-reads', 'one byte at a time', /instead of answer|no answer/],
    ['no-limit', 'above the limit', /no exit after a length above the limit/],
    ['any-kind', 'unknown kind', /no exit after an unknown kind/],
    ['no-credit', 'items, credit', /items beyond the credit/],
    ['no-shutdown', 'shutdown', /no exit after shutdown/],
  ])('%s', async (fault, only, message) => {
    // As long as Node.js may take to start on a slow machine.
    const options = ['--only', only, '--patience', '4000'];
    const command = [process.execPath, BROKEN, fault];
    const run = await synapse(['conformance', ...options, '--', ...command]);
    expect(run.failed.join('\n')).toMatch(message);
    expect(run.code).toBe(1);
  });

  test('a command that cannot be run', async () => {
    const run = await conformance('no-such-program');
    expect(run.failed).toEqual([expect.stringContaining('no-such-program')]);
    expect(run.code).toBe(1);
  });

  test('a handler that is not offered is no failure, unless it is a required one', async () => {
    const options = ['--only', 'cancel: a call that runs'];
    const run = await synapse(['conformance', ...options, '--', process.execPath, BROKEN]);
    expect(run.output).toContain('not offered cancel: a call that runs: no handler sleep');
    expect(run.code).toBe(0);
  });
});

describe('the command line', () => {
  test.each([
    [[], 'a command is missing'],
    [['dance'], 'unknown command "dance"'],
    [['conformance'], 'the command of the worker is missing'],
    [['conformance', '--patience', 'long', '--', 'x'], '--patience "long"'],
    [['worker'], 'one worker file is wanted'],
    [['worker', 'x.js'], 'SYNAPSE_WORKER is not set'],
  ])('%j says what is wrong', async (args, message) => {
    const run = await synapse(args);
    expect(run.output).toContain(message);
    expect(run.code).toBe(2);
  });

  test('help', async () => {
    const run = await synapse(['--help']);
    expect(run.output).toContain('synapse conformance');
    expect(run.code).toBe(0);
  });
});
