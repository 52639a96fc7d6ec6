/** What a value from Python is in Node, told in a form that Python compares. */

import { types } from 'node:util';
import { NdArray } from '../../ts/index.js';

/** The types of a value and of what it holds. */
export function nodeTypes(value: unknown): unknown {
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  if (Buffer.isBuffer(value)) return 'Buffer';
  if (types.isDate(value)) return 'Date';
  if (value instanceof NdArray) return ['NdArray', value.dtype, value.shape];
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  if (Array.isArray(value)) return ['Array', value.map(nodeTypes)];
  if (types.isSet(value))
    return ['Set', [...new Set([...value].map(nodeTypes).map(String))].sort()];
  if (types.isMap(value)) {
    return ['Map', [...value].map(([key, item]) => [nodeTypes(key), nodeTypes(item)])];
  }
  return ['Object', Object.values(value).map(nodeTypes)];
}
