/** What newcomers do wrong: each time the error says where, why, and the way out. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { SynapseError } from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const MODULE = `
from synapse import handler

@handler
def burn(n: int):
    return n

@handler
def raises():
    from synapse import ValidationError
    raise ValidationError("too far", "$.n")
`;

async function failure(promise: Promise<unknown>): Promise<SynapseError> {
  return promise.then(
    () => {
      throw new Error('it succeeded');
    },
    (reason: SynapseError) => reason,
  );
}

async function spawnFailure(source: string): Promise<SynapseError> {
  return failure(createSynapse().spawn(createFolder({ 'main.py': source }), 'main'));
}

describe('a spawn that fails', () => {
  test('shows who spawned, and no frame of the package', async () => {
    const { stack } = await failure(createSynapse().spawn('./nowhere', 'main'));
    expect(stack).toMatch(/^SpawnError: Directory "\.\/nowhere" does not exist\.\n/);
    expect(stack).toContain('first-steps.spec.ts');
    expect(stack).not.toMatch(/[\\/]ts[\\/](engine|synapse)\.ts/);
  });

  test('tells of the exception, not of how the process was ended for it', async () => {
    const error = await spawnFailure('raise ValueError("no model")');
    expect(error).toMatchObject({ code: 'START_FAILED', phase: 'import' });
    expect(error).not.toHaveProperty('signal');
    expect(error).not.toHaveProperty('exitCode');
    expect(error.details).toBeUndefined();
  });

  test('for want of a package says where it belongs', async () => {
    const error = await spawnFailure('import nosuchpackage.models');
    expect(error.message).toContain("No module named 'nosuchpackage'");
    expect(error.hint).toMatch(/^add the package that provides "nosuchpackage" to requirements/);
    expect((await spawnFailure('raise ValueError()')).hint).toBeUndefined();
  });

  test('for want of arguments names them', async () => {
    const synapse = createSynapse();
    const spawn = synapse.spawn.bind(synapse) as (...given: unknown[]) => Promise<void>;
    await expect(spawn()).rejects.toThrow('the directory of spawn must be a string, got undefined');
    await expect(spawn(new URL('file:///module'), 'main')).rejects.toThrow('fileURLToPath()');
    await expect(spawn('.')).rejects.toThrow('the entrypoint of spawn must be a string');
  });
});

test('an environment is made while Node goes on with other things', async () => {
  const folder = createFolder({
    'main.py': 'from synapse import handler\n\n@handler\ndef f():\n    return 1\n',
  });
  const synapse = createSynapse({
    python: process.env['SYNAPSE_PYTHON'] ?? 'python3',
    installer: 'auto',
  });
  let turns = 0;
  let making = false;
  synapse.on('setup', ({ phase }) => {
    making = phase !== 'ready';
  });
  const clock = setInterval(() => {
    if (making) turns++;
  }, 1);
  await synapse.spawn(folder, 'main');
  clearInterval(clock);
  expect(turns).toBeGreaterThan(20);
  expect(existsSync(join(folder, '.venv'))).toBe(true);
});

describe('a call that is wrong', () => {
  test('is refused in one sentence; what a handler refuses shows its line', async () => {
    const synapse = await spawnModule(MODULE);
    const wrong = await failure(synapse.invoke('burn', ['x']));
    expect(wrong).toMatchObject({ code: 'VALIDATION', path: '$.n' });
    expect(wrong.cause).toBeUndefined();
    const raised = await failure(synapse.invoke('raises'));
    expect(raised).toMatchObject({ code: 'VALIDATION', path: '$.n' });
    expect(raised.cause).toMatchObject({ traceback: expect.stringContaining('in raises') });
  });

  test('by a name that is nearly right gets that name', async () => {
    const synapse = await spawnModule(MODULE);
    expect((await failure(synapse.invoke('brun', [1]))).hint).toBe('did you mean "burn"?');
    expect((await failure(synapse.invoke('predict', [1]))).hint).toBeUndefined();
  });

  test('by name, of a script of version 1.4, gets the method that reaches it', async () => {
    const old = await spawnModule('import sys\nwhile sys.stdin.buffer.read(4): pass\n');
    expect((await failure(old.invoke('run', [1]))).hint).toContain('use call(input)');
  });

  test('with a misspelt option of map or stream gets its name', async () => {
    const synapse = await spawnModule(MODULE);
    const misspelt = { concurency: 2 } as object;
    await expect(synapse.map('burn', [1], misspelt)).rejects.toThrow('did you mean "concurrency"?');
    const wrong = { idleTimeot: 2 } as object;
    expect(() => synapse.stream('burn', [1], wrong)).toThrow('did you mean "idleTimeout"?');
  });
});

test('every event has its type in the public surface', () => {
  const root = join(__dirname, '../..');
  const events = readFileSync(join(root, 'ts/events.ts'), 'utf8');
  const surface = readFileSync(join(root, 'index.d.ts'), 'utf8');
  const names = [...events.matchAll(/^export interface (\w+)/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(surface).toMatch(new RegExp(`\\b${name}\\b`));
});
