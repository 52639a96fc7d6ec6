import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DecodeFailure, Decoder, EncodeFailure, ndarray, Writer } from '../../ts/codec/index.js';
import { bytesOf, malformed, values } from './vectors.js';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ unit: 'binary-ascii', maxLength: 300 }),
);
const name = fc.oneof(
  text,
  fc.constantFrom('id', 'name', 'score', '__proto__', 'constructor', '0', '7'),
);
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.integer({ min: -40, max: 300 }),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 200n }),
  fc.bigInt({ min: -(2n ** 200n), max: -(2n ** 53n) }),
);
const typed = fc.oneof(
  fc.int8Array(),
  fc.uint8ClampedArray().map((array) => Int16Array.from(array)),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array({ maxLength: 100 }),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);
const shaped = fc
  .tuple(fc.nat(4), fc.nat(4), fc.nat(4), fc.constantFrom('C' as const, 'F' as const))
  .map(([a, b, c, order]) => {
    const data = Float32Array.from({ length: a * b * c }, (_, index) => index / 2);
    return ndarray(data, [a, b, c], { order });
  });

/** Everything that comes back as it went: what the table of values maps one to one. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    tie('leaf'),
    tie('array'),
    tie('object'),
    tie('map'),
    tie('set'),
  ),
  leaf: fc.oneof(
    fc.constant(null),
    fc.boolean(),
    integer,
    fc.double(),
    text,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.date({ noInvalidDate: true }),
    typed,
    shaped,
  ),
  array: fc.array(tie('any'), { maxLength: 40 }),
  object: fc.dictionary(name, tie('any'), { maxKeys: 20, noNullPrototype: true }),
  map: fc
    .array(
      fc.tuple(
        fc.oneof(integer, fc.double({ noDefaultInfinity: true }), fc.boolean(), text),
        tie('any'),
      ),
      { maxLength: 10 },
    )
    .map((entries) => new Map<unknown, unknown>([...entries, [-1, 'not a string']])),
  set: fc.array(tie('any'), { maxLength: 10 }).map((items) => new Set(items)),
})).any;

const writer = new Writer();
const decoder = new Decoder();

function encoded(input: unknown): Buffer {
  writer.clear();
  writer.encode(input);
  return writer.buffer.subarray(0, writer.position);
}

/** Whether decoding ends, and ends well or in the one failure that it may end in. */
function decodes(bytes: Buffer): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch (error) {
    if (!(error instanceof DecodeFailure)) throw error;
    return false;
  }
}

describe('properties', () => {
  test('every value comes back as it went', () => {
    fc.assert(
      fc.property(value, (input) => {
        // Jest takes a property named `constructor` for the object's class.
        expect(isDeepStrictEqual(decoder.decode(encoded(input)), input)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('a value is encoded to the same bytes whatever was encoded before', () => {
    fc.assert(
      fc.property(value, value, (first, second) => {
        const alone = new Writer();
        alone.encode(second);
        encoded(first);
        expect(encoded(second).equals(alone.buffer.subarray(0, alone.position))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('any string crosses, or is refused because of a lone surrogate', () => {
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const surrogate = fc
      .integer({ min: 0xd7f0, max: 0xe00f })
      .map((code) => String.fromCharCode(code));
    const units = fc.array(fc.oneof(unit, surrogate, fc.constant('a')), { maxLength: 120 });
    fc.assert(
      fc.property(units, (parts) => {
        const input = parts.join('');
        const wellFormed = (input as unknown as { isWellFormed(): boolean }).isWellFormed();
        if (wellFormed) expect(decoder.decode(encoded(input))).toBe(input);
        else expect(() => encoded(input)).toThrow(EncodeFailure);
      }),
      { numRuns: 1000 },
    );
  });

  test('random bytes are decoded or refused, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodes(Buffer.from(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  test('valid bytes with a few of them changed are decoded or refused, nothing else', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(value, fc.array(change, { minLength: 1, maxLength: 4 }), (input, changes) => {
        const bytes = Buffer.from(encoded(input));
        for (const [position, byte] of changes) bytes[position % bytes.length] = byte;
        decodes(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('what decodes from changed golden bytes can be encoded again', () => {
    const seeds = [...values, ...malformed]
      .map((vector) => bytesOf(vector.hex))
      .filter((bytes) => bytes.length > 0 && bytes.length < 400);
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        (seed, position, byte) => {
          const bytes = Buffer.from(seed);
          bytes[position % bytes.length] = byte;
          if (decodes(bytes)) expect(decodes(encoded(decoder.decode(bytes)))).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
