import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { Decoder, type EncodeFailure, ndarray } from '../../ts/codec/index.js';
import { encode, encodeFailure } from './support.js';

class Point {
  constructor(
    readonly x: unknown,
    readonly y: unknown,
  ) {}
}

function save(): void {}

describe('a value that cannot cross is refused with its path', () => {
  const cycle: { name: string; self?: unknown; list: unknown[] } = { name: 'a', list: [1] };
  cycle.list.push({ again: cycle });

  test.each<[string, unknown, string, string]>([
    ['function at the top', save, '$', 'function "save"'],
    ['nameless function', [() => 1], '$[0]', 'function'],
    [
      'function in a property',
      { items: [1, 2, 3, { when: save }] },
      '$.items[3].when',
      'function "save"',
    ],
    ['symbol', { a: [Symbol('s')] }, '$.a[0]', 'symbol'],
    ['boxed symbol', [Object(Symbol('s'))], '$[0]', 'symbol'],
    ['property with an odd name', { 'odd key': [save] }, '$["odd key"][0]', 'function'],
    ['property with quotes', { 'a"b': save }, '$["a\\"b"]', 'function'],
    ['property with no name', { '': save }, '$[""]', 'function'],
    ['property with a number', { 7: save }, '$["7"]', 'function'],
    ['property in another alphabet', { größe: save }, '$.größe', 'function'],
    ['lone surrogate', { text: 'a\ud800' }, '$.text', 'lone surrogate'],
    ['lone trailing surrogate', ['\udc00b'], '$[0]', 'lone surrogate'],
    ['lone surrogate in a long string', [`${'a'.repeat(100)}\ud800`], '$[0]', 'lone surrogate'],
    [
      'lone surrogate in a very long string',
      [`${'a'.repeat(70_000)}\ud800`],
      '$[0]',
      'lone surrogate',
    ],
    ['boxed string', [Object('\ud800')], '$[0]', 'lone surrogate'],
    [
      'name with a lone surrogate',
      { a: { '\ud800': 1 } },
      '$.a["\\ud800"]',
      'key with a lone surrogate',
    ],
    ['invalid date', { at: new Date(Number.NaN) }, '$.at', 'invalid Date'],
    ['promise', { p: Promise.resolve(1) }, '$.p', 'Promise, which has to be awaited first'],
    ['weak map', [new WeakMap()], '$[0]', 'WeakMap'],
    ['weak set', [new WeakSet()], '$[0]', 'WeakSet'],
    ['weak reference', [new WeakRef({})], '$[0]', 'WeakRef'],
    ['regular expression', [/a/], '$[0]', 'RegExp'],
    ['blob', [new Blob(['text'])], '$[0]', 'Blob'],
    ['headers', { headers: new Headers({ a: 'b' }) }, '$.headers', 'Headers'],
    ['iterator of a map', [new Map().entries()], '$[0]', 'Map Iterator'],
    ['generator', [(function* () {})()], '$[0]', 'Generator'],
    ['async generator', [(async function* () {})()], '$[0]', 'AsyncGenerator'],
    ['async iterable literal', [{ async *[Symbol.asyncIterator]() {} }], '$[0]', 'Object'],
    ['bigint of too many digits', [10n ** 4300n], '$[0]', 'bigint of more than 4300 digits'],
    ['value of a map', new Map([['a', new Map([['b', save]])]]), '$.a.b', 'function'],
    ['value under a key that is no string', new Map([[1, save]]), '$[entry 0]', 'function'],
    [
      'key of a map',
      new Map<unknown, unknown>([
        ['a', 1],
        [save, 2],
      ]),
      '$[key 1]',
      'function',
    ],
    ['element of a set', new Set<unknown>([1, [save]]), '$[1][0]', 'function'],
    ['field of an instance', new Point(1, new Point(2, save)), '$.y.y', 'function'],
    [
      'what toJSON returns',
      { a: { __proto__: { toJSON: () => ({ b: save }) } } },
      '$.a.b',
      'function',
    ],
    ['cycle through an array', cycle, '$.list[1].again', 'circular reference'],
    [
      'property that throws',
      {
        a: {
          get b() {
            throw new Error('broken');
          },
        },
      },
      '$.a.b',
      'broken',
    ],
    [
      'toJSON that throws',
      [
        {
          __proto__: {
            toJSON() {
              throw new Error('broken');
            },
          },
        },
      ],
      '$[0]',
      'broken',
    ],
  ])('%s', (_, value, path, what) => {
    const failure = encodeFailure(value);
    expect(failure.code).toBe('ENCODE');
    expect(failure.path).toBe(path);
    expect(failure.message).toContain(`cannot encode`);
    expect(failure.message).toContain(what);
    expect(failure.message).toContain(`(at ${path})`);
  });

  test('what a getter throws is the cause', () => {
    const cause = new TypeError('broken');
    const value = {
      get a() {
        throw cause;
      },
    };
    expect(encodeFailure(value).cause).toBe(cause);
  });

  test('an object that is its own property', () => {
    const value: { self?: unknown } = {};
    value.self = value;
    expect(encodeFailure(value).path).toBe('$.self');
  });

  test('a map or a set that holds itself', () => {
    const map = new Map<string, unknown>();
    map.set('me', map);
    expect(encodeFailure(map).path).toBe('$.me');
    const set = new Set<unknown>();
    set.add(set);
    expect(encodeFailure([set]).path).toBe('$[0][0]');
  });

  test('the same object twice is no cycle', () => {
    const shared = { a: 1 };
    expect(encodeFailure([shared, shared, save]).path).toBe('$[2]');
  });

  test('nesting beyond the limit, by the path of the first that is too deep', () => {
    let value: unknown = {};
    for (let index = 0; index < 3; index++) value = { a: [value] };
    const failure = encodeFailure(value, { depth: 4 });
    expect(failure.path).toBe('$.a[0].a[0]');
    expect(failure.message).toContain('nested deeper than 4 levels');
  });

  test.each([1, 2, 511, 512])('%d levels are accepted, one more is not', (depth) => {
    for (const wrap of [
      (v: unknown) => [v],
      (v: unknown) => ({ v }),
      (v: unknown) => new Map([[1, v]]),
      (v: unknown) => new Set([v]),
      (v: unknown) => new Point(0, v),
    ]) {
      let value: unknown = 1;
      for (let index = 0; index < depth; index++) value = wrap(value);
      expect(() => encodeFailure(value, { depth })).toThrow('it did not fail');
      expect(encodeFailure(wrap(value), { depth }).message).toContain('nested deeper');
    }
  });

  test('1024 levels of any container fit the stack', () => {
    const wraps: ((inner: unknown) => unknown)[] = [
      (inner) => [inner],
      (inner) => ({ inner }),
      (inner) => new Map([[1, inner]]),
      (inner) => new Set([inner]),
      (inner) => new Point(0, inner),
    ];
    for (const wrap of wraps) {
      let value: unknown = 1;
      for (let index = 0; index < 1024; index++) value = wrap(value);
      const bytes = encode(value, { depth: 1024 });
      expect(() => new Decoder({ depth: 1024 }).decode(bytes)).not.toThrow();
      const failure = encodeFailure(wrap(value), { depth: 1024 });
      expect(failure.message).toContain('nested deeper than 1024');
    }
  });

  test('a value for which the stack ends first', () => {
    let value: unknown = 1;
    for (let index = 0; index < 2048; index++) value = new Map([[1, value]]);
    const nearTheEnd = (frames: number): EncodeFailure =>
      frames === 0 ? encodeFailure(value, { depth: 2048 }) : nearTheEnd(frames - 1);
    const failure = nearTheEnd(3000);
    expect(failure.path).toBe('$');
    expect(failure.message).toContain('nested deeper than the stack allows');
  });

  test('an array whose memory went to another thread', () => {
    const data = new Float64Array(4);
    const value = { matrix: ndarray(data, [2, 2]) };
    structuredClone(data, { transfer: [data.buffer] });
    const failure = encodeFailure(value);
    expect(failure.path).toBe('$.matrix');
    expect(failure.message).toContain('does not fill its shape');
  });

  test('functions and promises of another realm', () => {
    expect(encodeFailure([runInNewContext('(function other() {})')]).message).toContain(
      'function "other"',
    );
    expect(encodeFailure([runInNewContext('Promise.resolve()')]).message).toContain('Promise');
  });

  test('a map that grows while it is encoded', () => {
    const map = new Map<string, unknown>();
    map.set('a', {
      get b() {
        map.set(`key ${map.size}`, 1);
        return 1;
      },
    });
    expect(encodeFailure(map).message).toContain('changes while it is encoded');
  });

  test('a long path is cut in the message only', () => {
    let value: unknown = save;
    for (let index = 0; index < 100; index++) value = { property: value };
    const failure = encodeFailure(value);
    expect(failure.path).toBe(`$${'.property'.repeat(100)}`);
    expect(failure.message.length).toBeLessThan(250);
  });
});
