/** Keyword arguments. */

import { describe, expect, jest, test } from '@jest/globals';
import { Kwargs, kwargs } from '../../ts/kwargs.js';

describe('kwargs', () => {
  test('holds the very object that it is given', () => {
    const values = { a: 1, b: 2 };
    expect(kwargs(values).values).toBe(values);
    expect(kwargs(values)).toBeInstanceOf(Kwargs);
  });

  test('is recognised, and nothing else is', () => {
    expect(Kwargs.is(kwargs({}))).toBe(true);
    for (const value of [undefined, null, {}, { values: {} }, [], 'kwargs', new Map()]) {
      expect(Kwargs.is(value)).toBe(false);
    }
  });

  test('of another copy of the package is recognised', () => {
    let other: typeof import('../../ts/kwargs.js') | undefined;
    jest.isolateModules(() => {
      other = require('../../ts/kwargs.js');
    });
    const foreign = (other as NonNullable<typeof other>).kwargs({ a: 1 });
    expect(foreign instanceof Kwargs).toBe(false);
    expect(Kwargs.is(foreign)).toBe(true);
  });

  test.each([[null], [[1, 2]], ['a'], [new Map()], [5]])('refuses %p', (values) => {
    expect(() => kwargs(values as never)).toThrow(TypeError);
    expect(() => kwargs(values as never)).toThrow('keyword arguments must be a plain object, got ');
  });
});
