/** The example of docs/hub.md does what it says. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { SynapseHub } from '../../ts/index.js';
import { createFolder, shared } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/hub.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

type Program = (...given: unknown[]) => Promise<void>;

test('the example', async () => {
  const source = block('js');
  const promised = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
  expect(promised.length).toBeGreaterThan(3);
  // The stream's items, after the three calls.
  promised.splice(3, 0, 'a', 'b');
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('SynapseHub', 'defaults', 'directory', 'console', source);
  const directory = createFolder({ 'main.py': block('python') });
  const printed: string[] = [];
  const log = (line: unknown): number => printed.push(String(line));
  await program(SynapseHub, shared, directory, { log });
  expect(printed).toEqual(promised);
});
