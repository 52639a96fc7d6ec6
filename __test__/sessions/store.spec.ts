/** Sessions in a file survive dispose, the end of Node and `kill -9`. */

import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runNode } from '../support/child.js';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const MODULE = `
  from synapse import context, handler

  @handler
  def count():
      session = context().session
      session["count"] = session.get("count", 0) + 1
      return session["count"]
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synapse-store-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('dispose writes all, and the next spawn goes on from there', async () => {
  const store = join(folder, 'dispose.redb');
  const first = await spawnModule(MODULE, { sessions: { store } });
  for (let call = 0; call < 50; call++) await first.session('s').invoke('count');
  await first.session('ended').set('key', 1);
  await first.session('ended').end();
  await first.session('short', { ttl: 20 }).set('key', 1);
  await first.dispose();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const second = await spawnModule(MODULE, { sessions: { store } });
  expect(await second.sessions.list()).toEqual(['s']);
  expect(await second.session('s').invoke('count')).toBe(51);
});

test('what was answered some time ago is there after kill -9', async () => {
  const store = join(folder, 'kill.redb');
  const directory = createFolder({ 'main.py': MODULE });
  const program = runNode(
    `
    const synapse = new Synapse({ ...python, sessions: { store: ${JSON.stringify(store)} } });
    synapse.spawn(folder, 'main').then(async () => {
      for (let call = 0; call < 20; call++) await synapse.session('s').invoke('count');
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2000);
    });
  `,
    directory,
  );
  expect(await program.ended).toBe('SIGKILL');
  const synapse = createSynapse({ sessions: { store } });
  await synapse.spawn(directory, 'main');
  expect(await synapse.session('s').invoke('count')).toBe(21);
});

test('a store that was cut off is refused, and nothing is printed of how that was found', async () => {
  const store = join(folder, 'cut.redb');
  const directory = createFolder({ 'main.py': MODULE });
  const first = createSynapse({ sessions: { store } });
  await first.spawn(directory, 'main');
  await first.session('s').set('key', 'x'.repeat(100_000));
  await first.dispose();
  truncateSync(store, 64 * 1024);
  const program = runNode(
    `
    const synapse = new Synapse({ ...python, sessions: { store: ${JSON.stringify(store)} } });
    synapse.spawn(folder, 'main').catch((error) => console.log('told ' + error.message));
  `,
    directory,
  );
  expect(await program.line('told ')).toContain('the file is damaged');
  expect(await program.ended).toBe(0);
  expect(program.errors).toEqual([]);
});

test('a store that another instance has, or that is none, is refused and left alone', async () => {
  const store = join(folder, 'taken.redb');
  const owner = await spawnModule(MODULE, { sessions: { store } });
  await expect(spawnModule(MODULE, { sessions: { store } })).rejects.toMatchObject({
    code: 'START_FAILED',
    message: expect.stringContaining('has it open'),
  });
  await owner.dispose();
  expect(await (await spawnModule(MODULE, { sessions: { store } })).sessions.list()).toEqual([]);
  const text = join(folder, 'text');
  writeFileSync(text, 'no database');
  await expect(spawnModule(MODULE, { sessions: { store: text } })).rejects.toMatchObject({
    code: 'START_FAILED',
    message: expect.stringContaining(text),
  });
  const missing = join(folder, 'no', 'such', 'folder');
  await expect(spawnModule(MODULE, { sessions: { store: missing } })).rejects.toMatchObject({
    code: 'START_FAILED',
  });
  expect(existsSync(missing)).toBe(false);
});
