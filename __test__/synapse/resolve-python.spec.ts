/** Which interpreter would be used, asked without spawning. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { EnvironmentError, resolvePython } from '../../ts/index.js';
import { createFolder } from '../support/modules.js';

/** What an interpreter says of itself. */
function ask(python: string, code: string): string {
  return execFileSync(python, ['-I', '-c', `import sys; print(${code})`], {
    encoding: 'utf8',
  }).trim();
}

/** A folder with an environment in `.venv`, and that environment's interpreter. */
function createVenv(): { folder: string; python: string } {
  const folder = createFolder({});
  const venv = join(folder, '.venv');
  execFileSync('python3', ['-m', 'venv', '--without-pip', venv]);
  return { folder, python: join(venv, 'bin', 'python') };
}

/** Runs `work` with one variable set as given. */
async function withVariable<T>(name: string, value: string, work: () => Promise<T>): Promise<T> {
  const before = process.env[name];
  process.env[name] = value;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

describe('an interpreter that is found', () => {
  test('without options: a path that runs, its version, and where it was found', async () => {
    const found = await resolvePython({ directory: createFolder({}) });
    expect(['uv', 'PATH', 'pyenv']).toContain(found.source);
    expect(ask(found.path, '"%d.%d.%d" % sys.version_info[:3]')).toBe(found.version);
    expect(Object.keys(found).sort()).toEqual(['path', 'source', 'version']);
  });

  test('makes nothing', async () => {
    const folder = createFolder({});
    await resolvePython({ directory: folder });
    expect(existsSync(join(folder, '.venv'))).toBe(false);
  });

  test('the .venv of the directory', async () => {
    const { folder, python } = createVenv();
    const found = await resolvePython({ directory: folder });
    expect(found).toMatchObject({ path: python, source: '.venv' });
  });

  test('the environment that the option names, by its folder or its interpreter', async () => {
    const { folder, python } = createVenv();
    for (const named of [join(folder, '.venv'), python]) {
      expect(await resolvePython({ python: named })).toMatchObject({
        path: python,
        source: 'option',
      });
    }
  });

  test('the one that SYNAPSE_PYTHON names, as this thread sees it', async () => {
    const { python } = createVenv();
    const found = await withVariable('SYNAPSE_PYTHON', python, () => resolvePython());
    expect(found).toMatchObject({ path: python, source: 'SYNAPSE_PYTHON' });
  });

  test('one that uv manages already', async () => {
    const base = ask('python3', 'sys._base_executable');
    const version = ask(base, '"%d.%d" % sys.version_info[:2]');
    // uv itself is stood in for: the real one is run by the tests of the engine.
    const bin = join(createFolder({}), 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'uv'), `#!/bin/sh\necho '${base}'\n`);
    chmodSync(join(bin, 'uv'), 0o755);
    const found = await withVariable('PATH', `${bin}:${process.env['PATH']}`, () =>
      resolvePython({ python: { managed: version } }),
    );
    expect(realpathSync(found.path)).toBe(realpathSync(base));
    expect(found.source).toBe('managed');
  });

  test('Node stays up until the answer is there', () => {
    const script = `
      const { resolvePython } = require(${JSON.stringify(join(__dirname, '../..'))});
      resolvePython().then(({ version }) => console.log(version));
    `;
    const printed = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(printed).toMatch(/^3\.\d+\.\d+\n$/);
  });
});

describe('an interpreter that is not there', () => {
  test('is an error that names it, and nothing else is tried', async () => {
    const python = join(createFolder({}), 'missing', 'python');
    const error: unknown = await resolvePython({ python }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error).toMatchObject({
      code: 'PYTHON_NOT_FOUND',
      candidates: [{ path: python, reason: 'does not exist' }],
      hint: expect.stringContaining('pass a working interpreter'),
    });
  });

  test('nor is anything else tried for a bad SYNAPSE_PYTHON', async () => {
    const folder = createFolder({});
    const python = join(folder, 'python');
    symlinkSync(join(folder, 'gone'), python);
    await withVariable('SYNAPSE_PYTHON', python, async () => {
      await expect(resolvePython()).rejects.toMatchObject({
        code: 'PYTHON_NOT_FOUND',
        candidates: [{ path: python, reason: 'is a link to a file that is gone' }],
      });
    });
  });

  test('of a version that no interpreter has: every candidate is listed', async () => {
    const error: unknown = await resolvePython({ python: '3.99' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(EnvironmentError);
    const { candidates = [] } = error as EnvironmentError;
    expect(candidates.length).toBeGreaterThan(0);
    expect(candidates.map(({ reason }) => reason)).toContainEqual(
      expect.stringContaining('wanted is >=3.9,3.99'),
    );
  });
});

test.each([
  [{ python: '' }, 'option "python" must be'],
  [{ directory: 5 }, 'option "directory" must be'],
  [{ pyhton: '3.12' }, 'did you mean "python"?'],
  [{ python: { managed: '3' } }, 'option "python.managed" must be'],
])('%j is refused', async (options, message) => {
  await expect(resolvePython(options as object)).rejects.toThrow(message);
});
