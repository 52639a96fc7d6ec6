/** Pages of `docs` whose examples are run: modules of Python, and a program that uses them. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect } from '@jest/globals';
import * as surface from '../../ts/index.js';
import { createFolder, createSynapse, disposeLater, shared } from './modules.js';

type Program = (...given: unknown[]) => Promise<void>;

const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
const requireFromHere = createRequire(__filename);

/** What an example may name besides what it imports. */
const API = {
  ...surface,
  Synapse: class extends surface.Synapse {
    /** Uses the environment of the specs. */
    constructor(options: surface.SpawnOptions = {}) {
      super({ ...shared, ...options });
      disposeLater(this);
    }
  },
  SynapseHub: class extends surface.SynapseHub {
    constructor(options: surface.SpawnOptions = {}) {
      super({ ...shared, ...options });
      disposeLater(this);
    }
  },
};

/** The text of a page's first block with that info string, such as `js` or `js worker.mjs`. */
export function block(name: string, info: string): string {
  const page = readFileSync(join(__dirname, '../../docs', name), 'utf8');
  const [, found] = new RegExp(`^\`\`\`${info}\n(.*?)^\`\`\``, 'ms').exec(page) ?? [];
  if (found === undefined) throw new Error(`docs/${name} has no block "${info}"`);
  return found;
}

/** What the comments behind `console.log(…)` promise; ` | ` parts what a loop prints. */
function promises(source: string): string[] {
  const lines = source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm);
  return [...lines].flatMap(([, text = '']) => text.split(' | '));
}

/**
 * Runs a program and expects each `console.log` to print what the comment behind it says.
 *
 * @param source may import from the package and from others
 * @param given further names that it uses, such as `synapse`
 */
export async function runExample(source: string, given: Record<string, unknown>): Promise<void> {
  const promised = promises(source);
  expect(promised.length).toBeGreaterThan(3);
  const printed: string[] = [];
  const log = (...values: unknown[]): void => {
    const shown = values.map((value) => (typeof value === 'string' ? value : inspect(value)));
    printed.push(shown.join(' '));
  };
  const names = { ...given, console: { log }, require: requireFromHere };
  // A program that is made of text cannot import by itself here.
  const runnable = source
    .replace(
      /^import (\{.*\}) from '(.*)';$/gm,
      (_, imported: string, from: string) => `const ${imported} = load('${from}');`,
    )
    .replaceAll('import(', 'load(')
    .replaceAll(/'\.\/(py|js)_module'/g, 'directory');
  const load = (from: string): unknown =>
    from === '@himalaya-quant/synapse' ? API : requireFromHere(from);
  const program = new AsyncFunction(...Object.keys(names), 'load', runnable);
  await program(...Object.values(names), load);
  expect(printed).toEqual(promised);
}

/**
 * Runs a page's first `js` block against its first `python` block, which is `./py_module/main.py` for it.
 * If the example makes no instance it finds `synapse`, and if it does not spawn it, that is done.
 */
export async function runPage(name: string, options: surface.SpawnOptions = {}): Promise<void> {
  const directory = createFolder({ 'main.py': block(name, 'python') });
  const source = block(name, 'js');
  if (/^const (synapse|hub) = /m.test(source)) {
    await runExample(source, { directory, ...API });
    return;
  }
  const synapse = createSynapse(options);
  if (!source.includes('.spawn(')) await synapse.spawn(directory, 'main');
  await runExample(source, { synapse, directory });
}
