/** Heartbeats and cancels have a channel of their own: a value that lies in the pipe holds none up. */

import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Synapse } from '../../ts/index.js';
import { createFolder, createSynapse, until } from '../support/modules.js';

/** Far more than any socket holds: most of it cannot even be written before Python reads. */
const LARGE = Buffer.alloc(64 << 20, 'large');

const MODULE = `
  import array, fcntl, hashlib, os, termios, time
  from synapse import Cancelled, handler

  def note(name):
      open(name, "w").close()

  def unread():
      """Bytes that lie in the fullest channel of this process."""
      most = 0
      for descriptor in range(3, 64):
          waiting = array.array("i", [0])
          try:
              fcntl.ioctl(descriptor, termios.FIONREAD, waiting)
          except OSError:
              continue
          most = max(most, waiting[0])
      return most

  @handler
  def echo(value):
      return value

  @handler
  def hold():
      """Keeps the main thread, which reads the pipe, until it is let go, cancelled or not."""
      note("begun")
      try:
          wait()
      except Cancelled:
          note("cancelled")
          wait()

  def wait():
      while not os.path.exists("release"):
          if unread() > 65536:
              note("full")
          time.sleep(0.005)

  @handler
  def digest(data):
      note("digested")
      return hashlib.sha1(data).hexdigest()
`;

interface Bench {
  readonly synapse: Synapse;
  /** Whether Python has noted this. */
  readonly has: (name: string) => boolean;
  /** Lets the handler go that keeps Python from reading. */
  readonly release: () => void;
  readonly holding: AbortController;
  readonly held: Promise<unknown>;
  /** How many heartbeats have come. */
  readonly beats: () => number;
}

/** A worker that reads nothing, and to which the next call is written all the same. */
async function start(): Promise<Bench> {
  const folder = createFolder({ 'main.py': MODULE });
  const synapse = createSynapse({
    cwd: folder,
    mode: 'serial',
    limits: { sharedMemory: 0 },
    heartbeat: { interval: 50 },
  });
  await synapse.spawn(folder, 'main');
  let beats = 0;
  synapse.on('heartbeat', () => {
    beats += 1;
  });
  // Calls are written ahead to a worker that was measured as quick.
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 200 }, (_, index) => synapse.invoke('echo', [index])));
  }
  const has = (name: string): boolean => existsSync(join(folder, name));
  const holding = new AbortController();
  const held = synapse.invoke('hold', [], { signal: holding.signal }).catch((reason) => reason);
  await until(() => has('begun'));
  const release = (): void => writeFileSync(join(folder, 'release'), '');
  return { synapse, has, release, holding, held, beats: () => beats };
}

describe('while a large value lies in the pipe, unread', () => {
  test('heartbeats come, and the cancel of what runs gets through', async () => {
    const { synapse, has, release, holding, held, beats } = await start();
    const answer = synapse.invoke('digest', [LARGE]);
    await until(() => has('full'));
    const before = beats();
    await until(() => beats() >= before + 3);
    holding.abort('enough');
    expect(await held).toBe('enough');
    await until(() => has('cancelled'));
    const after = beats();
    await until(() => beats() >= after + 3);
    expect(has('digested')).toBe(false);
    release();
    expect(await answer).toBe(createHash('sha1').update(LARGE).digest('hex'));
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });

  test('its own cancel gets there first: it never runs, and the next call does', async () => {
    const { synapse, has, release, holding, held } = await start();
    const controller = new AbortController();
    const { signal } = controller;
    const answer = synapse.invoke('digest', [LARGE], { signal }).catch((reason) => reason);
    await until(() => has('full'));
    controller.abort('unwanted');
    // Comes after it on the same channel.
    holding.abort('enough');
    expect(await Promise.all([answer, held])).toEqual(['unwanted', 'enough']);
    await until(() => has('cancelled'));
    release();
    expect(await synapse.invoke('echo', ['next'])).toBe('next');
    expect(has('digested')).toBe(false);
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });
});
