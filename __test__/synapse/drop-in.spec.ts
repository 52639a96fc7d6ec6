/** A program written for version 1.4 runs unchanged, on either side. */

import { describe, expect, test } from '@jest/globals';
import type { CallOptions, SpawnOptions } from '../../ts/index.js';
import { createFolder, createSynapse, isAlive, until } from '../support/modules.js';

/** The sample script of 1.4, with a `print` that used to break its frames. */
const ECHO = `
  import os
  import struct
  import sys
  import time

  import msgpack

  while True:
      header = sys.stdin.buffer.read(4)
      if len(header) < 4:
          break
      (length,) = struct.unpack('<I', header)
      if length == 0:
          break
      data = msgpack.unpackb(sys.stdin.buffer.read(length))
      print('got something')
      if data == 'pid':
          data = os.getpid()
      elif data == 'die':
          os._exit(7)
      elif data == 'slow':
          time.sleep(60)
      elif isinstance(data, dict) and 'log' in data:
          sys.stderr.write(data['log'])
          sys.stderr.flush()
      reply = msgpack.packb(data)
      sys.stdout.buffer.write(struct.pack('<I', len(reply)))
      sys.stdout.buffer.write(reply)
      sys.stdout.flush()
`;

async function spawnEcho(options: SpawnOptions = {}) {
  const synapse = createSynapse(options);
  const folder = createFolder({ 'main.py': ECHO });
  await synapse.spawn(folder, 'main');
  return { synapse, folder };
}

describe('a script of version 1.4', () => {
  test('echoes every value that MessagePack has', async () => {
    const { synapse } = await spawnEcho();
    const values = [
      null,
      true,
      false,
      0,
      -1,
      2 ** 40,
      -(2n ** 63n),
      2n ** 64n - 1n,
      1.5,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      '',
      'snake 🐍',
      'long'.repeat(20_000),
      [],
      [1, [2]],
      Array.from({ length: 70_000 }, (_, index) => index),
      {},
      { a: { b: 'c' } },
      new Date(1_700_000_000_123),
    ];
    for (const value of values) expect(await synapse.call(value)).toEqual(value);
    const bytes = await synapse.call<Buffer>(Buffer.from([0, 1, 255]));
    expect([...bytes]).toEqual([0, 1, 255]);
  });

  test('answers a thousand parallel callers each with its own', async () => {
    const { synapse } = await spawnEcho();
    const inputs = Array.from({ length: 1000 }, (_, index) => ({ index }));
    expect(await Promise.all(inputs.map((input) => synapse.call(input)))).toEqual(inputs);
  });

  test('takes a burst beyond the default queue, as 1.4 did', async () => {
    const { synapse } = await spawnEcho();
    const inputs = Array.from({ length: 5000 }, (_, index) => index);
    expect(await Promise.all(inputs.map((input) => synapse.call(input)))).toEqual(inputs);
  });

  test('gets what it is sent and no more, whatever the options of a call', async () => {
    const { synapse } = await spawnEcho();
    const options: CallOptions[] = [
      { timeout: 60_000 },
      { metadata: { any: 'thing' } },
      { session: 'ada' },
      { timeout: 60_000, metadata: { a: 1 }, session: 'ada', priority: 1 },
      { idempotent: true, retry: 2, cache: true },
    ];
    for (const option of options)
      expect(await synapse.call({ a: [1] }, option)).toEqual({ a: [1] });
    const bytes = Buffer.alloc(1 << 20, 7);
    expect(bytes.equals(await synapse.call<Buffer>(bytes, { timeout: 60_000 }))).toBe(true);
  });

  test('a call that is late costs its worker, and its reply answers no other', async () => {
    const { synapse } = await spawnEcho({ graceMs: 100 });
    const pid = await synapse.call('pid');
    const late = synapse.call('slow', { timeout: 200 });
    const next = ['a', 'b'].map((text) => synapse.call(text));
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', phase: 'run' });
    // One that was written ahead to the script ends with it: nobody knows whether it had begun.
    for (const [at, outcome] of (await Promise.allSettled(next)).entries()) {
      if (outcome.status === 'fulfilled') expect(outcome.value).toBe(['a', 'b'][at]);
      else expect(outcome.reason).toMatchObject({ code: 'WORKER_EXITED' });
    }
    expect(await synapse.call('pid')).not.toBe(pid);
    expect(await synapse.call('c')).toBe('c');
  });

  test('keeps one process for all calls', async () => {
    const { synapse } = await spawnEcho();
    const pids = [await synapse.call('pid'), await synapse.call('pid')];
    expect(pids[0]).toBe(pids[1]);
    expect(synapse.workers()).toMatchObject([{ pid: pids[0], status: 'ready' }]);
  });

  test('rejects with the very value of a truthy `error`', async () => {
    const { synapse } = await spawnEcho();
    await expect(synapse.call({ error: 'no such thing' })).rejects.toBe('no such thing');
    await expect(synapse.call({ error: { code: 3 } })).rejects.toEqual({ code: 3 });
    expect(await synapse.call({ error: '' })).toEqual({ error: '' });
    expect(await synapse.call('still there')).toBe('still there');
  });

  test('text on stderr that starts with [ERROR rejects the call that is running', async () => {
    const { synapse } = await spawnEcho();
    const calls = await Promise.allSettled([
      synapse.call('first'),
      synapse.call({ log: '[ERROR] went wrong\n' }),
      synapse.call('third'),
    ]);
    expect(calls).toEqual([
      { status: 'fulfilled', value: 'first' },
      { status: 'rejected', reason: expect.objectContaining({ message: '[ERROR] went wrong' }) },
      { status: 'fulfilled', value: 'third' },
    ]);
  });

  test('its stderr comes through instanceLogs, its prints as log events', async () => {
    const { synapse } = await spawnEcho();
    const logs: string[] = [];
    const prints: string[] = [];
    synapse.instanceLogs.subscribe((text) => logs.push(text));
    synapse.on('log', ({ stream, text }) => stream === 'stdout' && prints.push(text));
    await synapse.call({ log: 'careful\n' });
    await until(() => logs.length > 0 && prints.length > 0);
    expect(logs.join('')).toBe('🐍 Python: careful\n');
    expect(prints.join('')).toContain('got something');
  });

  test('parses a string reply as JSON on demand, and returns it as it is if that fails', async () => {
    const { synapse } = await spawnEcho();
    const logs: string[] = [];
    synapse.instanceLogs.subscribe((text) => logs.push(text));
    expect(await synapse.call('{"a":1}', true)).toEqual({ a: 1 });
    expect(await synapse.call('{"a":1}', { parseJson: true })).toEqual({ a: 1 });
    expect(await synapse.call('{"a":1}')).toBe('{"a":1}');
    expect(await synapse.call('{no json', true)).toBe('{no json');
    expect(logs.join('')).toContain('[ERROR] forced parsing failed');
  });

  test('its death settles what is under way, and the next call works', async () => {
    const { synapse } = await spawnEcho();
    await expect(synapse.call('die')).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      exitCode: 7,
    });
    expect(await synapse.call('after')).toBe('after');
  });

  test('that has died for good can be disposed of, and spawned again', async () => {
    const synapse = createSynapse({ restart: false });
    const folder = createFolder({ 'main.py': ECHO });
    await synapse.spawn(folder, 'main');
    await expect(synapse.call('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await expect(synapse.call('later')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    await synapse.dispose();
    await synapse.spawn(folder, 'main');
    expect(await synapse.call('again')).toBe('again');
    await expect(synapse.call('die')).rejects.toMatchObject({ code: 'WORKER_EXITED' });
    // Nobody disposes of it this time; and of two that spawn it one does.
    await Promise.all([synapse.spawn(folder, 'main'), synapse.spawn(folder, 'main.py')]);
    expect(await synapse.call('once more')).toBe('once more');
    expect(synapse.workers()).toHaveLength(1);
  });

  test('is spawned again without the calls and replies of before', async () => {
    const { synapse, folder } = await spawnEcho();
    const before = Promise.allSettled(
      Array.from({ length: 500 }, (_, index) => synapse.call(index)),
    );
    await synapse.dispose();
    const after = synapse.spawn(folder, 'main');
    const outcomes = await before;
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'DISPOSED' } });
    await after;
    const answers = ['a', 'b', 'c'].map((text) => synapse.call(text));
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
  });

  test('a reply of None is null', async () => {
    const { synapse } = await spawnEcho();
    expect(await synapse.call(null)).toBeNull();
    expect(await synapse.call(undefined)).toBeNull();
  });

  test('is gone after dispose, and can be spawned again', async () => {
    const { synapse, folder } = await spawnEcho({ graceMs: 3_600_000 });
    const pid = await synapse.call<number>('pid');
    // Were the grace waited for, this would be no test but a pause of many minutes.
    await synapse.dispose();
    expect(isAlive(pid)).toBe(false);
    await synapse.spawn(folder, 'main.py');
    expect(await synapse.call('again')).toBe('again');
  });
});

test('call before spawn rejects, and does not throw', async () => {
  const call = createSynapse().call('too early');
  await expect(call).rejects.toMatchObject({
    code: 'NOT_SPAWNED',
    message: 'Cannot send inputs to instance before spawning it.',
  });
});
