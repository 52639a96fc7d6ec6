/** What the options of spawn do to a worker. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const MODULE = `
  import asyncio, os, sys, threading, time
  from synapse import context, handler

  running, most, ended = 0, 0, 0

  @handler
  def environment(name):
      return os.environ.get(name)

  @handler
  def here():
      return [os.getcwd(), sys.path[0], sys.argv]

  @handler
  async def overlap(others=0):
      """Ends when three have run at once and so many others have ended."""
      global running, most, ended
      running += 1
      most = max(most, running)
      while most < 3 or ended < others:
          await asyncio.sleep(0.001)
      await asyncio.sleep(0.02)
      running -= 1
      ended += 1
      return most

  @handler
  def remaining():
      return context().remaining()

  @handler
  def metadata():
      return context().metadata

  @handler
  def size(data):
      return len(data)
`;

describe('env', () => {
  test('is merged over Node’s, and user site packages are off', async () => {
    process.env['SYNAPSE_SPEC_INHERITED'] = 'inherited';
    process.env['SYNAPSE_SPEC_BOTH'] = 'inherited';
    const env = { SYNAPSE_SPEC_OWN: 'own', SYNAPSE_SPEC_BOTH: 'own' };
    const synapse = await spawnModule(MODULE, { env });
    expect(await synapse.invoke('environment', ['SYNAPSE_SPEC_BOTH'])).toBe('own');
    expect(await synapse.invoke('environment', ['SYNAPSE_SPEC_OWN'])).toBe('own');
    expect(await synapse.invoke('environment', ['SYNAPSE_SPEC_INHERITED'])).toBe('inherited');
    expect(await synapse.invoke('environment', ['PYTHONNOUSERSITE'])).toBe('1');
    expect(await synapse.invoke('environment', ['OMP_NUM_THREADS'])).toBe('1');
    await synapse.dispose();
    const apart = await spawnModule(MODULE, { inheritEnv: false });
    expect(await apart.invoke('environment', ['SYNAPSE_SPEC_INHERITED'])).toBeNull();
    expect(await apart.invoke('environment', ['PATH'])).toEqual(expect.any(String));
    delete process.env['SYNAPSE_SPEC_INHERITED'];
    delete process.env['SYNAPSE_SPEC_BOTH'];
  });
});

test('cwd and pythonPath', async () => {
  const folder = createFolder({ 'main.py': MODULE });
  const library = join(folder, 'library');
  mkdirSync(library);
  writeFileSync(join(library, 'helper_of_mine.py'), 'VALUE = 42\n');
  writeFileSync(
    join(folder, 'uses.py'),
    'import helper_of_mine\n\ndef answer(_):\n    return helper_of_mine.VALUE\n',
  );
  const synapse = createSynapse();
  await synapse.spawn(folder, 'main', { cwd: folder });
  const [cwd, first, argv] = await synapse.invoke<[string, string, string[]]>('here');
  expect([cwd, first, argv]).toEqual([folder, folder, [join(folder, 'main.py')]]);
  await synapse.dispose();
  await synapse.spawn(folder, 'uses:answer', { pythonPath: [library] });
  expect(await synapse.call(null)).toBe(42);
});

describe('concurrency', () => {
  test('of async handlers: calls overlap up to it and never beyond, and answer out of order', async () => {
    const synapse = await spawnModule(MODULE, { concurrency: 3 });
    const order: number[] = [];
    // The first ends after another has.
    const others = [1, 0, 0, 0, 0, 0];
    const most = await Promise.all(
      others.map(async (count, index) => {
        const seen = await synapse.invoke<number>('overlap', [count]);
        order.push(index);
        return seen;
      }),
    );
    expect(Math.max(...most)).toBe(3);
    expect(order.indexOf(0)).toBeGreaterThan(0);
  });
});

test('the deadline’s rest and the metadata of a call reach Python', async () => {
  const synapse = await spawnModule(MODULE);
  expect(await synapse.invoke('metadata', [], { metadata: { user: 'u1' } })).toEqual({
    user: 'u1',
  });
  expect(await synapse.invoke('remaining')).toBeNull();
  const rest = await synapse.invoke<number>('remaining', [], { timeout: 60_000 });
  expect(rest).toBeGreaterThan(30);
  expect(rest).toBeLessThanOrEqual(60);
});

describe('limits', () => {
  test('a frame above the limit is refused on either side, and the next call works', async () => {
    const synapse = await spawnModule(
      `${MODULE}
  @handler
  def make(size):
      return bytes(size)
`,
      { limits: { frame: 1024 * 1024 } },
    );
    await expect(synapse.invoke('size', [Buffer.alloc(2 * 1024 * 1024)])).rejects.toMatchObject({
      code: 'FRAME_TOO_LARGE',
    });
    expect(await synapse.invoke('size', [Buffer.alloc(1000)])).toBe(1000);
    await expect(synapse.invoke('make', [2 * 1024 * 1024])).rejects.toMatchObject({
      code: expect.stringMatching(/FRAME_TOO_LARGE|ENCODE/),
    });
    expect(await synapse.invoke('size', [Buffer.alloc(1000)])).toBe(1000);
  });

  test('callTimeout applies to calls that give none', async () => {
    const synapse = await spawnModule(MODULE, { limits: { callTimeout: 100 } });
    await expect(synapse.invoke('overlap')).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});

test.each([0, 1, 65_535, 65_536, 65_537, 1 << 20, 16 << 20])(
  '%i bytes there and back',
  async (size) => {
    const synapse = await spawnModule(`
      from synapse import handler

      @handler(default=True)
      def echo(data):
          return data
    `);
    const data = Buffer.alloc(size, 'abcdefg');
    const [first, second] = await Promise.all([
      synapse.call<Buffer>(data),
      synapse.call<Buffer>(data),
    ]);
    expect(first.equals(data) && second.equals(data)).toBe(true);
  },
);

test('both sides sending 64 MiB at once do not wait for each other', async () => {
  const synapse = await spawnModule(
    `
    from synapse import handler

    @handler(default=True)
    def echo(data):
        return data
  `,
    { concurrency: 4 },
  );
  const data = Buffer.alloc(64 << 20, 7);
  const replies = await Promise.all([0, 1, 2].map(() => synapse.call<Buffer>(data)));
  for (const reply of replies) expect(reply.equals(data)).toBe(true);
});
