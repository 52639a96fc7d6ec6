/**
 * Where the bench keeps things, and how they get there: the peers' packages in
 * `node_modules`, the Python environment in `.venv`, one directory for each
 * contender and the local wheels in `.work`. All of it is made on the first
 * run, outside every measurement, and ignored by git.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './processes.mjs';

export const benchDirectory = dirname(dirname(fileURLToPath(import.meta.url)));
export const repositoryDirectory = dirname(benchDirectory);
export const resultsDirectory = join(benchDirectory, 'results');

const workDirectory = join(benchDirectory, '.work');
const environmentDirectory = join(benchDirectory, '.venv');

/** Distributions that every environment has and no contender asked for. */
const INSTALLERS = new Set(['pip', 'setuptools', 'wheel']);

/** The interpreter that the contenders without an environment of their own run. */
export const sharedPython = join(environmentDirectory, 'bin', 'python');

const modulesDirectory = join(benchDirectory, 'node_modules');

/** The binary of node-calls-python, which the bench compiles: the package brings none. */
export const nodeCallsPythonBinary = join(
  modulesDirectory,
  'node-calls-python',
  'build',
  'Release',
  'nodecallspython.node',
);

/** The directory of contender `id`; for the cold start, each run makes another below it. */
export function directoryOf(id) {
  return join(workDirectory, id);
}

/** Makes `directory` and puts the files of `bench/python/<program>` there, keeping a `.venv` that is in it. */
export function furnish(directory, program) {
  mkdirSync(directory, { recursive: true });
  cpSync(join(benchDirectory, 'python', program), directory, { recursive: true });
  return directory;
}

/** Makes whatever is missing. `say` is told what takes long. */
export async function prepareHouse(say) {
  await pinInterpreter();
  await installPeers(say);
  await makeEnvironment(say);
  await buildNodeCallsPython(say);
}

/**
 * Puts the directory of the real interpreter first on the PATH. A shim (pyenv,
 * asdf) costs each start up to 100 ms that belong to no contender.
 */
export async function pinInterpreter() {
  const executable = await run('python3', [
    '-c',
    'import os, sys; print(os.path.dirname(os.path.realpath(sys.executable)))',
  ]);
  process.env.PATH = [executable.trim(), process.env.PATH].join(delimiter);
}

async function installPeers(say) {
  const lock = join(benchDirectory, 'package-lock.json');
  const stamp = join(modulesDirectory, '.package-lock.json');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return;
  say('installing the peers (npm ci, without install scripts)');
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: benchDirectory });
}

async function makeEnvironment(say) {
  const requirements = join(benchDirectory, 'requirements.txt');
  const stamp = join(environmentDirectory, 'requirements.txt');
  if (existsSync(stamp) && readFileSync(stamp).equals(readFileSync(requirements))) return;
  say('making the Python environment of the bench');
  rmSync(environmentDirectory, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', environmentDirectory]);
  await run(sharedPython, ['-m', 'pip', 'install', '--quiet', '-r', requirements]);
  // Last: an environment that was left half-made is made again.
  cpSync(requirements, stamp);
}

/**
 * A directory that holds `uv` and nothing else, to put on the PATH: the
 * environment it was installed into also has a `python`, which must not be found.
 */
export function uvDirectory() {
  const directory = join(workDirectory, 'tools');
  mkdirSync(directory, { recursive: true });
  if (!existsSync(join(directory, 'uv'))) {
    symlinkSync(join(environmentDirectory, 'bin', 'uv'), join(directory, 'uv'));
  }
  return directory;
}

/** node-calls-python has no prebuilt binary; why it could not be built, or null. */
let nodeCallsPythonFailure = null;

/** Why node-calls-python cannot be measured, or null. */
export function nodeCallsPythonProblem() {
  return nodeCallsPythonFailure;
}

async function buildNodeCallsPython(say) {
  if (existsSync(nodeCallsPythonBinary)) return;
  say('building node-calls-python (node-gyp)');
  const nodeDirectory = dirname(dirname(process.execPath));
  const headersAreHere = existsSync(join(nodeDirectory, 'include', 'node', 'node_api.h'));
  const args = [join(modulesDirectory, 'node-gyp', 'bin', 'node-gyp.js'), 'rebuild'];
  if (headersAreHere) args.push(`--nodedir=${nodeDirectory}`);
  try {
    await run(process.execPath, args, { cwd: join(modulesDirectory, 'node-calls-python') });
  } catch (error) {
    nodeCallsPythonFailure = `not built: ${lastLine(error.message)}`;
  }
}

function lastLine(text) {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => !line.includes('gyp info'));
  return lines.at(-1);
}

/**
 * Downloads, once, the wheels of all that is installed in `environments`, so
 * that a cold start measures the installer and not the network. Gives the
 * variables that point pip and uv at them.
 */
export async function localWheels(environments) {
  const directory = join(workDirectory, 'wheels');
  mkdirSync(directory, { recursive: true });
  const have = readdirSync(directory).map((name) => name.split('-').slice(0, 2).join('=='));
  const wanted = new Set(environments.flatMap(installedIn));
  const missing = [...wanted].filter((requirement) => !have.includes(requirement));
  if (missing.length > 0) {
    await run(sharedPython, [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '-d',
      directory,
      ...missing,
    ]);
  }
  return {
    PIP_NO_INDEX: '1',
    PIP_FIND_LINKS: directory,
    UV_NO_INDEX: '1',
    UV_FIND_LINKS: directory,
  };
}

/** The requirements, `name==version`, of what is installed in the environment at `directory`. */
function installedIn(directory) {
  const library = join(directory, 'lib');
  if (!existsSync(library)) return [];
  return readdirSync(library)
    .flatMap((version) => readdirSync(join(library, version, 'site-packages')))
    .filter((name) => name.endsWith('.dist-info'))
    .map((name) => name.slice(0, -'.dist-info'.length).split('-'))
    .filter(([name]) => !INSTALLERS.has(name))
    .map(([name, version]) => `${name}==${version}`);
}
