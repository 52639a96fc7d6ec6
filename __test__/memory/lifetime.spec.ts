import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { runNode } from '../support/child.js';
import { createFolder, isAlive, killProcess, spawnModule, until } from '../support/modules.js';
import { LENT, MIB, MODULE, pattern, sharedKib } from './support.js';

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

describe('shared memory', () => {
  test('is not given to another value while Python reads it', async () => {
    const synapse = await spawnModule(MODULE);
    const all = [1, 2, 3, 4].map((seed) => pattern(MIB, seed));
    for (const bytes of all) await synapse.invoke('keep', [bytes]);
    for (let round = 0; round < 20; round++)
      await synapse.invoke('echo', [pattern(MIB, round + 50)]);
    expect(await synapse.invoke('kept_digests', [])).toEqual(all.map(sha1));
    await synapse.invoke('drop', []);
  });

  test('is not given to another value while JavaScript reads it', async () => {
    const synapse = await spawnModule(MODULE);
    const all = [1, 2, 3, 4].map((seed) => pattern(MIB, seed));
    const kept: Buffer[] = [];
    for (const bytes of all) kept.push((await synapse.invoke('echo', [bytes])) as Buffer);
    for (let round = 0; round < 20; round++)
      await synapse.invoke('echo', [pattern(MIB, round + 50)]);
    expect(kept.map(sha1)).toEqual(all.map(sha1));
    await synapse.dispose();
    expect(kept.map(sha1)).toEqual(all.map(sha1));
  });

  test('takes the pipe when it is full, and is there again afterwards', async () => {
    // The arena is four messages large.
    const synapse = await spawnModule(MODULE, { limits: { frame: 2 * MIB } });
    const bytes = pattern(MIB);
    for (let round = 1; round <= 12; round++) {
      expect(await synapse.invoke('keep', [bytes])).toBe(round);
    }
    expect(new Set((await synapse.invoke('kept_digests', [])) as string[])).toEqual(
      new Set([sha1(bytes)]),
    );
    await synapse.invoke('drop', []);
    expect(await synapse.invoke('view', [bytes])).toContain(sha1(bytes));
  });

  test('of a worker that is killed comes back, and no call gets wrong data', async () => {
    const backoff = { initialMs: 1, factor: 1, maxMs: 1 };
    const restart = { max: 1000, windowMs: 1000, backoff, callDeaths: 0 };
    const synapse = await spawnModule(MODULE, { workers: 2, restart });
    const bytes = pattern(4 * MIB);
    const wanted = sha1(bytes);
    for (let round = 0; round < 10; round++) {
      const calls = Array.from({ length: 12 }, (_, index) =>
        index % 3 === 0
          ? synapse.invoke('sleep', [bytes, 0.01]).then((length) => length === bytes.length)
          : synapse.invoke('echo', [bytes]).then((back) => sha1(back as Buffer) === wanted),
      );
      const settled = Promise.allSettled(calls);
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      await until(() => isAlive(synapse.workers()[0]?.pid ?? 0));
      killProcess((synapse.workers()[0] as { pid: number }).pid);
      for (const outcome of await settled) {
        if (outcome.status === 'fulfilled') expect(outcome.value).toBe(true);
        else expect(outcome.reason).toMatchObject({ code: 'WORKER_EXITED' });
      }
    }
    // All of it fits again.
    const again = await Promise.all(
      Array.from({ length: 12 }, () => synapse.invoke('echo', [bytes])),
    );
    for (const back of again) expect(sha1(back as Buffer)).toBe(wanted);
  }, 240_000);

  test('leaves nothing behind when Node is killed', async () => {
    const before = new Set(readdirSync('/dev/shm'));
    const folder = createFolder({ 'main.py': MODULE });
    const program = runNode(
      `const synapse = new Synapse(python);
      synapse.spawn(folder, 'main').then(async () => {
        const bytes = Buffer.alloc(16 << 20, 7);
        await synapse.invoke('keep', [bytes]);
        const back = await synapse.invoke('echo', [bytes]);
        console.log('ready ' + synapse.workers()[0].pid + ' ' + back.length);
      });`,
      folder,
    );
    const [pid, length] = (await program.line('ready ')).split(' ').map(Number);
    expect(length).toBe(16 << 20);
    program.process.kill('SIGKILL');
    await until(() => !isAlive(pid as number));
    // What others have there goes by itself.
    await until(() => readdirSync('/dev/shm').every((name) => before.has(name)));
  });

  test('stays bounded, and is given back once nobody needs it', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const program = runNode(
      `const { readFileSync } = require('node:fs');
      const kib = (pid) => Number(/VmRSS:\\s+(\\d+)/.exec(readFileSync('/proc/' + pid + '/status', 'latin1'))[1]);
      const synapse = new Synapse(python);
      synapse.spawn(folder, 'main').then(async () => {
        const { pid } = synapse.workers()[0];
        const bytes = Buffer.alloc(16 << 20, 7);
        let most = 0;
        for (let round = 0; round < 500; round++) {
          await synapse.invoke('echo', [bytes]);
          most = Math.max(most, kib('self') + kib(pid));
        }
        console.log('most ' + most);
        const shared = (id) => Number(/RssShmem:\\s+(\\d+)/.exec(readFileSync('/proc/' + id + '/status', 'latin1'))[1]);
        const left = () => shared('self') + shared(pid);
        do {
          globalThis.gc();
          await new Promise((resolve) => setTimeout(resolve, 500));
        } while (left() >= 20 * 1024);
        console.log('left ' + left());
        await synapse.dispose();
      });`,
      folder,
      ['--expose-gc'],
    );
    // 500 values of 16 MiB are 8 GiB; what is idle is at most 128 MiB on each side, seen twice.
    expect(Number(await program.line('most '))).toBeLessThan(1200 * 1024);
    expect(Number(await program.line('left '))).toBeLessThan(20 * 1024);
    expect(await program.ended).toBe(0);
  }, 300_000);

  test('is done without where the system does not have it', async () => {
    const folder = createFolder({ 'main.py': MODULE });
    const program = runNode(
      `const { execFileSync } = require('node:child_process');
      const { spawnSync } = require('node:child_process');
      const inner = \`
        const { Synapse } = require(\${JSON.stringify(packagePath)});
        const { readFileSync } = require('node:fs');
        const synapse = new Synapse(\${JSON.stringify(python)});
        synapse.spawn(\${JSON.stringify(folder)}, 'main').then(async () => {
          const bytes = Buffer.alloc(4 << 20, 9);
          const back = await synapse.invoke('echo', [bytes]);
          const shared = /RssShmem:\\\\s+(\\\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1];
          console.log(back.equals(bytes), shared);
          await synapse.dispose();
        });\`;
      // A limit on the size of files is a limit on those in memory, too.
      const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -f 20000; exec "$0" -e "$1"', process.execPath, inner], { encoding: 'utf8' });
      console.log('found ' + stdout.trim() + stderr);`,
      folder,
    );
    expect(await program.line('found ')).toBe('true 0');
  });

  test('of a call that is given up is free again', async () => {
    // Two values fit: without what aborted calls give back, all later ones would take the pipe.
    const synapse = await spawnModule(MODULE, { limits: { frame: 2 * MIB }, workers: 1 });
    const bytes = pattern(2 * MIB - 64 * 1024);
    for (let round = 0; round < 20; round++) {
      const controller = new AbortController();
      const busy = synapse.invoke('sleep', [Buffer.alloc(1), 0.02]);
      const call = synapse.invoke('echo', [bytes], { signal: controller.signal });
      if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 25));
      controller.abort();
      // It may have been quicker.
      await Promise.allSettled([call]);
      await busy;
    }
    const worker = (synapse.workers()[0] as { pid: number }).pid;
    const before = sharedKib(worker);
    expect(((await synapse.invoke('echo', [bytes])) as Buffer).equals(bytes)).toBe(true);
    expect(sharedKib(worker)).toBeGreaterThanOrEqual(Math.min(before, LENT / 1024));
  });
});
