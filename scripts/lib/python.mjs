// The Python of the developer tools: a virtual environment of the checkout, `.venv-dev`.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { inProject } from './project.mjs';
import { must, run } from './run.mjs';

const folder = inProject('.venv-dev');
const stamp = inProject('.venv-dev', '.stamp');
const requirements = inProject('python', 'requirements-dev.txt');
const scripts = process.platform === 'win32' ? 'Scripts' : 'bin';

/** A program of the environment, such as `pytest`. */
export function venvProgram(name) {
  return inProject('.venv-dev', scripts, name);
}

/** The first Python on the PATH that is new enough, or an error that names what was tried. */
async function findPython() {
  const candidates = [process.env.SYNAPSE_PYTHON, 'python3', 'python'].filter(Boolean);
  const tried = [];
  for (const candidate of candidates) {
    const probe = 'import sys; print(sys.version); sys.exit(sys.version_info < (3, 9))';
    const { code, output } = await run([candidate, '-c', probe]);
    if (code === 0) return { program: candidate, version: output.trim() };
    tried.push(`${candidate}: ${output.trim() || `exit code ${code}`}`);
  }
  throw new Error(`no Python 3.9 or newer was found; tried\n  ${tried.join('\n  ')}`);
}

/** Makes the environment unless it already answers to the requirements and the interpreter. */
export async function preparePython() {
  const python = await findPython();
  const wanted = createHash('sha256')
    .update(python.version)
    .update(readFileSync(requirements))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  process.stdout.write('installing the Python development tools into .venv-dev\n');
  rmSync(folder, { recursive: true, force: true });
  await must([python.program, '-m', 'venv', folder]);
  await must([
    venvProgram('python'),
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--requirement',
    requirements,
  ]);
  writeFileSync(stamp, wanted);
}
