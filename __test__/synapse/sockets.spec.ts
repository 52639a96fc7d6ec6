/** Nothing of it can be reached from outside: no socket listens, neither in Node nor in a worker. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createFolder, PROCESS_HANDLERS, spawnModule } from '../support/modules.js';

/** The listening sockets of a table of Linux, by their inodes. UDP has no state for it: bound is enough. */
function listening(table: string): string[] {
  const lines = readFileSync(`/proc/net/${table}`, 'latin1').split('\n').slice(1);
  const fields = lines.map((line) => line.trim().split(/\s+/));
  if (table === 'unix') {
    // The flag for a socket that accepts connections.
    return fields.filter(([, , , flags]) => flags === '00010000').map((all) => all[6] ?? '');
  }
  const wanted = table.startsWith('tcp') ? '0A' : '07';
  return fields.filter(([, , , state]) => state === wanted).map((all) => all[9] ?? '');
}

/** Those among them that a process holds. */
function listeningOf(pid: number): string[] {
  const all = new Set(['tcp', 'tcp6', 'udp', 'udp6', 'unix'].flatMap(listening));
  return readdirSync(`/proc/${pid}/fd`).flatMap((descriptor) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
      return inode !== undefined && all.has(inode) ? [inode] : [];
    } catch {
      // The descriptor of the folder that was read.
      return [];
    }
  });
}

test.each([
  ['a port', (): object => ({ port: 0, host: '127.0.0.1' })],
  ['a path', (): object => ({ path: join(createFolder({}), 'socket') })],
])('a server at %s would be noticed', async (_, options) => {
  const before = listeningOf(process.pid).length;
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(options(), resolve));
  expect(listeningOf(process.pid)).toHaveLength(before + 1);
  await new Promise((resolve) => server.close(resolve));
});

test('no socket listens, whatever is in use', async () => {
  const before = listeningOf(process.pid);
  const synapse = await spawnModule(
    `${PROCESS_HANDLERS}
  from synapse import host

  @handler
  def ask(value):
      return host.answer(value).result()
`,
    { workers: 2, heartbeat: { interval: 50 } },
  );
  synapse.handle('answer', (value) => value);
  const large = Buffer.alloc(1 << 20, 7);
  expect(large.equals(await synapse.session('s').invoke<Buffer>('ask', [large]))).toBe(true);
  expect(listeningOf(process.pid)).toEqual(before);
  const pids = synapse.workers().map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  expect(pids.flatMap(listeningOf)).toEqual([]);
});
