/**
 * Values across the real pipe. fast-check generates in Node, and Python echoes and tells the types that
 * it got; hypothesis generates in Python, and Node echoes and tells its own. A failure prints the seed.
 */

import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type NdArray, ndarray, type Synapse } from '../../ts/index.js';
import { withLibraries } from '../support/data.js';
import { keepModule } from '../support/modules.js';
import { arriving, pythonTypes } from './expectation.js';
import { nodeTypes } from './node-types.js';
import { PYTHON } from './python.js';

const RUNS = 3000;

let synapse: Synapse;
const kept = keepModule();

beforeAll(async () => {
  synapse = await kept.spawn(PYTHON, withLibraries);
  synapse.handle('echo', (value) => [value, nodeTypes(value)]);
});

afterAll(() => kept.dispose());

const text = fc.string({ unit: 'binary' });
const arrays = fc.oneof(
  ...[
    fc.int8Array,
    fc.uint8ClampedArray,
    fc.int16Array,
    fc.uint16Array,
    fc.int32Array,
    fc.uint32Array,
    fc.float32Array,
    fc.float64Array,
    fc.bigInt64Array,
    fc.bigUint64Array,
  ].map((generate) => generate({ maxLength: 12 })),
);

/** An array with a shape that its elements fill, in either order. */
const shaped = fc
  .tuple(fc.array(fc.nat(3), { maxLength: 3 }), fc.constantFrom('C', 'F'), fc.nat())
  .chain(([shape, order, pick]) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const length = { minLength: count, maxLength: count };
    const pairs = { minLength: 2 * count, maxLength: 2 * count };
    const choices = [
      fc.float64Array(length).map((data) => ndarray(data, shape, { order })),
      fc.bigInt64Array(length).map((data) => ndarray(data, shape, { order })),
      fc.uint16Array(length).map((data) => ndarray(data, shape, { order, dtype: 'f2' })),
      fc.float32Array(pairs).map((data) => ndarray(data, shape, { order, dtype: 'c8' })),
      fc
        .uint8Array({ ...length, max: 1 })
        .map((data) => ndarray(data, shape, { order, dtype: 'b1' })),
    ];
    return choices[pick % choices.length] as fc.Arbitrary<NdArray>;
  });

const scalar = fc.oneof(
  fc.constantFrom(null, undefined, true, false, 0, -0, Number.NaN, Infinity, -Infinity),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }),
  text,
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.date({
    min: new Date(-62_135_596_800_000),
    max: new Date(253_402_300_799_999),
    noInvalidDate: true,
  }),
  arrays,
  shaped,
);

/** Keys of one kind: 1, 1n and true are different in Node, and the same in Python. */
const keys = fc.constantFrom(
  text as fc.Arbitrary<unknown>,
  fc.integer(),
  fc.bigInt({ min: 2n ** 60n, max: 2n ** 70n }),
  fc.tuple(fc.integer(), text),
);

const value = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('container')),
  container: fc.oneof(
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(text, tie('value'), { maxKeys: 5 }),
    keys.chain((key) =>
      fc.uniqueArray(key, { maxLength: 4, selector: String }).map((items) => new Set(items)),
    ),
    keys.chain((key) =>
      fc
        .uniqueArray(fc.tuple(key, tie('value')), {
          maxLength: 4,
          selector: ([name]) => String(name),
        })
        .map((entries) => new Map(entries)),
    ),
  ),
})).value;

describe('from Node to Python and back', () => {
  test('every value arrives as the table says, and so does its echo', async () => {
    await fc.assert(
      fc.asyncProperty(value, async (sent) => {
        const [echo, types] = await synapse.invoke<[unknown, unknown]>('echo', [sent]);
        if (!isDeepStrictEqual(types, pythonTypes(sent))) {
          expect(types).toEqual(pythonTypes(sent));
        }
        if (!isDeepStrictEqual(echo, arriving(sent))) expect(echo).toEqual(arriving(sent));
      }),
      { numRuns: RUNS },
    );
  }, 600_000);

  test('many at once are not mixed up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 2, maxLength: 30 }), async (sent) => {
        const echoes = await Promise.all(
          sent.map((one) => synapse.invoke<[unknown, unknown]>('echo', [one])),
        );
        expect(
          isDeepStrictEqual(
            echoes.map(([echo]) => echo),
            sent.map(arriving),
          ),
        ).toBe(true);
      }),
      { numRuns: 100 },
    );
  }, 600_000);
});

describe('from Python to Node and back', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);

  test(`in callbacks, hypothesis seed ${seed}`, async () => {
    expect(await synapse.invoke('explore', [RUNS / 2, seed])).toBeGreaterThanOrEqual(RUNS / 4);
  }, 600_000);

  test(`as items of a stream, hypothesis seed ${seed}`, async () => {
    const items: [number, unknown][] = [];
    for await (const item of synapse.stream<[number, unknown]>('generate', [RUNS / 5, seed])) {
      items.push(item);
    }
    expect(items.length).toBeGreaterThan(RUNS / 10);
    // Only now: the worker runs one call at a time, and a stream is one until its end.
    const complaints = items.map(([index, generated]) =>
      synapse.invoke('compare', [index, generated, nodeTypes(generated)]),
    );
    expect((await Promise.all(complaints)).filter((complaint) => complaint !== null)).toEqual([]);
  }, 600_000);
});
