import { describe, expect, test } from '@jest/globals';
import { DecodeFailure, Decoder, NdArray } from '../../ts/codec/index.js';
import { decodeFailure, encode, same } from './support.js';
import { bytesOf, malformed, meaningOf, values } from './vectors.js';

/** A plain one-dimensional array decodes to the typed array itself. */
const BARE = new Set(['b1', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8', 'f4', 'f8']);

function asDecoded(value: unknown): unknown {
  if (!(value instanceof NdArray)) return value;
  return value.shape.length === 1 && BARE.has(value.dtype) ? value.data : value;
}

describe('golden bytes', () => {
  test.each(values.map((vector) => [vector.name, vector] as const))('decode: %s', (_, vector) => {
    const decoded = new Decoder().decode(bytesOf(vector.hex));
    expect(decoded).toStrictEqual(asDecoded(meaningOf(vector.value)));
  });

  const produced = values.filter((vector) => vector.encode?.includes('js') ?? true);
  test.each(produced.map((vector) => [vector.name, vector] as const))('encode: %s', (_, vector) => {
    expect(encode(meaningOf(vector.value)).equals(bytesOf(vector.hex))).toBe(true);
  });

  test('every value that is decoded can be encoded and decoded again', () => {
    for (const vector of values) {
      const decoder = new Decoder();
      const decoded = decoder.decode(bytesOf(vector.hex));
      // Bytes are bytes: what numpy had as uint8 or bool comes back as bin.
      if (decoded instanceof Uint8Array && !Buffer.isBuffer(decoded)) continue;
      expect(same(decoder.decode(encode(decoded)), decoded)).toBe(true);
    }
  });

  test('one decoder decodes all of them in turn, from the middle of a buffer', () => {
    const decoder = new Decoder();
    for (const vector of [...values, ...values]) {
      const bytes = bytesOf(vector.hex);
      const padded = Buffer.concat([Buffer.alloc(13, 0xc1), bytes, Buffer.alloc(5, 0xc1)]);
      const decoded = decoder.decode(padded, 13, 13 + bytes.length);
      expect(same(decoded, asDecoded(meaningOf(vector.value)))).toBe(true);
    }
  });
});

describe('malformed bytes', () => {
  test.each(malformed.map((vector) => [vector.name, vector] as const))(
    'refuse: %s',
    (_, vector) => {
      const bytes = bytesOf(vector.hex);
      const failure = decodeFailure(bytes);
      expect(failure.code).toBe('PROTOCOL');
      expect(failure.offset).toBeGreaterThanOrEqual(0);
      expect(failure.offset).toBeLessThanOrEqual(bytes.length);
      expect(failure.message).toContain(`at byte ${failure.offset}`);
    },
  );

  test('a value cut short anywhere is refused, whatever bytes follow in the buffer', () => {
    const decoder = new Decoder();
    const accepted: string[] = [];
    for (const vector of values) {
      const bytes = bytesOf(vector.hex);
      for (let end = 0; end < Math.min(bytes.length, 300); end++) {
        if (decodes(decoder, bytes, end)) accepted.push(`${vector.name} cut to ${end}`);
      }
    }
    expect(accepted).toEqual([]);
  });
});

function decodes(decoder: Decoder, bytes: Buffer, end: number): boolean {
  try {
    decoder.decode(bytes, 0, end);
    return true;
  } catch (error) {
    if (error instanceof DecodeFailure) return false;
    throw error;
  }
}
