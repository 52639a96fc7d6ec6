/** Programs on real workers: made by one handler, kept in the session, run by another. */

import { describe, expect, test } from '@jest/globals';
import { WorkerExitedError } from '../../ts/index.js';
import { spawnModule } from '../support/modules.js';

const MODULE = `
  import os
  from synapse import handler

  @handler
  def create_program(name, weight=1):
      return {"program_id": name, "metadata": {"weight": weight, "blob": b"\\x00\\x01"}, "pid": os.getpid()}

  @handler
  def execute_program(given):
      return {"given": given, "pid": os.getpid()}

  @handler
  def train(name):
      return {"program_id": name}

  @handler
  def predict(given):
      return given

  @handler
  def nameless(reply):
      return reply

  @handler
  def die():
      os._exit(3)
`;

interface Executed {
  readonly given: { readonly [name: string]: unknown; readonly program_data?: unknown };
  readonly pid: number;
}

describe('programs of a session', () => {
  test('what the creating handler answers is given to the executing one', async () => {
    const synapse = await spawnModule(MODULE);
    const programs = synapse.session('ada').programs();
    const created = await programs.create(['net', 7]);
    expect(created).toMatchObject({ program_id: 'net', metadata: { weight: 7 } });
    const { given } = await programs.execute<Executed>('net', { x: 1, session_id: 'other' });
    expect(given).toEqual({
      x: 1,
      program_data: { weight: 7, blob: expect.anything() },
      session_id: 'ada',
    });
    expect(Buffer.from((given.program_data as { blob: Uint8Array }).blob)).toEqual(
      Buffer.from([0, 1]),
    );
    const { given: bare } = await programs.execute<Executed>('net');
    expect(Object.keys(bare).sort()).toEqual(['program_data', 'session_id']);
  });

  test('handlers have other names on request, and a reply may have no metadata', async () => {
    const synapse = await spawnModule(MODULE);
    const programs = synapse.session('ada').programs({ create: 'train', execute: 'predict' });
    await programs.create(['net']);
    expect(await programs.execute('net')).toEqual({ program_data: null, session_id: 'ada' });
  });

  test('an unknown id is refused with the known ones, each session has its own', async () => {
    const synapse = await spawnModule(MODULE);
    const programs = synapse.session('ada').programs();
    const empty = programs.execute('net');
    await expect(empty).rejects.toThrow(RangeError);
    await expect(empty).rejects.toThrow('session "ada" has no program "net"; known: none');
    await programs.create(['one']);
    await programs.create(['two']);
    await expect(programs.execute('net')).rejects.toThrow('known: one, two');
    await expect(synapse.session('bob').programs().execute('one')).rejects.toThrow(RangeError);
    expect(await programs.list()).toEqual(['one', 'two']);
    expect(await programs.delete('one')).toBe(true);
    expect(await programs.delete('one')).toBe(false);
    expect(await programs.list()).toEqual(['two']);
  });

  test('a program outlives the worker that made it', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('ada');
    const programs = session.programs();
    const { pid: maker } = await programs.create(['net', 3]);
    await expect(session.invoke('die')).rejects.toThrow(WorkerExitedError);
    const { given, pid } = await programs.execute<Executed>('net');
    expect(given.program_data).toMatchObject({ weight: 3 });
    expect(pid).not.toBe(maker);
  });

  test('a reply without an id is an error, and nothing is kept', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('ada');
    const programs = session.programs({ create: 'nameless' });
    for (const reply of [null, 'net', ['net'], {}, { program_id: 7 }, { program_id: '' }]) {
      await expect(programs.create([reply])).rejects.toThrow(
        'handler "nameless" must answer an object whose program_id is a string',
      );
    }
    expect((await session.entries()).size).toBe(0);
  });

  test('commands and arguments that make no sense are refused', async () => {
    const synapse = await spawnModule(MODULE);
    const session = synapse.session('ada');
    expect(() => session.programs({ create: '' })).toThrow(
      '"programs.create" must be the name of a handler',
    );
    expect(() => session.programs({ run: 'x' } as object)).toThrow('unknown option "programs.run"');
    const refused = session.programs().execute('net', [1] as unknown as Record<string, unknown>);
    await expect(refused).rejects.toThrow('args of program "net" must be an object, got [ 1 ]');
  });
});
