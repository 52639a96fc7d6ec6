/** The examples of docs/sessions.md do what they say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createFolder, createSynapse } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/sessions.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

type Program = (synapse: unknown, console: { log(line: unknown): void }) => Promise<void>;

test('the example', async () => {
  const source = block('js');
  const promised = [...source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text,
  );
  expect(promised.length).toBeGreaterThan(8);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('synapse', 'console', source);
  const synapse = createSynapse();
  await synapse.spawn(createFolder({ 'main.py': block('python') }), 'main');
  const printed: string[] = [];
  await program(synapse, { log: (line) => printed.push(String(line)) });
  expect(printed).toEqual(promised);
});
