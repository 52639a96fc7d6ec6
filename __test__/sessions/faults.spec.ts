/** What a file of sessions goes through: a disk that is full, a kill in the middle, damage, time. */

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runNode } from '../support/child.js';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const MODULE = `
  from synapse import context, handler

  @handler
  def both(number):
      session = context().session
      session["a"] = session["b"] = number
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'synapse-store-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Lets a process make no file larger than that: as a disk that is full. */
function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}:`]);
}

test('while the disk is full calls go on, and once it is not all is written', async () => {
  const store = join(folder, 'full.redb');
  const directory = createFolder({ 'main.py': MODULE });
  const program = runNode(
    `
    process.on('SIGXFSZ', () => {});
    const sessions = { store: ${JSON.stringify(store)} };
    const synapse = new Synapse({ ...python, sessions });
    const faults = [];
    synapse.on('error', (error) => faults.push(error.message));
    const line = (start) => new Promise((resolve) => {
      process.stdin.once('data', resolve);
      console.log(start);
    });
    (async () => {
      await synapse.spawn(folder, 'main');
      await synapse.session('ended').set('key', 1);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await line('spawned');
      for (let number = 0; number < 40; number++) {
        await synapse.session('s' + number).set('big', 'x'.repeat(100_000));
        await synapse.session('s' + number).invoke('both', [number]);
      }
      await synapse.session('ended').end();
      while (faults.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await line('full');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      console.log('faults ' + JSON.stringify(faults));
      process.kill(process.pid, 'SIGKILL');
    })();
  `,
    directory,
  );
  await program.line('spawned');
  const pid = program.process.pid as number;
  limitFiles(pid, statSync(store).size);
  program.process.stdin?.write('\n');
  await program.line('full');
  limitFiles(pid, 'unlimited');
  program.process.stdin?.write('\n');
  const faults = JSON.parse(await program.line('faults ')) as string[];
  expect(await program.ended).toBe('SIGKILL');
  // Told once for as long as it lasts.
  expect(faults).toHaveLength(1);
  expect(faults[0]).toContain(`the session store "${store}" cannot be written`);
  const synapse = createSynapse({ sessions: { store } });
  await synapse.spawn(directory, 'main');
  expect(await synapse.sessions.list()).toHaveLength(40);
  expect(await synapse.session('s39').get('b')).toBe(39);
  expect(await synapse.sessions.exists('ended')).toBe(false);
});

test('a disk that is full does not keep dispose, which says what is lost', async () => {
  const store = join(folder, 'dispose.redb');
  const directory = createFolder({ 'main.py': MODULE });
  const program = runNode(
    `
    process.on('SIGXFSZ', () => {});
    const synapse = new Synapse({ ...python, sessions: { store: ${JSON.stringify(store)} } });
    synapse.on('error', (error) => console.log('fault ' + error.message));
    (async () => {
      await synapse.spawn(folder, 'main');
      process.stdin.once('data', async () => {
        await synapse.session('s').set('big', 'x'.repeat(1_000_000));
        await synapse.dispose();
        console.log('disposed');
        process.exit();
      });
      console.log('spawned');
    })();
  `,
    directory,
  );
  await program.line('spawned');
  limitFiles(program.process.pid as number, statSync(store).size);
  program.process.stdin?.write('\n');
  await program.line('disposed');
  expect(program.lines.filter((text) => text.startsWith('fault ')).at(-1)).toMatch(
    /what has become of 1 sessions is lost$/,
  );
});

test('killed while it writes: each session is as it was after one of its calls', async () => {
  const store = join(folder, 'killed.redb');
  const directory = createFolder({ 'main.py': MODULE });
  let [first, last] = [-1, -1];
  for (let round = 0; round < 4; round++) {
    const program = runNode(
      `
      const synapse = new Synapse({ ...python, sessions: { store: ${JSON.stringify(store)} } });
      (async () => {
        await synapse.spawn(folder, 'main');
        const session = synapse.session('s');
        console.log('found ' + JSON.stringify([...(await session.entries()).values()]));
        const first = ((await session.get('a')) ?? -1) + 1;
        for (let number = first; ; number++) {
          await session.invoke('both', [number]);
          console.log('done ' + number);
        }
      })();
    `,
      directory,
    );
    const [a, b] = JSON.parse(await program.line('found ')) as (number | undefined)[];
    expect(b).toBe(a);
    if (round > 0) {
      expect(a).toBeGreaterThanOrEqual(first);
      // What has run when it was killed may have been answered without being printed.
      expect(a).toBeLessThanOrEqual(last + 2);
    }
    first = (a ?? -1) + 1;
    if (round < 3) await program.line(`done ${first + 20 + round * 7}`);
    program.process.kill('SIGKILL');
    expect(await program.ended).toBe('SIGKILL');
    last = Number(
      program.lines
        .filter((text) => text.startsWith('done '))
        .at(-1)
        ?.slice(5),
    );
  }
});

test('a file that was cut off, and a folder, are refused by name', async () => {
  const store = join(folder, 'whole.redb');
  const first = await spawnModule(MODULE, { sessions: { store } });
  await first.session('s').set('big', 'x'.repeat(1_000_000));
  await first.dispose();
  const damaged = join(folder, 'damaged.redb');
  copyFileSync(store, damaged);
  truncateSync(damaged, Math.floor(statSync(store).size / 2));
  const bytes = readFileSync(damaged);
  await expect(spawnModule(MODULE, { sessions: { store: damaged } })).rejects.toMatchObject({
    code: 'START_FAILED',
    message: expect.stringContaining(damaged),
  });
  expect(readFileSync(damaged).length).toBe(bytes.length);
  const directory = join(folder, 'directory');
  mkdirSync(directory);
  await expect(spawnModule(MODULE, { sessions: { store: directory } })).rejects.toMatchObject({
    code: 'START_FAILED',
    message: expect.stringContaining(directory),
  });
});

test('what is only read lives on over a restart; what is over leaves the file', async () => {
  const store = join(folder, 'read.redb');
  const first = await spawnModule(MODULE, { sessions: { store } });
  const session = first.session('read', { ttl: 3_000 });
  await session.set('key', 1);
  await first.session('over', { ttl: 3_000 }).set('key', 'gone'.repeat(10));
  for (let touch = 0; touch < 10; touch++) {
    await sleep(200);
    expect(await session.get('key')).toBe(1);
  }
  await first.dispose();
  await sleep(1_200);
  const second = await spawnModule(MODULE, { sessions: { store } });
  expect(await second.sessions.list()).toEqual(['read']);
  await second.dispose();
});

test('what is asked before spawn is done waits for what the file holds', async () => {
  const store = join(folder, 'early.redb');
  const directory = createFolder({ 'main.py': MODULE });
  const first = createSynapse({ sessions: { store } });
  await first.spawn(directory, 'main');
  await first.session('s').set('kept', 1);
  await first.dispose();
  const spawned = first.spawn(directory, 'main');
  const set = first.session('s').set('new', 2);
  expect(await first.sessions.list()).toEqual(['s']);
  await Promise.all([spawned, set]);
  expect(await first.session('s').entries()).toEqual(
    new Map([
      ['kept', 1],
      ['new', 2],
    ]),
  );
});
