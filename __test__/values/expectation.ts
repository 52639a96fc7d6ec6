/** What the table of docs/values.md says of a value that leaves Node. */

import { types } from 'node:util';
import { NdArray } from '../../ts/index.js';

/** Types as `python.ts` tells them. */
export type TypeTree = string | readonly unknown[];

const DTYPES: Readonly<Record<string, string>> = {
  Int8Array: 'i1',
  Uint8ClampedArray: 'u1',
  Int16Array: 'i2',
  Uint16Array: 'u2',
  Int32Array: 'i4',
  Uint32Array: 'u4',
  BigInt64Array: 'i8',
  BigUint64Array: 'u8',
  Float32Array: 'f4',
  Float64Array: 'f8',
};

/** The types that Python sees. Inside a key or a set, lists are tuples. */
export function pythonTypes(value: unknown, hashed = false): TypeTree {
  if (value === null || value === undefined) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? 'int' : 'float';
  }
  if (Buffer.isBuffer(value)) return 'bytes';
  if (types.isDate(value)) return 'datetime';
  if (value instanceof NdArray) return ['ndarray', value.dtype, [...value.shape]];
  if (ArrayBuffer.isView(value)) {
    const { length } = value as unknown as ArrayLike<unknown>;
    return ['ndarray', DTYPES[value.constructor.name], [length]];
  }
  if (Array.isArray(value)) {
    return [hashed ? 'tuple' : 'list', value.map((item) => pythonTypes(item, hashed))];
  }
  if (types.isSet(value)) return ['set', sorted([...value].map((item) => pythonTypes(item, true)))];
  const entries = types.isMap(value) ? [...value] : Object.entries(value as object);
  return ['dict', entries.map(([key, item]) => [pythonTypes(key, true), pythonTypes(item)])];
}

/** What comes back of a value that Python echoes. */
export function arriving(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Buffer.isBuffer(value) || types.isDate(value)) return value;
  if (value instanceof Uint8ClampedArray) return new Uint8Array(value);
  if (value instanceof NdArray) return arrivingArray(value);
  if (ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(arriving);
  if (types.isSet(value)) return new Set([...value].map(arriving));
  if (!types.isMap(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, arriving(item)]));
  }
  const entries = [...value].map(([key, item]) => [arriving(key), arriving(item)] as const);
  return entries.every(([key]) => typeof key === 'string')
    ? Object.fromEntries(entries)
    : new Map(entries);
}

/** One dimension of a type that JavaScript has is the bare typed array. */
function arrivingArray(array: NdArray): unknown {
  const { shape, dtype, data } = array;
  const bare = shape.length === 1 && !['f2', 'c8', 'c16'].includes(dtype);
  if (bare) return data;
  // What lies in memory alike in both orders is told as C.
  const both = shape.filter((extent) => extent > 1).length < 2 || shape.includes(0);
  return both ? new NdArray(data, shape, { dtype }) : array;
}

function sorted(trees: readonly TypeTree[]): TypeTree[] {
  return [...trees].sort((one, other) => {
    const [a, b] = [JSON.stringify(one), JSON.stringify(other)];
    return a < b ? -1 : a > b ? 1 : 0;
  });
}
