/** Which row of the table of values an object belongs to. Encoder and path diagnosis share it. */

import { types } from 'node:util';
import { dtypeOf, NdArray, type TypedArray } from './ndarray.js';

/** How an object is encoded; `refused` if it is not. */
export type Kind =
  | 'array'
  | 'plain'
  | 'instance'
  | 'bytes'
  | 'buffer'
  | 'typed'
  | 'ndarray'
  | 'date'
  | 'map'
  | 'set'
  | 'error'
  | 'boxed'
  | 'json'
  | 'refused';

/**
 * Sorts an object. Own classes of this realm come first, by prototype; then those of other realms
 * (`vm` contexts), by what they really are.
 */
export function classify(value: object): Kind {
  if (value instanceof Date) return 'date';
  if (ArrayBuffer.isView(value)) return viewKind(value);
  if (value instanceof Map) return 'map';
  if (value instanceof Set) return 'set';
  if (value instanceof NdArray) return 'ndarray';
  if (value instanceof Error) return 'error';
  if (typeof value === 'function') return 'refused';
  if (Array.isArray(value)) return 'array';
  if (types.isDate(value)) return 'date';
  if (types.isMap(value)) return 'map';
  if (types.isSet(value)) return 'set';
  if (types.isAnyArrayBuffer(value)) return 'buffer';
  if (types.isNativeError(value)) return 'error';
  if (types.isBoxedPrimitive(value)) return types.isSymbolObject(value) ? 'refused' : 'boxed';
  const plain = isPlain(value);
  if (!plain && typeof (value as { toJSON?: unknown }).toJSON === 'function') return 'json';
  if (hasNoContent(value)) return 'refused';
  return plain ? 'plain' : 'instance';
}

/** Whether the object was written as a literal, or has no prototype. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whether the extension hook is asked about objects of this kind. */
export function isOpen(kind: Kind): boolean {
  return kind === 'instance' || kind === 'json' || kind === 'refused';
}

/** The value of a boxed primitive. */
export function unbox(value: object): unknown {
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value);
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value);
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value);
  return BigInt.prototype.valueOf.call(value);
}

/** What crosses of an `Error`. */
export function errorContent(value: Error): { name: string; message: string } {
  return { name: String(value.name), message: String(value.message) };
}

/**
 * What to encode for an object with `toJSON`: as in JSON, the result's own `toJSON` is not called,
 * its properties count.
 */
export function replacement(value: object): { value: unknown; asInstance: boolean } {
  const result = (value as { toJSON(): unknown }).toJSON();
  const again = typeof result === 'object' && result !== null && classify(result) === 'json';
  return { value: result, asInstance: again };
}

/** Names a value for an error message: `function "save"`, `symbol`, `Promise`. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'function':
      return value.name === '' ? 'function' : `function "${value.name}"`;
    case 'symbol':
      return 'symbol';
    case 'string':
      return 'string with a lone surrogate';
    case 'object': {
      if (value === null) return 'null';
      if (types.isDate(value)) return 'invalid Date';
      if (types.isSymbolObject(value)) return 'symbol';
      if (types.isPromise(value)) return 'Promise, which has to be awaited first';
      const name: unknown = value.constructor?.name;
      return typeof name === 'string' && name !== '' && name !== 'Object'
        ? name
        : Object.prototype.toString.call(value).slice(8, -1);
    }
    case 'bigint':
    case 'boolean':
    case 'number':
    case 'undefined':
      return typeof value;
  }
}

function viewKind(value: ArrayBufferView): Kind {
  if (types.isUint8Array(value) || types.isDataView(value)) return 'bytes';
  return dtypeOf(value as TypedArray) === undefined ? 'refused' : 'typed';
}

/** Objects whose content is not in their properties: as a map they would arrive empty. */
function hasNoContent(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    value instanceof WeakRef ||
    types.isRegExp(value) ||
    types.isGeneratorObject(value) ||
    types.isMapIterator(value) ||
    types.isSetIterator(value) ||
    types.isExternal(value) ||
    Symbol.asyncIterator in value ||
    isOpaque(value)
  );
}

/** An object of the platform, such as a `Blob` or `Headers`: it has a tag, and no properties to show. */
function isOpaque(value: object): boolean {
  const { [Symbol.toStringTag]: tag } = value as { [Symbol.toStringTag]?: unknown };
  return typeof tag === 'string' && Object.keys(value).length === 0;
}
