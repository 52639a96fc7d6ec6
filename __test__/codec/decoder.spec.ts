import { describe, expect, test } from '@jest/globals';
import { DecodeFailure, Decoder, type NdArray, ndarray } from '../../ts/codec/index.js';
import { decodeFailure, encode } from './support.js';

describe('where values begin and end', () => {
  test('two values in a row', () => {
    const bytes = Buffer.concat([encode({ remaining: 5 }), encode([1, 'two'])]);
    const decoder = new Decoder();
    expect(decoder.decodeFrom(bytes)).toEqual({ remaining: 5 });
    expect(decoder.decode(bytes, decoder.offset)).toEqual([1, 'two']);
    expect(decoder.offset).toBe(bytes.length);
  });

  test('a part that is not within the buffer is a mistake of the caller', () => {
    const decoder = new Decoder();
    for (const [start, end] of [
      [0, 3],
      [-1, 1],
      [2, 1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => decoder.decode(Buffer.of(1, 2), start, end)).toThrow(RangeError);
    }
  });

  test('the offset of a failure counts from the start of the buffer', () => {
    const bytes = Buffer.from('ffffff9201c1', 'hex');
    try {
      new Decoder().decode(bytes, 3);
    } catch (error) {
      expect((error as DecodeFailure).offset).toBe(5);
      return;
    }
    throw new Error('it did not fail');
  });

  test('a decoder works on after a failure', () => {
    const decoder = new Decoder();
    for (const hex of ['c70501920102', '92c7030192', 'd40005', '81a1ff01', '9193']) {
      expect(decodeFailure(Buffer.from(hex, 'hex'), decoder)).toBeInstanceOf(DecodeFailure);
      expect(decoder.decode(encode({ a: [1, 0.5] }))).toEqual({ a: [1, 0.5] });
    }
  });
});

describe('memory', () => {
  const large = encode({
    small: Buffer.alloc(100, 1),
    large: Buffer.alloc(4096, 2),
    matrix: ndarray(new Uint8Array(4096).fill(3), [64, 64]),
  });

  test('binary data is a copy', () => {
    const bytes = Buffer.from(large);
    const value = new Decoder().decode(bytes) as { small: Buffer; large: Buffer; matrix: NdArray };
    bytes.fill(0);
    expect(value.small.equals(Buffer.alloc(100, 1))).toBe(true);
    expect(value.large.equals(Buffer.alloc(4096, 2))).toBe(true);
    expect(value.matrix.data).toStrictEqual(new Uint8Array(4096).fill(3));
  });

  test('of lent memory, data of 4 KiB and more is a view', () => {
    const bytes = Buffer.from(large);
    const value = new Decoder().decode(bytes, 0, bytes.length, true) as {
      small: Buffer;
      large: Buffer;
      matrix: NdArray;
    };
    bytes.fill(9);
    expect(value.small.equals(Buffer.alloc(100, 1))).toBe(true);
    expect(value.large.equals(Buffer.alloc(4096, 9))).toBe(true);
    expect(value.large.buffer).toBe(bytes.buffer);
    expect(value.matrix.data.buffer).toBe(bytes.buffer);
  });

  test('numbers in lent memory are copied where they do not lie at an address that fits', () => {
    const data = Float64Array.from({ length: 600 }, (_, index) => index / 3);
    const encoded = encode(data);
    const views = new Set<boolean>();
    for (let shift = 0; shift < 8; shift++) {
      const bytes = Buffer.allocUnsafeSlow(encoded.length + 8);
      encoded.copy(bytes, shift);
      const value = new Decoder().decode(
        bytes,
        shift,
        shift + encoded.length,
        true,
      ) as Float64Array;
      expect(value).toStrictEqual(data);
      views.add(value.buffer === bytes.buffer);
    }
    expect(views).toEqual(new Set([true, false]));
  });

  test('a size that is only claimed takes none', () => {
    const claims = Buffer.concat([
      Buffer.from('91'.repeat(400), 'hex'),
      Buffer.from('dd0fffffff', 'hex'),
      Buffer.alloc(1000),
    ]);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    for (let round = 0; round < 10; round++) expect(decodeFailure(claims).offset).toBe(405);
    const after = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
    expect(after - before).toBeLessThan(50 * 1024 * 1024);
  });

  test('long arrays arrive whole', () => {
    for (const length of [1023, 1024, 1025, 100_000]) {
      const value = Array.from({ length }, (_, index) => index);
      expect(new Decoder().decode(encode(value))).toEqual(value);
    }
  });
});

describe('names', () => {
  test('__proto__ is an own property and touches no prototype', () => {
    const bytes = encode(JSON.parse('{"a":{"__proto__":{"polluted":true}},"__proto__":1}'));
    const decoder = new Decoder();
    for (let round = 0; round < 3; round++) {
      const value = decoder.decode(bytes) as { a: object };
      expect(Object.keys(value)).toEqual(['a', '__proto__']);
      expect(Object.getPrototypeOf(value.a)).toBe(Object.prototype);
      expect(Object.hasOwn(value.a, '__proto__')).toBe(true);
      expect((value.a as { polluted?: unknown }).polluted).toBeUndefined();
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('names that objects inherit become own properties', () => {
    const value = { constructor: 1, hasOwnProperty: 2, toString: 3, valueOf: null };
    const decoded = new Decoder().decode(encode(value)) as object;
    expect(Object.entries(decoded)).toEqual(Object.entries(value));
  });

  test('names of equal length and ends are told apart', () => {
    const names = Array.from({ length: 500 }, (_, index) => `k${String(index).padStart(6, '0')}e`);
    const value = Object.fromEntries(names.map((name, index) => [name, index]));
    const decoder = new Decoder();
    for (let round = 0; round < 3; round++) expect(decoder.decode(encode(value))).toEqual(value);
  });

  test('a map with a key that is no string anywhere is a Map with all its entries', () => {
    const map = new Map<unknown, unknown>([
      ['a', 1],
      ['__proto__', 2],
      [3, 4],
      ['b', 5],
      [null, 6],
    ]);
    expect(new Decoder().decode(encode(map))).toStrictEqual(map);
  });
});

describe('the extension hook', () => {
  test('decodes types that the table does not name, with a decoder that is in use', () => {
    const decoder: Decoder = new Decoder({
      extension: (type, data) => (type === 10 ? { inner: decoder.decode(data) } : undefined),
    });
    const inner = encode(['x', { y: 0.5 }]);
    const bytes = Buffer.concat([
      Buffer.from('93c7', 'hex'),
      Buffer.of(inner.length, 10),
      inner,
      encode(0.25),
      encode('end'),
    ]);
    expect(decoder.decode(bytes)).toEqual([{ inner: ['x', { y: 0.5 }] }, 0.25, 'end']);
    expect(decodeFailure(Buffer.from('d40b00', 'hex'), decoder).message).toBe(
      'unknown extension type 11 at byte 1',
    );
  });

  test('is not asked for the types of the table', () => {
    const decoder = new Decoder({ extension: (type) => `hook ${type}` });
    expect(
      decoder.decode(encode([new Set([1]), new Date(5), 2n ** 70n, Float32Array.of(1)])),
    ).toStrictEqual([new Set([1]), new Date(5), 2n ** 70n, Float32Array.of(1)]);
  });

  test('makes a failure of what it throws, with the cause', () => {
    const cause = new Error('no such callback');
    const decoder = new Decoder({
      extension: () => {
        throw cause;
      },
    });
    const failure = decodeFailure(Buffer.from('d40a00', 'hex'), decoder);
    expect(failure.cause).toBe(cause);
    expect(failure.message).toContain('no such callback');
  });
});
