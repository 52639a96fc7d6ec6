import { describe, expect, test } from '@jest/globals';
import { NdArray, ndarray } from '../../ts/codec/index.js';
import { throughWire } from './support.js';

describe('ndarray', () => {
  test('keeps shape, order and element type', () => {
    const data = Int16Array.of(1, 2, 3, 4, 5, 6);
    for (const value of [
      ndarray(data, [2, 3]),
      ndarray(data, [3, 2], { order: 'F' }),
      ndarray(data, [1, 6, 1]),
    ]) {
      expect(throughWire(value)).toStrictEqual(value);
    }
  });

  test('of one dimension decodes to the bare typed array', () => {
    expect(throughWire(ndarray(Float32Array.of(1, 2)))).toStrictEqual(Float32Array.of(1, 2));
    expect(throughWire(ndarray(BigInt64Array.of(-1n)))).toStrictEqual(BigInt64Array.of(-1n));
  });

  test('decodes float 16 as its bits and complex numbers as pairs, with the element type', () => {
    const half = ndarray(Uint16Array.of(0x3c00), [1], { dtype: 'f2' });
    const complex = ndarray(Float64Array.of(1, -1, 2, -2), [2], { dtype: 'c16' });
    expect(throughWire([half, complex])).toStrictEqual([half, complex]);
  });

  test('takes the part of memory that a typed array shows', () => {
    const memory = Float64Array.of(0, 1, 2, 3, 4, 5).buffer;
    expect(throughWire(new Float64Array(memory, 16, 2))).toStrictEqual(Float64Array.of(2, 3));
    expect(throughWire(ndarray(new Float64Array(memory, 8, 4), [2, 2]))).toStrictEqual(
      ndarray(Float64Array.of(1, 2, 3, 4), [2, 2]),
    );
  });

  test.each<[string, () => unknown, string]>([
    ['no typed array', () => ndarray([1, 2] as never), 'needs a typed array'],
    [
      'a shape that is too large',
      () => ndarray(new Int8Array(5), [2, 3]),
      'shape [2, 3] does not hold 5 elements',
    ],
    ['a negative extent', () => ndarray(new Int8Array(4), [-2, -2]), 'shape [-2, -2]'],
    ['a fractional extent', () => ndarray(new Int8Array(1), [0.5, 2]), 'no whole number'],
    [
      'an element type that does not fit',
      () => ndarray(new Int8Array(1), [1], { dtype: 'f2' }),
      'dtype f2 does not fit Int8Array',
    ],
    ['an unknown order', () => ndarray(new Int8Array(1), [1], { order: 'A' as never }), '"A"'],
    [
      'half a complex number',
      () => ndarray(new Float32Array(3), undefined, { dtype: 'c8' }),
      'no whole number',
    ],
    ['65 dimensions', () => new NdArray(new Int8Array(1), new Array(65).fill(1)), '65 dimensions'],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });

  test('does not follow later changes of the shape it was given', () => {
    const shape = [2, 2];
    const value = ndarray(new Int8Array(4), shape);
    shape[0] = 3;
    expect(value.shape).toEqual([2, 2]);
    expect(() => (value.shape as number[]).push(1)).toThrow(TypeError);
  });
});
