/** The example of docs/resilience.md does what it says. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type SpawnOptions, Synapse } from '../../ts/index.js';
import { createFolder, shared } from '../support/modules.js';

const page = readFileSync(join(__dirname, '../../docs/resilience.md'), 'utf8');

/** The first fenced block in a language. */
function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(page)?.[1] ?? '';
}

/** One that uses the environment of the tests. */
class Shared extends Synapse {
  constructor(options: SpawnOptions) {
    super({ ...shared, ...options });
  }
}

type Program = (
  Class: typeof Shared,
  folder: string,
  console: { log(line: unknown): void },
) => Promise<void>;

test('the example', async () => {
  const source = block('js');
  const promised = [...source.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(
    ([, text]) => text,
  );
  expect(promised.length).toBeGreaterThan(6);
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const program = new AsyncFunction('Synapse', 'folder', 'console', source);
  const printed: string[] = [];
  const folder = createFolder({ 'main.py': block('python') });
  await program(Shared, folder, { log: (line) => printed.push(String(line)) });
  expect(printed).toEqual(promised);
});
