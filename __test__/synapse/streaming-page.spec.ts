/** The examples of docs/streaming.md do what they say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createFolder, createSynapse } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/streaming.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

type Program = (
  synapse: unknown,
  console: { log(...line: unknown[]): void },
  load: (name: string) => Promise<unknown>,
) => Promise<void>;

test('the examples', async () => {
  // A program that is made of text cannot import by itself here.
  const source = block('js').replaceAll('import(', 'load(');
  const promised = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].flatMap(
    ([, text]) => text?.split(' | ') ?? [],
  );
  expect(promised.length).toBeGreaterThan(8);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('synapse', 'console', 'load', source);
  const synapse = createSynapse();
  await synapse.spawn(createFolder({ 'main.py': block('python') }), 'main');
  const printed: string[] = [];
  const log = (...line: unknown[]): void => {
    printed.push(line.map(String).join(' '));
  };
  await program(synapse, { log }, (name) => import(name));
  expect(printed).toEqual(promised);
}, 60_000);
