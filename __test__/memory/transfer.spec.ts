import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { ndarray, type SpawnOptions, type Synapse } from '../../ts/index.js';
import { withLibraries } from '../support/data.js';
import { spawnModule } from '../support/modules.js';
import { LENT, MIB, MODULE, pattern, same, sharedKib } from './support.js';

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

async function workerPid(synapse: Synapse): Promise<number> {
  return (synapse.workers()[0] as { pid: number }).pid;
}

const FRAME = 4 * MIB;
const WAYS: readonly [string, SpawnOptions][] = [
  ['shared memory', {}],
  ['the pipe', { limits: { sharedMemory: 0 } }],
];

describe.each(WAYS)('large data through %s', (way, options) => {
  test('arrives as it was, whatever its size, in both directions', async () => {
    const synapse = await spawnModule(MODULE, options);
    // What earlier tests have left goes when it is collected.
    const before = sharedKib('self');
    const sizes = [0, 1, 65_535, 65_536, 65_537, LENT - 1, LENT, LENT + 1, MIB, 64 * MIB];
    for (const size of sizes) {
      const bytes = pattern(size, size + 1);
      const wanted = sha1(bytes);
      expect(await synapse.invoke('digest', [bytes])).toEqual(['bytes', size, wanted]);
      const back = (await synapse.invoke('echo', [bytes])) as Buffer;
      expect(Buffer.isBuffer(back)).toBe(true);
      expect(back.equals(bytes)).toBe(true);
    }
    expect(sharedKib('self') > before).toBe(way === 'shared memory');
    expect(sharedKib(await workerPid(synapse)) > 64).toBe(way === 'shared memory');
  }, 240_000);

  test('is refused beyond the limit of messages, and nothing else is harmed', async () => {
    const limits = { ...options.limits, frame: FRAME };
    const synapse = await spawnModule(MODULE, { limits });
    // What a message holds besides: 64 bytes are set aside for the head and the extras.
    const most = FRAME - 64 - 5;
    expect(await synapse.invoke('sleep', [Buffer.alloc(most - 16), 0])).toBe(most - 16);
    for (const size of [most + 1, 2 * FRAME]) {
      const code = 'FRAME_TOO_LARGE';
      await expect(synapse.invoke('echo', [Buffer.alloc(size)])).rejects.toMatchObject({ code });
    }
    const fits = FRAME - 8 - 5;
    expect(await synapse.invoke('make', [fits])).toHaveLength(fits);
    const failure = { code: 'FRAME_TOO_LARGE', name: 'ProtocolError' };
    await expect(synapse.invoke('make', [fits + 1])).rejects.toMatchObject(failure);
    expect(await synapse.invoke('echo', [1])).toBe(1);
  });

  test('keeps the types of arrays, their shapes and their orders', async () => {
    const synapse = await spawnModule(MODULE, { ...options, ...withLibraries });
    const length = LENT / 8;
    const arrays = [
      new Float64Array(length).map((_, index) => index / 3),
      new Float32Array(2 * length + 1).map((_, index) => index),
      new BigInt64Array(length).map((_, index) => BigInt(index) - 7n),
      new Uint16Array(5 * length).map((_, index) => index),
      ndarray(
        new Int32Array(2 * length).map((_, index) => -index),
        [2, length],
      ),
      ndarray(new Float64Array(6 * length), [2, 3, length], { order: 'F' }),
      ndarray(new Float32Array(2 * length), [length], { dtype: 'c8' }),
    ];
    for (const array of arrays) {
      expect(same(await synapse.invoke('echo', [array]), array)).toBe(true);
    }
  });

  test('is made contiguous and little-endian on the way from numpy', async () => {
    const source = `
      import numpy
      from synapse import handler

      @handler
      def strided(size): return numpy.arange(size, dtype="i4")[::-2]

      @handler
      def turned(size): return numpy.arange(size, dtype="f8").reshape(2, -1).T

      @handler
      def swapped(size): return numpy.arange(size, dtype=">u2")

      @handler
      def doubled(value): value *= 2; return value
    `;
    const synapse = await spawnModule(source, { ...options, ...withLibraries });
    const size = LENT;
    const strided = Int32Array.from({ length: size / 2 }, (_, index) => size - 1 - 2 * index);
    expect(same(await synapse.invoke('strided', [size]), strided)).toBe(true);
    const data = new Float64Array(size).map((_, index) => index);
    const turned = ndarray(data, [size / 2, 2], { order: 'F' });
    expect(same(await synapse.invoke('turned', [size]), turned)).toBe(true);
    const swapped = new Uint16Array(size).map((_, index) => index);
    expect(same(await synapse.invoke('swapped', [size]), swapped)).toBe(true);
    const doubled = data.map((value) => 2 * value);
    expect(same(await synapse.invoke('doubled', [data]), doubled)).toBe(true);
    expect(data[1]).toBe(1);
  });

  test('crosses inside other values, in streams and through callbacks', async () => {
    const synapse = await spawnModule(MODULE, options);
    const bytes = pattern(MIB);
    const value = {
      a: [bytes, { b: bytes, c: new Float32Array(LENT) }],
      d: 'text',
      e: new Map([[1, bytes]]),
    };
    expect(same(await synapse.invoke('echo', [value]), value)).toBe(true);
    for (let round = 0; round < 2; round++) {
      const inside = (await synapse.invoke('inside', [MIB])) as Record<string, unknown>;
      const wanted = {
        a: [1, { b: Buffer.alloc(MIB, 'x') }],
        c: Buffer.alloc(MIB),
        d: Buffer.alloc(MIB),
      };
      expect(same(inside, wanted)).toBe(true);
    }
    let count = 0;
    for await (const item of synapse.stream('items', [MIB, 40])) {
      expect((item as Buffer).equals(Buffer.alloc(MIB, count++))).toBe(true);
    }
    expect(count).toBe(40);
    synapse.handle('answer', (asked: Buffer) => asked.subarray(1));
    const answer = (await synapse.invoke('ask', [bytes])) as Buffer;
    expect(answer.equals(bytes.subarray(1))).toBe(true);
    synapse.handle('rows', function* (asked: Buffer) {
      for (let row = 0; row < 5; row++) yield asked.subarray(row);
    });
    const digests = await synapse.invoke('ask_stream', [bytes]);
    expect(digests).toEqual([0, 1, 2, 3, 4].map((row) => sha1(bytes.subarray(row))));
  });

  test('is a memoryview where the handler wants one, at every size', async () => {
    const synapse = await spawnModule(MODULE, options);
    for (const size of [0, 10, LENT, MIB]) {
      const bytes = pattern(size);
      const wanted = ['memoryview', true, 'B', size, sha1(bytes)];
      expect(await synapse.invoke('view', [bytes])).toEqual(wanted);
      expect(await synapse.invoke('mixed', [bytes, bytes])).toEqual([
        'memoryview',
        'bytes',
        'NoneType',
      ]);
      const both = await synapse.invoke('kinds', [{ a: bytes, b: [bytes] }]);
      expect(both).toEqual(['memoryview', 'memoryview']);
    }
  });

  test('does not hold up anybody when both sides send much at once', async () => {
    const synapse = await spawnModule(MODULE, { ...options, workers: 1 });
    const bytes = pattern(64 * MIB);
    const echoes = await Promise.all([1, 2, 3].map(() => synapse.invoke('echo', [bytes])));
    for (const back of echoes) expect((back as Buffer).equals(bytes)).toBe(true);
  }, 240_000);

  test.each(['async', 'threads'] as const)('crosses in mode %s', async (mode) => {
    const synapse = await spawnModule(MODULE, { ...options, mode, concurrency: 4 });
    const all = [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => pattern(MIB + seed, seed));
    const backs = await Promise.all(all.map((bytes) => synapse.invoke('echo', [bytes])));
    for (const [index, back] of backs.entries()) {
      expect((back as Buffer).equals(all[index] as Buffer)).toBe(true);
    }
  });
});
