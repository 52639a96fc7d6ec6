/** The examples of docs/runtimes.md do what they say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { kwargs, type Synapse } from '../../ts/index.js';
import { createFolder, createSynapse } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/runtimes.md'), 'utf8');

/** The fenced block of a file. */
function file(name: string): string {
  const block = new RegExp(`^\`\`\`js ${name.replace('.', '\\.')}\n(.*?)^\`\`\``, 'ms').exec(page);
  return block?.[1] ?? '';
}

type Program = (
  api: { Synapse: () => Synapse; kwargs: typeof kwargs; folder: string },
  console: { log(line: unknown): void },
) => Promise<void>;

test('the worker in Node', async () => {
  const source = file('main.mjs')
    .replace(/^import .*$/m, 'const { Synapse, kwargs, folder } = api;')
    .replace('new Synapse()', 'Synapse()')
    .replace("'./js_module'", 'folder');
  const promised = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].flatMap(
    ([, text = '']) => text.split(', then '),
  );
  expect(promised).toHaveLength(5);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('api', 'console', source);
  const printed: string[] = [];
  const { inspect } = await import('node:util');
  const log = (line: unknown): void => {
    printed.push(typeof line === 'string' ? line : inspect(line));
  };
  const folder = createFolder({ 'worker.mjs': file('worker.mjs') });
  const synapse = createSynapse();
  await program({ Synapse: () => synapse, kwargs, folder }, { log });
  expect(printed).toEqual(promised);
});

test('every handler that conformance asks for is in the table', async () => {
  const { CHECKS, REQUIRED } = await import('../../ts/cli/conformance/checks.js');
  const asked = new Set([...REQUIRED, ...CHECKS.flatMap(({ needs = [] }) => needs)]);
  const listed = [...page.matchAll(/^\| `(\w+)\(/gm)].map(([, name = '']) => name);
  expect(listed.sort()).toEqual([...asked].sort());
});
