/** Pages of `docs` whose examples are run: a Python module, and a program that uses it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { SpawnOptions } from '../../ts/index.js';
import { createFolder, createSynapse } from './modules.js';

type Program = (synapse: unknown, console: { log(line: unknown): void }) => Promise<void>;

/**
 * Runs the page's first `js` block against its first `python` block, which is `main.py`, and expects each
 * `console.log` to print what the comment behind it says.
 */
export async function runPage(name: string, options: SpawnOptions = {}): Promise<void> {
  const page = readFileSync(join(__dirname, '../../docs', name), 'utf8');
  const block = (language: string): string =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
  const source = block('js');
  const promised = [...source.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text,
  );
  expect(promised.length).toBeGreaterThan(3);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('synapse', 'console', source);
  const synapse = createSynapse(options);
  await synapse.spawn(createFolder({ 'main.py': block('python') }), 'main');
  const printed: string[] = [];
  await program(synapse, { log: (line) => printed.push(String(line)) });
  expect(printed).toEqual(promised);
}
