/** Frames that no worker of ours would write, written by a real one: what is broken ends it, what is late is dropped. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { SynapseError, WorkerExit } from '../../ts/index.js';
import { createFolder, killProcess, spawnModule, until } from '../support/modules.js';

/** The data channel of a worker, from its side. */
const MODULE = `
  import os, struct, time
  from synapse import context, handler

  READS, WRITES = 3, 4
  RESPONSE, ERROR, ITEM, END, CREDIT, CANCEL, PROGRESS = 3, 4, 5, 6, 7, 8, 16
  ANSWERS = (RESPONSE, ERROR, ITEM, END, PROGRESS)

  def put(kind, call, payload=b""):
      os.write(WRITES, struct.pack("<IBBHI", len(payload) + 8, kind, 0, 0, call) + payload)

  @handler
  def pid():
      return os.getpid()

  @handler
  def echo(value):
      return value

  @handler
  def breaks(data):
      os.write(WRITES, data)
      time.sleep(600)

  def parts(value, between):
      frame = struct.pack("<IBBHIB", 1 + 8, RESPONSE, 0, 0, context().call_id, value)
      for part in (frame[:10], frame[10:]):
          os.write(WRITES, part)
          between()

  @handler
  def stalls():
      parts(42, lambda: time.sleep(600))

  @handler
  def dribbles(pause):
      frame = struct.pack("<IBBHIB", 1 + 8, RESPONSE, 0, 0, context().call_id, 42)
      for at in range(len(frame)):
          os.write(WRITES, frame[at : at + 1])
          time.sleep(pause)

  def compute(seconds):
      end = time.thread_time() + seconds
      while time.thread_time() < end:
          pass

  @handler
  def computes_within_a_frame(seconds):
      parts(42, lambda: compute(seconds))

  @handler
  def dies_within_a_frame():
      os.write(WRITES, struct.pack("<IBBHI", 100 + 8, RESPONSE, 0, 0, context().call_id) + b"\\xc4\\x62half")
      os._exit(0)

  @handler
  def answers_others(calls):
      for call in set(calls) - {context().call_id}:
          for kind in ANSWERS:
              put(kind, call, b"" if kind == END else b"\\x2a")
      for kind in (CREDIT, CANCEL):
          put(kind, 1 << 31 | 77, b"\\x01")
      return "mine"

  @handler
  def answers_twice():
      put(RESPONSE, context().call_id, b"\\x2a")
      return "late"

  @handler
  def nests(levels):
      put(RESPONSE, context().call_id, b"\\x91" * levels + b"\\xc0")
      return "late"

  @handler
  def size(data):
      return len(data)

  @handler
  def goes_on_after_the_end():
      put(ITEM, context().call_id, b"\\x01")
      put(END, context().call_id)
      put(ITEM, context().call_id, b"\\x02")
      return "late"

  @handler
  def hold(path):
      while not os.path.exists(path):
          time.sleep(0.005)
      return "held"

  @handler
  def closes(descriptor):
      os.close(descriptor)
      time.sleep(600)
`;

/** A header, which may claim anything. */
function header(length: number, kind: number, flags = 0, id = 1): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(length, 0);
  bytes.writeUInt8(kind, 4);
  bytes.writeUInt8(flags, 5);
  bytes.writeUInt32LE(id, 8);
  return bytes;
}

const BROKEN: readonly [string, Buffer, string][] = [
  ['text', Buffer.from('print() in the wrong place\n'), 'FRAME_TOO_LARGE'],
  ['a length of 4 GiB', header(0xffff_ffff, 3), 'FRAME_TOO_LARGE'],
  ['a length of nothing', header(0, 3), 'PROTOCOL'],
  ['a kind that there is not', header(8, 0x7f), 'PROTOCOL'],
  ['a kind that belongs elsewhere', header(8, 0x0d), 'PROTOCOL'],
  ['a flag that there is not', header(8, 3, 0x80), 'PROTOCOL'],
];

describe('a worker that writes', () => {
  test.each(BROKEN)('%s is ended, and the next call works', async (_, bytes, code) => {
    const synapse = await spawnModule(MODULE);
    const gone: WorkerExit[] = [];
    synapse.on('worker:exit', (exit) => gone.push(exit));
    const before = await synapse.invoke('pid');
    // What looks like an answer behind the broken frame is not believed.
    const answer = Buffer.concat([header(9, 3, 0, 3), Buffer.from([0x2a])]);
    const broken = synapse.invoke('breaks', [Buffer.concat([bytes, answer])]);
    const behind = synapse.invoke('pid');
    const error = await broken.catch((reason: unknown) => reason as SynapseError);
    expect(error).toMatchObject({ name: 'ProtocolError', code, mayHaveExecuted: true });
    const after = await behind;
    expect(after).toEqual(expect.any(Number));
    expect(after).not.toBe(before);
    expect(gone).toMatchObject([{ reason: 'protocol', signal: 'SIGKILL' }]);
    expect(synapse.stats()).toMatchObject({ restarts: 1, requestsActive: 0 });
  });

  test('half a value and then nothing is ended, though its call may take any time', async () => {
    const synapse = await spawnModule(MODULE, { limits: { frameTimeout: 400 } });
    const gone: WorkerExit[] = [];
    synapse.on('worker:exit', (exit) => gone.push(exit));
    const before = await synapse.invoke('pid');
    const stalled = synapse.invoke('stalls').catch((reason: unknown) => reason);
    const behind = synapse.invoke('pid');
    expect(await stalled).toMatchObject({
      name: 'ProtocolError',
      code: 'PROTOCOL',
      message: expect.stringMatching(/rest of a frame.*limits\.frameTimeout/),
      mayHaveExecuted: true,
    });
    const after = await behind;
    expect(after).toEqual(expect.any(Number));
    expect(after).not.toBe(before);
    expect(gone).toMatchObject([{ reason: 'protocol', signal: 'SIGKILL' }]);
    expect(synapse.stats()).toMatchObject({ restarts: 1, requestsActive: 0, timeouts: 0 });
  });

  test('a byte at a time, slower in all than the limit of silence, is answered', async () => {
    const synapse = await spawnModule(MODULE, { limits: { frameTimeout: 2000 } });
    expect(await synapse.invoke('dribbles', [0.3])).toBe(42);
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });

  test('half a value and computes is left alone', async () => {
    const synapse = await spawnModule(MODULE, { limits: { frameTimeout: 400 } });
    expect(await synapse.invoke('computes_within_a_frame', [2])).toBe(42);
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });

  test('half a value and then nothing has any time where there is no limit', async () => {
    const synapse = await spawnModule(MODULE, { limits: { frameTimeout: 0 }, graceMs: 50 });
    const options = { timeout: 2000 };
    await expect(synapse.invoke('stalls', [], options)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('half a value and exits with 0 has failed', async () => {
    const synapse = await spawnModule(MODULE);
    await expect(synapse.invoke('dies_within_a_frame')).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      exitCode: 0,
      mayHaveExecuted: true,
    });
    expect(await synapse.invoke('echo', [1])).toBe(1);
  });
});

test('a value that is nested too deep fails its call, and Node lives', async () => {
  const synapse = await spawnModule(MODULE);
  let value = await synapse.invoke<unknown>('nests', [512]);
  let depth = 0;
  for (; Array.isArray(value); [value] = value) depth++;
  expect([value, depth]).toEqual([null, 512]);
  for (const levels of [513, 1000, 60_000]) {
    await expect(synapse.invoke('nests', [levels])).rejects.toMatchObject({ code: 'PROTOCOL' });
    expect(await synapse.invoke('echo', [levels])).toBe(levels);
  }
});

test('nothing is expanded: what was compressed stays as it is on either side', async () => {
  const synapse = await spawnModule(MODULE);
  const bomb = gzipSync(Buffer.alloc(64 << 20));
  expect(bomb.length).toBeLessThan(100_000);
  expect(await synapse.invoke('size', [bomb])).toBe(bomb.length);
  expect(bomb.equals(await synapse.invoke<Buffer>('echo', [bomb]))).toBe(true);
});

describe('what is dropped and counted', () => {
  test('answers to calls that are over, or that there never were', async () => {
    const synapse = await spawnModule(MODULE, { concurrency: 1 });
    for (let call = 0; call < 5; call++) expect(await synapse.invoke('echo', [call])).toBe(call);
    const others = [0, 1, 2, 3, 4, 4_000_000, 0x7fff_ffff];
    expect(await synapse.invoke('answers_others', [others])).toBe('mine');
    const all = Array.from({ length: 100 }, (_, index) => index);
    expect(await Promise.all(all.map((index) => synapse.invoke('echo', [index])))).toEqual(all);
    expect(synapse.stats()).toMatchObject({
      restarts: 0,
      requestsActive: 0,
      requestsHandled: 106,
      strayReplies: others.length * 5,
    });
  });

  test('answers to calls of another worker', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2 });
    const [first, second] = synapse.workers();
    const path = join(createFolder({}), 'go');
    const held = synapse.invoke('hold', [path], { worker: first?.id as number });
    await until(() => synapse.workers().some(({ status }) => status === 'busy'));
    // Its number is among them.
    const numbers = Array.from({ length: 64 }, (_, index) => index);
    const options = { worker: second?.id as number };
    expect(await synapse.invoke('answers_others', [numbers], options)).toBe('mine');
    writeFileSync(path, '');
    expect(await held).toBe('held');
    const { strayReplies, workers } = synapse.stats();
    expect(strayReplies).toBe((numbers.length - 1) * 5);
    expect(workers.map((worker) => worker.strayReplies)).toEqual([0, strayReplies]);
  });

  test('a second answer', async () => {
    const synapse = await spawnModule(MODULE);
    for (let round = 0; round < 20; round++) {
      const calls = [synapse.invoke('answers_twice'), synapse.invoke('echo', [round])];
      expect(await Promise.all(calls)).toEqual([42, round]);
    }
    expect(synapse.stats()).toMatchObject({ restarts: 0, queued: 0, strayReplies: 20 });
  });

  test('an item after the end', async () => {
    const synapse = await spawnModule(MODULE);
    for (let round = 0; round < 5; round++) {
      const items: unknown[] = [];
      for await (const item of synapse.stream('goes_on_after_the_end')) items.push(item);
      expect(items).toEqual([1]);
      expect(await synapse.invoke('echo', [round])).toBe(round);
    }
    // Of each round the second item, and what the handler returns: an item and an end.
    expect(synapse.stats()).toMatchObject({ restarts: 0, requestsActive: 0, strayReplies: 15 });
  });

  test('but not the late answer to a call that was given up', async () => {
    const synapse = await spawnModule(MODULE, { graceMs: 30_000 });
    const path = join(createFolder({}), 'go');
    const late = synapse.invoke('hold', [path], { timeout: 300 });
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' });
    writeFileSync(path, '');
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(synapse.stats()).toMatchObject({ restarts: 0, strayReplies: 0, timeouts: 1 });
  });
});

describe('a worker that lives and', () => {
  test('closes the channel on which it answers is as good as dead', async () => {
    const synapse = await spawnModule(MODULE);
    const before = await synapse.invoke('pid');
    await expect(synapse.invoke('closes', [4])).rejects.toMatchObject({
      code: 'WORKER_EXITED',
      mayHaveExecuted: true,
    });
    expect(await synapse.invoke('pid')).not.toBe(before);
    expect(synapse.stats()).toMatchObject({ restarts: 1 });
  });

  const stopped: number[] = [];

  afterEach(() => {
    for (const pid of stopped.splice(0)) killProcess(pid, 'SIGCONT');
  });

  test('does not read costs the others nothing, and its call has its deadline', async () => {
    const synapse = await spawnModule(MODULE, { workers: 2, limits: { sharedMemory: 0 } });
    const [deaf, other] = synapse.workers();
    const pid = deaf?.pid as number;
    stopped.push(pid);
    process.kill(pid, 'SIGSTOP');
    const large = Buffer.alloc(64 << 20);
    const options = { worker: deaf?.id as number, timeout: 3000 };
    const unread = synapse.invoke('echo', [large], options).catch((reason: unknown) => reason);
    const all = Array.from({ length: 500 }, (_, index) => index);
    const answers = all.map((index) => synapse.invoke('echo', [index]));
    expect(await Promise.all(answers)).toEqual(all);
    expect(await synapse.invoke('pid')).toBe(other?.pid);
    expect(await unread).toMatchObject({ code: 'TIMEOUT' });
  });

  test('does not read holds up its queue and no more, until it gives no signs of life', async () => {
    const synapse = await spawnModule(MODULE, {
      limits: { sharedMemory: 0 },
      queue: { max: 3 },
      heartbeat: { interval: 200, misses: 3, action: 'restart' },
    });
    const pid = synapse.workers()[0]?.pid as number;
    stopped.push(pid);
    process.kill(pid, 'SIGSTOP');
    // More than a pipe holds; none of them has a deadline.
    const large = Buffer.alloc(16 << 20);
    const calls = Array.from({ length: 6 }, () => synapse.invoke('size', [large]));
    const outcomes = Promise.allSettled(calls);
    await Promise.any([
      ...calls.slice(4).map((call) =>
        call.then(
          () => {},
          () => {},
        ),
      ),
    ]);
    expect(synapse.stats()).toMatchObject({ requestsActive: 1, queued: 3, queueRefusals: 2 });
    const values = (await outcomes).map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : outcome.reason,
    );
    // What was written in part had not begun; no copy is kept of so large a call to send it again.
    const refused = expect.objectContaining({ code: 'QUEUE_FULL' });
    expect(values).toEqual([
      expect.objectContaining({ code: 'WORKER_EXITED', mayHaveExecuted: false, retryable: true }),
      ...Array(3).fill(large.length),
      refused,
      refused,
    ]);
    expect(synapse.stats()).toMatchObject({ restarts: 1 });
  });

  test('does not read because a handler takes its time is not ended', async () => {
    const synapse = await spawnModule(MODULE, {
      limits: { sharedMemory: 0, frameTimeout: 200 },
      heartbeat: { interval: 200, misses: 3, action: 'restart' },
    });
    for (let call = 0; call < 50; call++) await synapse.invoke('echo', [call]);
    const before = await synapse.invoke('pid');
    const path = join(createFolder({}), 'go');
    const held = synapse.invoke('hold', [path]);
    const large = synapse.invoke('size', [Buffer.alloc(16 << 20)]);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    writeFileSync(path, '');
    expect([await held, await large, await synapse.invoke('pid')]).toEqual([
      'held',
      16 << 20,
      before,
    ]);
    expect(synapse.stats()).toMatchObject({ restarts: 0 });
  });
});
