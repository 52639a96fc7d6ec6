import { expect, test } from '@jest/globals';
import { spawnModule } from '../support/modules.js';
import { MIB, pattern } from './support.js';

/** A worker that says whatever it likes of its memory. */
const LIAR = `
  import struct
  from synapse import handler
  from synapse._protocol import fallback
  from synapse._protocol.values import Extension

  @handler
  def bytes_at(block, length): return [Extension(8, struct.pack(">II", block, length))]

  @handler
  def array_at(dtype, shape, block, length):
      return [Extension(9, fallback.pack([dtype, shape, "C", block, length]))]

  @handler
  def short(): return [Extension(8, b"1234567")]

  @handler
  def echo(value): return value
`;

test('what a worker says of its memory is checked before it is used', async () => {
  const synapse = await spawnModule(LIAR);
  const bytes = pattern(MIB);
  // The worker has lent something, so that there is memory to lie about.
  const held = (await synapse.invoke('echo', [bytes])) as Buffer;
  const code = 'PROTOCOL';
  const most = 0xffff_ffff;
  for (const [block, length] of [
    [0, 1],
    [0, MIB],
    [1, 0],
    [1, MIB],
    [2, MIB],
    [1, most],
    [most, 1],
    [most, most],
    [4095, MIB],
  ]) {
    await expect(synapse.invoke('bytes_at', [block, length])).rejects.toMatchObject({ code });
    await expect(synapse.invoke('array_at', ['u1', [length], block, length])).rejects.toMatchObject(
      {
        code,
      },
    );
  }
  for (const [dtype, shape, length] of [
    ['f8', [2], MIB],
    ['f8', [most], MIB],
    ['x4', [1], 4],
    ['f8', [1.5], 12],
    ['f8', [-1], 8],
    ['f8', ['1'], 8],
  ]) {
    const call = synapse.invoke('array_at', [dtype, shape, 1, length]);
    await expect(call).rejects.toMatchObject({ code });
  }
  await expect(synapse.invoke('short', [])).rejects.toMatchObject({ code });
  expect(held.equals(bytes)).toBe(true);
  expect(((await synapse.invoke('echo', [bytes])) as Buffer).equals(bytes)).toBe(true);
});
