// Every suite of `npm test`, in the order in which they run: the quick verdicts first.

import { mkdirSync, rmSync } from 'node:fs';
import { cargoTest, jest, nextest, nodeTest, pytest, verdict } from './count.mjs';
import { inModules, inProject } from './project.mjs';
import { venvProgram } from './python.mjs';
import { works } from './run.mjs';

/**
 * @typedef {object} Suite
 * @property {string} name what `--only` takes
 * @property {string} group `--only` takes this too
 * @property {boolean} quick whether `npm run check` runs it
 * @property {() => string[] | Promise<string[]>} command the program and its arguments
 * @property {(result: { code: number, output: string }) => { passed: number, failed: number }} count
 * @property {string} [cwd] where it runs, by default the root of the checkout
 */

const node = process.execPath;
const coverage = inProject('coverage');
const jestReport = inProject('coverage', 'jest.json');

/** Whether cargo-nextest, which runs each test in a process of its own, is there. */
const hasNextest = await works('cargo', ['nextest', '--version']);

/** @type {Suite[]} */
export const suites = [
  {
    name: 'rustfmt',
    group: 'rust',
    quick: true,
    command: () => ['cargo', 'fmt', '--check'],
    count: verdict,
  },
  {
    name: 'biome',
    group: 'node',
    quick: true,
    command: () => [
      node,
      inModules('@biomejs', 'biome', 'bin', 'biome'),
      'ci',
      '--colors=off',
      '--error-on-warnings',
    ],
    count: verdict,
  },
  {
    name: 'ruff-format',
    group: 'python',
    quick: true,
    command: () => [venvProgram('ruff'), 'format', '--check', '.'],
    cwd: inProject('python'),
    count: verdict,
  },
  {
    name: 'ruff',
    group: 'python',
    quick: true,
    command: () => [venvProgram('ruff'), 'check', '.'],
    cwd: inProject('python'),
    count: verdict,
  },
  {
    name: 'mypy',
    group: 'python',
    quick: true,
    command: () => [venvProgram('mypy')],
    cwd: inProject('python'),
    count: verdict,
  },
  {
    name: 'tsc',
    group: 'node',
    quick: true,
    command: () => [node, inModules('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json'],
    count: verdict,
  },
  {
    name: 'oxlint',
    group: 'node',
    quick: true,
    command: () => [
      node,
      inModules('oxlint', 'bin', 'oxlint'),
      '--type-aware',
      '--deny-warnings',
      'ts',
      '__test__',
    ],
    count: verdict,
  },
  {
    name: 'tsd',
    group: 'node',
    quick: true,
    command: () => [node, inModules('tsd', 'dist', 'cli.js')],
    count: verdict,
  },
  {
    name: 'clippy',
    group: 'rust',
    quick: true,
    command: () => ['cargo', 'clippy', '--locked', '--all-targets', '--', '-D', 'warnings'],
    count: verdict,
  },
  {
    // Nothing below the binding knows napi.
    name: 'engine-alone',
    group: 'rust',
    quick: true,
    command: () => ['cargo', 'check', '--locked', '--lib', '--no-default-features'],
    count: verdict,
  },
  {
    name: 'cargo-test',
    group: 'rust',
    quick: false,
    command: () =>
      hasNextest
        ? ['cargo', 'nextest', 'run', '--locked', '--no-fail-fast']
        : ['cargo', 'test', '--locked', '--no-fail-fast', '--lib', '--tests'],
    count: hasNextest ? nextest : cargoTest,
  },
  {
    name: 'cargo-doc-test',
    group: 'rust',
    quick: false,
    command: () => ['cargo', 'test', '--locked', '--doc'],
    count: cargoTest,
  },
  {
    name: 'pytest',
    group: 'python',
    quick: false,
    command: () => [venvProgram('python'), '-m', 'pytest', '-q'],
    cwd: inProject('python'),
    count: pytest,
  },
  {
    name: 'jest',
    group: 'node',
    quick: false,
    command: () => {
      mkdirSync(coverage, { recursive: true });
      // A run that breaks off must not be judged by the report of an earlier one.
      rmSync(jestReport, { force: true });
      return [
        node,
        inModules('jest', 'bin', 'jest.js'),
        '--ci',
        '--detectOpenHandles',
        '--json',
        `--outputFile=${jestReport}`,
      ];
    },
    count: jest(jestReport),
  },
  {
    name: 'package',
    group: 'node',
    quick: false,
    command: () => [
      node,
      '--test',
      '--test-reporter=tap',
      inProject('__test__', 'package', 'package.test.mjs'),
    ],
    count: nodeTest,
  },
];

/**
 * The suites that `names` (suites or groups) choose, or all of them.
 *
 * @param {string[]} names
 */
export function chooseSuites(names) {
  const known = new Set(suites.flatMap(({ name, group }) => [name, group]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(`no suite is called ${unknown.join(', ')}; there are ${[...known].join(', ')}`);
  }
  if (names.length === 0) return suites;
  return suites.filter(({ name, group }) => names.includes(name) || names.includes(group));
}
