/** Reads the golden bytes that the tests of JavaScript and Python share. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Dtype, type MemoryOrder, ndarray, type TypedArray } from '../../ts/codec/index.js';

type Piece = string | [string, number];

export interface Vector {
  readonly name: string;
  readonly hex: string | Piece[];
  readonly value: unknown;
  readonly encode?: readonly ('js' | 'python')[];
}

export interface Malformed {
  readonly name: string;
  readonly hex: string | Piece[];
}

const file = JSON.parse(readFileSync(join(__dirname, '..', 'vectors', 'values.json'), 'utf8')) as {
  values: Vector[];
  malformed: Malformed[];
};

export const values: readonly Vector[] = file.values;
export const malformed: readonly Malformed[] = file.malformed;

/** The bytes that `hex` of a vector stands for. */
export function bytesOf(hex: string | Piece[]): Buffer {
  return Buffer.from(joined(hex), 'hex');
}

/** The value that the notation of a vector stands for. */
export function meaningOf(notation: unknown): unknown {
  if (notation === null || typeof notation !== 'object') return notation;
  if (Array.isArray(notation)) return notation.map(meaningOf);
  const entries = Object.entries(notation);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined && first[0].startsWith('$')) {
    return tagged(first[0], first[1]);
  }
  const object = Object.create(Object.prototype) as object;
  for (const [name, value] of entries) property(object, name, meaningOf(value));
  return object;
}

function tagged(tag: string, content: unknown): unknown {
  switch (tag) {
    case '$int':
      return BigInt(joined(content as Piece[]));
    case '$float':
      return float(content as string);
    case '$bytes':
      return bytesOf(content as Piece[]);
    case '$string':
      return joined(content as Piece[]);
    case '$array':
      return (content as [unknown, number][]).flatMap(([item, count]) =>
        new Array<unknown>(count).fill(meaningOf(item)),
      );
    case '$map':
      return mapping(content as [unknown, unknown][]);
    case '$set':
      return new Set((content as unknown[]).map(meaningOf));
    case '$date':
      return date(content as string);
    case '$nested':
      return nested(content as number);
    case '$ndarray':
      return shaped(content as Shaped);
    default:
      throw new Error(`unknown notation ${tag}`);
  }
}

function joined(pieces: string | Piece[]): string {
  if (typeof pieces === 'string') return pieces;
  return pieces
    .map((piece) => (typeof piece === 'string' ? piece : piece[0].repeat(piece[1])))
    .join('');
}

function float(text: string): number {
  if (text === 'nan') return Number.NaN;
  return Number(text.replace('inf', 'Infinity'));
}

function mapping(entries: [unknown, unknown][]): object {
  const pairs = entries.map(([key, value]): [unknown, unknown] => [
    meaningOf(key),
    meaningOf(value),
  ]);
  if (pairs.some(([key]) => typeof key !== 'string')) return new Map(pairs);
  const object = {};
  for (const [key, value] of pairs) property(object, key as string, value);
  return object;
}

/** The last whole millisecond that is not after so many seconds since 1970. */
function date(seconds: string): Date {
  const [whole = '', fraction = ''] = seconds.replace('-', '').split('.');
  const nanoseconds =
    BigInt(whole + fraction.padEnd(9, '0')) * (seconds.startsWith('-') ? -1n : 1n);
  const rest = ((nanoseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
  return new Date(Number((nanoseconds - rest) / 1_000_000n));
}

function nested(count: number): unknown[] {
  let value: unknown[] = [];
  for (let index = 1; index < count; index++) value = [value];
  return value;
}

interface Shaped {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly order: MemoryOrder;
  readonly hex: string;
}

const CLASSES: Record<Dtype, new (buffer: ArrayBuffer) => TypedArray> = {
  b1: Uint8Array,
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  i8: BigInt64Array,
  u8: BigUint64Array,
  f2: Uint16Array,
  f4: Float32Array,
  f8: Float64Array,
  c8: Float32Array,
  c16: Float64Array,
};

function shaped({ dtype, shape, order, hex }: Shaped) {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  return ndarray(new CLASSES[dtype](bytes.buffer), shape, { dtype, order });
}

function property(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
