/** The examples of docs/values.md do what they say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { withLibraries } from '../support/data.js';
import { spawnModule } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/values.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

type Program = (synapse: unknown, console: { log(...values: unknown[]): void }) => Promise<void>;

test('the example', async () => {
  const source = block('js');
  const promised = [...source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text,
  );
  expect(promised.length).toBeGreaterThan(10);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('synapse', 'console', source);
  const synapse = await spawnModule(block('python'), withLibraries);
  const printed: string[] = [];
  const log = (...values: unknown[]): void => {
    const shown = values.map((value) => (typeof value === 'string' ? value : inspect(value)));
    printed.push(shown.join(' '));
  };
  await program(synapse, { log });
  expect(printed).toEqual(promised);
});
