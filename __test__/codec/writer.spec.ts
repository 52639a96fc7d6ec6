import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { Decoder, EncodeFailure, ndarray, Writer } from '../../ts/codec/index.js';
import { encode, encodeFailure, same, throughWire } from './support.js';

describe('what becomes of a value', () => {
  class Point {
    static count = 0;
    readonly #hidden = 1;
    constructor(
      readonly x: number,
      readonly y: number,
    ) {}
    get sum(): number {
      return this.x + this.y + this.#hidden;
    }
  }

  test.each<[string, unknown, unknown]>([
    ['undefined', undefined, null],
    ['undefined property', { a: undefined, b: 1 }, { a: null, b: 1 }],
    ['hole in an array', Object.assign(new Array(3), { 0: 1, 2: 3 }), [1, null, 3]],
    ['object without prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['instance: own enumerable properties', new Point(1, 2), { x: 1, y: 2 }],
    ['toJSON of an instance', [new URL('https://example.com/')], ['https://example.com/']],
    [
      'toJSON that returns the object itself',
      Object.assign(
        Object.create({
          toJSON() {
            return this;
          },
        }),
        { a: 1 },
      ),
      { a: 1 },
    ],
    ['error', [new TypeError('broken')], [{ name: 'TypeError', message: 'broken' }]],
    [
      'boxed primitives',
      [Object(1), Object('a'), Object(true), Object(2n ** 60n)],
      [1, 'a', true, 2n ** 60n],
    ],
    ['array buffer', Uint8Array.of(1, 2).buffer, Buffer.of(1, 2)],
    ['shared array buffer', new SharedArrayBuffer(2), Buffer.of(0, 0)],
    ['data view', new DataView(Uint8Array.of(1, 2, 3).buffer, 1), Buffer.of(2, 3)],
    ['Uint8Array', Uint8Array.of(1, 2), Buffer.of(1, 2)],
    ['Uint8ClampedArray', Uint8ClampedArray.of(1, 255), Uint8Array.of(1, 255)],
    ['map with string keys', new Map([['a', 1]]), { a: 1 }],
    [
      'map with other keys',
      new Map<unknown, unknown>([
        ['a', 1],
        [2, 'b'],
      ]),
      new Map<unknown, unknown>([
        ['a', 1],
        [2, 'b'],
      ]),
    ],
    ['small bigint', 5n, 5],
    ['negative zero', -0, -0],
    ['number beyond the safe integers', 2 ** 53, 2 ** 53],
    ['array of another realm', runInNewContext('[1, [2]]'), [1, [2]]],
    ['object of another realm', runInNewContext('({ a: { b: 1 } })'), { a: { b: 1 } }],
    ['map of another realm', runInNewContext('new Map([[1, 2]])'), new Map([[1, 2]])],
    ['set of another realm', runInNewContext('new Set([1])'), new Set([1])],
    ['date of another realm', runInNewContext('new Date(5)'), new Date(5)],
    ['typed array of another realm', runInNewContext('Float32Array.of(0.5)'), Float32Array.of(0.5)],
    [
      'error of another realm',
      runInNewContext('new TypeError("x")'),
      { name: 'TypeError', message: 'x' },
    ],
    ['subclass of Map', new (class extends Map<number, number> {})([[1, 2]]), new Map([[1, 2]])],
    ['subclass of Array', new (class extends Array<number> {})(1, 2), [1, 2]],
    ['toJSON of a plain object is a function like any other', { toJSON: 1 }, { toJSON: 1 }],
  ])('%s', (_, value, expected) => {
    expect(throughWire(value)).toStrictEqual(expected);
  });

  test('a plain object does not get its toJSON called', () => {
    expect(encodeFailure({ toJSON: () => 1 }).path).toBe('$.toJSON');
  });

  test('names that everyone inherits are not sent', () => {
    Object.defineProperty(Object.prototype, 'inherited', {
      value: 1,
      enumerable: true,
      configurable: true,
    });
    try {
      expect(encode({ a: { b: 1 } }).toString('hex')).toBe('81a16181a16201');
    } finally {
      delete (Object.prototype as { inherited?: unknown }).inherited;
    }
  });
});

describe('names of properties', () => {
  test('objects with other names, orders and counts in turn', () => {
    const rows: Record<string, unknown>[] = [];
    for (let index = 0; index < 300; index++) {
      const row: Record<string, unknown> = {};
      for (let property = 0; property < index % 20; property++) {
        const name = [
          'a',
          'name',
          'x'.repeat(7),
          'y'.repeat(15),
          'z'.repeat(16),
          'é'.repeat(9),
          'w'.repeat(31),
          'v'.repeat(40),
        ][(property * index) % 8];
        row[`${name}${property % (1 + (index % 3))}`] =
          index % 5 === 0 ? { name: index } : property;
      }
      rows.push(row);
    }
    const writer = new Writer();
    const decoder = new Decoder();
    for (const value of [rows, ...rows, rows]) {
      writer.clear();
      writer.encode(value);
      expect(same(decoder.decode(writer.buffer, 0, writer.position), value)).toBe(true);
    }
  });

  test('more names than are kept, again and again', () => {
    const writer = new Writer();
    const decoder = new Decoder();
    for (let round = 0; round < 3000; round++) {
      const value = { [`name ${round}`]: round, common: round };
      writer.clear();
      writer.encode(value);
      expect(same(decoder.decode(writer.buffer, 0, writer.position), value)).toBe(true);
    }
  });

  test.each([14, 15, 16, 17, 65_535, 65_536])('an object of %d properties', (count) => {
    const value = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`k${index}`, index]),
    );
    const header =
      count < 16
        ? [0x80 | count]
        : count < 65_536
          ? [0xde, count >> 8, count & 255]
          : [0xdf, 0, 1, 0, 0];
    const writer = new Writer();
    for (let round = 0; round < 2; round++) {
      writer.clear();
      writer.encode([value, { small: 1 }, value]);
      expect([...writer.buffer.subarray(1, 1 + header.length)]).toEqual(header);
      expect(
        same(new Decoder().decode(writer.buffer, 0, writer.position), [value, { small: 1 }, value]),
      ).toBe(true);
    }
  });
});

describe('the outgoing buffer', () => {
  test('takes frames one after the other, with room for headers', () => {
    const writer = new Writer();
    const starts: number[] = [];
    for (let index = 0; index < 2000; index++) {
      starts.push(writer.position);
      writer.reserve(12);
      writer.position += 12;
      writer.encode({ index });
      const start = starts[index] as number;
      writer.buffer.writeUInt32LE(writer.position - start - 4, start);
    }
    const decoder = new Decoder();
    for (const [index, start] of starts.entries()) {
      const end = start + 4 + writer.buffer.readUInt32LE(start);
      expect(decoder.decode(writer.buffer, start + 12, end)).toEqual({ index });
    }
  });

  test('grows under any kind of value', () => {
    const big: unknown[] = [
      'a'.repeat(20_000),
      'é'.repeat(20_000),
      Buffer.alloc(50_000, 7),
      new Float64Array(9000).fill(0.5),
      new Array(40_000).fill(300),
      new Set(Array.from({ length: 9000 }, (_, index) => index)),
      Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, 'v'])),
      new Map(Array.from({ length: 5000 }, (_, index) => [index, 'v'])),
    ];
    for (const value of big) expect(same(throughWire([value, 'tail']), [value, 'tail'])).toBe(true);
  });

  test('grows at every place that a value can end', () => {
    const value = [
      1,
      300,
      70_000,
      -1,
      0.5,
      'short',
      'a name of more than thirty-one bytes',
      'größe',
      null,
      { id: 1, 'a name of more than thirty-one bytes': 2 },
      new Date(5),
      new Set([1]),
      2n ** 70n,
      Buffer.of(1),
      Float32Array.of(1),
      new Map([[1, 2]]),
    ];
    const expected = throughWire(value);
    for (let skip = 16 * 1024 - 400; skip < 16 * 1024; skip++) {
      const writer = new Writer();
      writer.position = skip;
      writer.reserve(0);
      writer.encode(value);
      expect(same(new Decoder().decode(writer.buffer, skip, writer.position), expected)).toBe(true);
    }
  });

  test('keeps what was written before it grew', () => {
    const writer = new Writer();
    writer.encode('first');
    const before = writer.buffer;
    const middle = writer.position;
    writer.encode(Buffer.alloc(100_000));
    expect(writer.buffer).not.toBe(before);
    expect(new Decoder().decode(writer.buffer, 0, middle)).toBe('first');
  });

  test('is let go when it has grown far', () => {
    const writer = new Writer();
    writer.encode(Buffer.alloc(3_000_000));
    writer.clear();
    expect(writer.position).toBe(0);
    expect(writer.buffer.length).toBeLessThan(100_000);
    writer.encode(1);
    const kept = writer.buffer;
    writer.clear();
    expect(writer.buffer).toBe(kept);
  });

  test('is as before after a failure', () => {
    const writer = new Writer();
    writer.encode({ id: 1, name: 'a' });
    const end = writer.position;
    expect(() => writer.encode({ id: 2, name: ['b', { id: 3, name: Symbol('s') }] })).toThrow(
      EncodeFailure,
    );
    expect(writer.position).toBe(end);
    expect(writer.busy).toBe(false);
    writer.encode({ id: 4, name: 'c' });
    const decoder = new Decoder();
    expect(decoder.decodeFrom(writer.buffer, 0, writer.position)).toEqual({ id: 1, name: 'a' });
    expect(decoder.decode(writer.buffer, decoder.offset, writer.position)).toEqual({
      id: 4,
      name: 'c',
    });
  });

  test('says that it is busy to code that a value runs, and refuses to be used there', () => {
    const writer = new Writer();
    const seen: boolean[] = [];
    writer.encode({
      get a() {
        seen.push(writer.busy);
        return 1;
      },
    });
    expect(seen).toEqual([true]);
    const failure = (() => {
      try {
        writer.encode({
          get a() {
            writer.encode(1);
            return 1;
          },
        });
      } catch (error) {
        return error as EncodeFailure;
      }
      throw new Error('it did not fail');
    })();
    expect(failure.message).toContain('same writer');
    expect(writer.busy).toBe(false);
  });
});

describe('the limit of bytes', () => {
  test.each<[string, unknown, number]>([
    ['string', 'a'.repeat(1000), 1003],
    ['bin', Buffer.alloc(1000), 1003],
    ['array', new Array(1000).fill(0), 1003],
    ['object', { a: 'b'.repeat(90) }, 95],
    ['string of three bytes each', '日'.repeat(400), 1203],
  ])('%s: exactly the limit is accepted, a byte more is not', (_, value, size) => {
    expect(encode(value, { bytes: size }).length).toBe(size);
    const failure = encodeFailure(value, { bytes: size - 1 });
    expect(failure.code).toBe('FRAME_TOO_LARGE');
    expect(failure.message).toContain(`${size - 1} bytes`);
  });

  test('counts from where the value begins', () => {
    const writer = new Writer({ bytes: 200 });
    for (let index = 0; index < 100; index++) writer.encode('a'.repeat(150));
    expect(writer.position).toBe(100 * 152);
  });

  test('ends the work early and takes little memory', () => {
    const piece = 'a'.repeat(1024 * 1024);
    let reads = 0;
    const value = Array.from({ length: 1000 }, () => ({
      get piece() {
        reads++;
        return piece;
      },
    }));
    expect(encodeFailure(value, { bytes: 4 * 1024 * 1024 }).code).toBe('FRAME_TOO_LARGE');
    expect(reads).toBeLessThan(10);
    expect(encodeFailure(new Array(2 ** 30), { bytes: 1024 * 1024 }).code).toBe('FRAME_TOO_LARGE');
  });
});

describe('the extension hook', () => {
  class Handle {
    readonly id = 7;
  }
  const extension = (value: object) => {
    if (typeof value === 'function') return { type: 10, data: Buffer.from(value.name) };
    if (Symbol.asyncIterator in value) return { type: 11, data: Buffer.alloc(300) };
    return value instanceof Handle ? { type: -100, data: Buffer.of(value.id) } : undefined;
  };

  test('encodes functions, async iterables and instances', () => {
    const seen: [number, number][] = [];
    const decoder = new Decoder({ extension: (type, data) => seen.push([type, data.length]) });
    const value = [
      function abc() {},
      (async function* () {})(),
      { async *[Symbol.asyncIterator]() {} },
      new Handle(),
    ];
    decoder.decode(encode(value, { extension }));
    expect(seen).toEqual([
      [10, 3],
      [11, 300],
      [11, 300],
      [-100, 1],
    ]);
  });

  test('is not asked for what the table of values has a place for', () => {
    const asked: object[] = [];
    const value = [
      {},
      [],
      new Map(),
      new Set(),
      new Date(0),
      Buffer.of(1),
      Float32Array.of(1),
      ndarray(Float32Array.of(1)),
      new Error('e'),
      Object(1),
      Object.create(null),
    ];
    encode(value, { extension: (object) => void asked.push(object) });
    expect(asked).toEqual([]);
  });

  test('leaves to the usual rules what it does not know', () => {
    expect(encodeFailure({ a: Promise.resolve() }, { extension }).path).toBe('$.a');
    expect(
      encode(
        new (class {
          a = 1;
        })(),
        { extension },
      ).toString('hex'),
    ).toBe('81a16101');
  });

  test('does not stop the search for another value that cannot cross', () => {
    expect(encodeFailure([() => 1, Symbol('s')], { extension }).path).toBe('$[1]');
  });

  test('fails with the path of the value if it throws or answers nonsense', () => {
    const broken = () => {
      throw new Error('no more');
    };
    const failure = encodeFailure({ f: save }, { extension: broken });
    expect(failure.path).toBe('$.f');
    expect(failure.message).toContain('no more');
    expect(() => encode(save, { extension: () => ({ type: 128, data: Buffer.of() }) })).toThrow(
      '128',
    );
  });

  function save(): void {}
});

describe('options', () => {
  test.each([0, -1, 1.5, 2049, Number.NaN, Number.POSITIVE_INFINITY])(
    'depth %d is refused',
    (depth) => {
      expect(() => new Writer({ depth })).toThrow(`got ${depth}`);
      expect(() => new Decoder({ depth })).toThrow(`got ${depth}`);
    },
  );
});

test('a proxy is like what it stands for', () => {
  expect(throughWire(new Proxy({ a: 1 }, {}))).toEqual({ a: 1 });
  expect(throughWire(new Proxy([1, 2], {}))).toEqual([1, 2]);
});
