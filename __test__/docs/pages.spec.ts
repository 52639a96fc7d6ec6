/** The examples of the pages in `docs` do what they say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withLibraries } from '../support/data.js';
import { createFolder } from '../support/modules.js';
import { block, runExample, runPage } from '../support/page.js';

const PAGES = [
  'callbacks.md',
  'cancellation.md',
  'hub.md',
  'pool.md',
  'resilience.md',
  'sessions.md',
  'streaming.md',
];

test.each(PAGES)('%s', (name) => runPage(name));

test('values.md', () => runPage('values.md', withLibraries));

test('runtimes.md: the worker in Node', async () => {
  const directory = createFolder({ 'worker.mjs': block('runtimes.md', 'js worker.mjs') });
  const source = block('runtimes.md', 'js main.mjs');
  await runExample(source, { directory });
});

test('runtimes.md: every handler that conformance asks for is in the table', async () => {
  const { CHECKS, REQUIRED } = await import('../../ts/cli/conformance/checks.js');
  const page = readFileSync(join(__dirname, '../../docs/runtimes.md'), 'utf8');
  const asked = new Set([...REQUIRED, ...CHECKS.flatMap(({ needs = [] }) => needs)]);
  const listed = [...page.matchAll(/^\| `(\w+)\(/gm)].map(([, name = '']) => name);
  expect(listed.sort()).toEqual([...asked].sort());
});
