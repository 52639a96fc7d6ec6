/** docs/coverage.md: every test that it names is there. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(__dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'coverage.md'), 'utf8');

/** Where a test may be that is called so in the table. */
const PLACES: readonly ((name: string) => string)[] = [
  (name) => `__test__/${name}.spec.ts`,
  (name) => `__test__/${name}.ts`,
  (name) => `__test__/rust/${name}.rs`,
  (name) => `src/${name}.rs`,
  (name) => `src/${name}/mod.rs`,
  (name) => `src/${name}/tests.rs`,
  (name) => `python/tests/${name}.py`,
];

/** How many rows there are of each letter. */
const NUMBERED: Readonly<Record<string, number>> = {
  D: 27,
  S: 13,
  Z: 16,
  L: 20,
  O: 16,
  B: 12,
  C: 18,
  T: 11,
  R: 10,
  K: 11,
  Y: 5,
  F: 48,
};

interface Row {
  readonly id: string;
  /** What is left to a later issue. */
  readonly isLater: boolean;
  readonly tests: readonly string[];
}

const rows: readonly Row[] = page
  .split('\n')
  .map((line) => line.split(/(?<=^|\s)\|(?=\s|$)/).map((cell) => cell.trim()))
  .filter(([, id = '']) => /^(?:[A-DFKLORSTYZ]\d+|E-\w+-\d+)$/.test(id))
  .map((cells) => ({
    id: cells[1] ?? '',
    isLater: (cells[2] ?? '').startsWith('**later**'),
    tests: [...(cells[3] ?? '').matchAll(/`([^`]+)`/g)].map(([, named = '']) => named),
  }));

/** The text of the files that a name may mean. */
function sources(name: string): string[] {
  return PLACES.map((place) => join(ROOT, place(name)))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'));
}

test('every numbered row is there, once', () => {
  const ids = rows.map(({ id }) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  const wanted = Object.entries(NUMBERED).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  expect(wanted.filter((id) => !ids.includes(id))).toEqual([]);
});

test('every test that is named exists', () => {
  const named = rows.flatMap(({ id, tests }) => tests.map((text) => ({ id, text })));
  expect(named.length).toBeGreaterThan(200);
  const missing = named.filter(({ text }) => {
    const [, file = '', title = ''] = /^([\w./-]+): (.+)$/.exec(text) ?? [];
    return !sources(file).some((source) => source.includes(title));
  });
  expect(missing).toEqual([]);
});

test('rows without a test are those of later issues, and no others', () => {
  const without = rows.filter(({ tests }) => tests.length === 0).map(({ id }) => id);
  expect(without).toEqual(rows.filter(({ isLater }) => isLater).map(({ id }) => id));
});
