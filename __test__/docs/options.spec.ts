/** The page of all options names each of them, and no others. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Synapse } from '../../ts/index.js';
import { checkCallNames } from '../../ts/options/index.js';

const ROOT = join(__dirname, '../..');
const [spawn = '', call = ''] = readFileSync(join(ROOT, 'docs/options.md'), 'utf8').split(
  '## Of one call',
);

/** The names in the first column of a table. */
function listed(text: string): string[] {
  const cells = [...text.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
}

/** The fields of an interface, as its source has them. */
function fields(file: string, name: string): string[] {
  const source = readFileSync(join(ROOT, 'ts', file), 'utf8');
  const [, body = ''] = new RegExp(`interface ${name} [^{]*\\{(.*?)^\\}`, 'ms').exec(source) ?? [];
  return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, field = '']) => field);
}

test('those of spawn', () => {
  expect(listed(spawn).sort()).toEqual(fields('options/spawn.ts', 'SpawnOptions').sort());
  expect(listed(spawn).length).toBeGreaterThan(30);
});

test('those of a call', () => {
  const own = [
    ...fields('options/call.ts', 'CallOptions'),
    ...fields('options/call.ts', 'StreamOptions'),
    ...fields('map.ts', 'MapOptions'),
    'onItem',
    'parseJson',
  ];
  expect(listed(call).sort()).toEqual(own.sort());
});

test('the index in the README has every page for users', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const linked = [...readme.matchAll(/\]\(docs\/([\w-]+\.md)\)/g)].map(([, page]) => page);
  for (const page of ['handlers.md', 'options.md', 'values.md', 'errors.md', 'pool.md', 'hub.md']) {
    expect(linked).toContain(page);
  }
});

test('what the pages call an option is one', () => {
  expect(
    () => new Synapse(Object.fromEntries(listed(spawn).map((n) => [n, undefined]))),
  ).not.toThrow();
  expect(() => checkCallNames({ idleTimeout: 1 }, ['idleTimeout'])).not.toThrow();
});
