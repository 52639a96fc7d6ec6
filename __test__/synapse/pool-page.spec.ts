/** The example of docs/pool.md does what it says. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { createFolder, createSynapse } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/pool.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

type Program = (...given: unknown[]) => Promise<void>;

test('the example', async () => {
  const folder = createFolder({ 'main.py': block('python') });
  const source = block('js').replace('./py_module', folder);
  const promised = [...source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text,
  );
  expect(promised.length).toBeGreaterThan(4);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('synapse', 'console', 'require', source);
  const printed: string[] = [];
  const log = (...values: unknown[]): void => {
    printed.push(values.map((value) => inspect(value)).join(' '));
  };
  await program(createSynapse(), { log }, createRequire(__filename));
  expect(printed).toEqual(promised);
});
