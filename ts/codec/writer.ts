/** Encodes values straight into the outgoing buffer. The table of values is in docs/protocol.md. */

import { classify, errorContent, isOpen, replacement, unbox } from './classify.js';
import {
  type BytesLender,
  EXTENSION_BIGINT,
  EXTENSION_NDARRAY,
  EXTENSION_SET,
  EXTENSION_SHARED,
  EXTENSION_SHARED_NDARRAY,
  EXTENSION_TIMESTAMP,
  type ExtensionEncoder,
  type ExtensionValue,
  writeExtensionHeader,
} from './extension.js';
import { EncodeFailure } from './failures.js';
import { type Key, KeyBook, type KeyRoot } from './keys.js';
import { checkedDepth, DEFAULT_BYTES, DEFAULT_DEPTH, decimalDigits } from './limits.js';
import { isFilled, NdArray, type TypedArray } from './ndarray.js';
import { diagnose, Refusal } from './path.js';
import { isWellFormed, type NativeBuffer, writeUtf8 } from './text.js';
import { timestampSize, writeTimestamp } from './timestamp.js';

/** Bytes that are free after every position that a value may begin at: the longest short value. */
const MARGIN = 128;
/** By how much an estimate of a string's bytes may exceed the limit before it is counted. */
const SLACK = 1024 * 1024;
const INITIAL_SIZE = 16 * 1024;
/** UTF-16 units of the longest string that a loop writes faster than a call into native code. */
const SHORT_TEXT = 31;
/** UTF-16 units from which a string is measured before room is made for it. */
const LONG_TEXT = 64 * 1024;
const TWO_32 = 0x1_0000_0000;

/** Bytes from which binary data is offered to the lender. */
export const LENT_BYTES = 256 * 1024;

/** By how many bytes a reference to lent data is longer than the head of what is inline. */
const LENT_HEAD = 5;

/** Bytes of the longest header of an extension. */
const EXTENSION_HEADER = 6;
/** First type bytes of those with the size after them; array and map have none with one byte. */
const BIN = 0xc4;
const STRING = 0xd9;
const ARRAY = 0xdb;
const MAP = 0xdd;

/** Options of {@link Writer}. */
export interface WriterOptions {
  /** Containers inside each other; default 512, at most 2048. */
  readonly depth?: number;
  /** Bytes of one encoded value; default 256 MiB. */
  readonly bytes?: number;
  /** Encodes what the table of values has no place for. */
  readonly extension?: ExtensionEncoder;
  /** Takes large binary data out of the value. Default none: all of it goes inline. */
  readonly lend?: BytesLender;
}

/**
 * Owns the outgoing buffer. The caller makes room for a header with {@link reserve}, moves
 * `position` past it, encodes, and fills the header in. Whatever grows the buffer replaces it: read
 * `buffer` again after every call. A failed `encode` leaves `position` where it was.
 */
export class Writer {
  /** Where the bytes are; valid up to `position`. */
  buffer: Buffer;
  /** Where the next value begins, in bytes. */
  position = 0;

  #view: DataView;
  /** The last position that has `MARGIN` bytes after it. */
  #end: number;
  /** The size that the buffer may grow to while the current value is encoded. */
  #ceiling = Number.MAX_SAFE_INTEGER;
  #busy = false;
  /** Bytes of the current value that were lent; they count as if they were there. */
  #lent = 0;
  /** Whether arrays of numbers may be lent: Python may write to those. */
  #lendsArrays = true;
  /** Whether someone gave every object enumerable properties, which `for in` would list. */
  #polluted = false;
  readonly #keys = new KeyBook();
  readonly #depth: number;
  readonly #bytes: number;
  readonly #extension: ExtensionEncoder | undefined;
  readonly #lend: BytesLender | undefined;

  /** @throws RangeError if the depth is no whole number from 1 to 2048 */
  constructor(options: WriterOptions = {}) {
    this.#depth = checkedDepth(options.depth ?? DEFAULT_DEPTH);
    this.#bytes = options.bytes ?? DEFAULT_BYTES;
    this.#extension = options.extension;
    this.#lend = options.lend;
    this.buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
    this.#view = new DataView(this.buffer.buffer);
    this.#end = INITIAL_SIZE - MARGIN;
  }

  /**
   * Whether a value is being encoded: true only for code that the value itself runs (getters,
   * `toJSON`, proxies, the extension hook). Such code needs another writer.
   */
  get busy(): boolean {
    return this.#busy;
  }

  /** Makes room for `size` bytes at `position`. */
  reserve(size: number): void {
    this.#ensure(this.position, size);
  }

  /** Goes back to the start; a buffer that has grown beyond `keep` bytes (1 MiB) is let go. */
  clear(keep: number = 1024 * 1024): void {
    this.position = 0;
    if (this.buffer.length > keep) this.#replace(Buffer.allocUnsafeSlow(INITIAL_SIZE));
  }

  /**
   * Appends a value at `position`.
   *
   * @param keepsArrays whether arrays of numbers have to be the same when Python has had them
   * @throws EncodeFailure `ENCODE` with the path of what cannot cross; `FRAME_TOO_LARGE` if the value
   * takes more bytes than the limit
   */
  encode(value: unknown, keepsArrays = false): void {
    if (this.#busy)
      throw new EncodeFailure('a value cannot encode itself with the same writer', '$');
    const start = this.position;
    this.#ceiling = start + this.#bytes + SLACK;
    this.#busy = true;
    this.#lent = 0;
    this.#lendsArrays = !keepsArrays;
    this.#polluted = hasEnumerable(Object.prototype);
    try {
      const end = this.#value(value, start, 0);
      if (end - start + this.#lent > this.#bytes) throw this.#tooLarge();
      this.position = end;
    } catch (cause) {
      throw diagnose(value, cause, this.#depth, this.#extension);
    } finally {
      this.#busy = false;
      this.#ceiling = Number.MAX_SAFE_INTEGER;
    }
  }

  #value(value: unknown, at: number, depth: number): number {
    if (at > this.#end) this.#ensure(at, 0);
    switch (typeof value) {
      case 'string':
        return this.#text(value, at);
      case 'number':
        return this.#number(value, at);
      case 'object':
        if (value === null) break;
        if (Array.isArray(value)) return this.#array(value, at, depth);
        return this.#object(value, at, depth);
      case 'boolean':
        this.buffer[at] = value ? 0xc3 : 0xc2;
        return at + 1;
      case 'undefined':
        break;
      case 'bigint':
        return this.#bigint(value, at);
      case 'function':
        return this.#other(value, at, depth);
      case 'symbol':
        throw new Refusal();
    }
    this.buffer[at] = 0xc0;
    return at + 1;
  }

  #number(value: number, at: number): number {
    const buffer = this.buffer;
    const small = value | 0;
    if (small === value) {
      if (small >= 0) {
        if (small < 0x80) {
          if (small === 0 && 1 / value < 0) return this.#float(value, at);
          buffer[at] = small;
          return at + 1;
        }
        if (small < 0x100) {
          buffer[at] = 0xcc;
          buffer[at + 1] = small;
          return at + 2;
        }
        if (small < 0x10000) {
          buffer[at] = 0xcd;
          buffer[at + 1] = small >> 8;
          buffer[at + 2] = small;
          return at + 3;
        }
        buffer[at] = 0xce;
        this.#view.setUint32(at + 1, small);
        return at + 5;
      }
      if (small >= -0x20) {
        buffer[at] = small;
        return at + 1;
      }
      if (small >= -0x80) {
        buffer[at] = 0xd0;
        buffer[at + 1] = small;
        return at + 2;
      }
      if (small >= -0x8000) {
        buffer[at] = 0xd1;
        buffer[at + 1] = small >> 8;
        buffer[at + 2] = small;
        return at + 3;
      }
      buffer[at] = 0xd2;
      this.#view.setInt32(at + 1, small);
      return at + 5;
    }
    return Number.isSafeInteger(value) ? this.#wide(value, at) : this.#float(value, at);
  }

  #float(value: number, at: number): number {
    this.buffer[at] = 0xcb;
    this.#view.setFloat64(at + 1, value);
    return at + 9;
  }

  /** A safe integer beyond 32 bits with sign. */
  #wide(value: number, at: number): number {
    if (value >= 0 && value < TWO_32) {
      this.buffer[at] = 0xce;
      this.#view.setUint32(at + 1, value);
      return at + 5;
    }
    this.buffer[at] = value < 0 ? 0xd3 : 0xcf;
    this.#view.setInt32(at + 1, Math.floor(value / TWO_32));
    this.#view.setUint32(at + 5, value >>> 0);
    return at + 9;
  }

  #bigint(value: bigint, at: number): number {
    const narrow = Number(value);
    if (Number.isSafeInteger(narrow)) return this.#number(narrow, at);
    if (BigInt.asUintN(64, value) === value) {
      this.buffer[at] = 0xcf;
      this.#view.setBigUint64(at + 1, value);
      return at + 9;
    }
    if (BigInt.asIntN(64, value) === value) {
      this.buffer[at] = 0xd3;
      this.#view.setBigInt64(at + 1, value);
      return at + 9;
    }
    const digits = decimalDigits(value);
    if (digits === undefined) throw new Refusal();
    this.#ensure(at, digits.length + 6);
    const start = writeExtensionHeader(this.buffer, at, EXTENSION_BIGINT, digits.length);
    return start + this.buffer.write(digits, start, 'latin1');
  }

  #text(value: string, at: number): number {
    const length = value.length;
    if (length > SHORT_TEXT) return this.#longText(value, at);
    const buffer = this.buffer;
    let to = at + 1;
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) return this.#shortText(value, at);
      buffer[to++] = unit;
    }
    buffer[at] = 0xa0 | length;
    return to;
  }

  /** A short string that is not ASCII: 31 units take 93 bytes at most, which the margin has. */
  #shortText(value: string, at: number): number {
    const end = writeUtf8(this.buffer, at + 1, value);
    if (end < 0) throw new Refusal();
    const size = end - at - 1;
    if (size < 0x20) {
      this.buffer[at] = 0xa0 | size;
      return end;
    }
    this.buffer.copyWithin(at + 2, at + 1, end);
    this.buffer[at] = STRING;
    this.buffer[at + 1] = size;
    return end + 1;
  }

  /** A string of any length and content: written first, then its header is fitted to it. */
  #longText(value: string, at: number): number {
    const length = value.length;
    // A UTF-16 unit takes 3 bytes at most; where that seems much, the bytes are counted.
    const room = length * 3 + 5;
    if (at + room > this.#end) {
      this.#ensure(at, length < LONG_TEXT ? room : Buffer.byteLength(value) + 5);
    }
    const guess = textHeaderSize(length);
    const size = (this.buffer as NativeBuffer).utf8Write(value, at + guess);
    if (size !== length && !isWellFormed(value)) throw new Refusal();
    const header = textHeaderSize(size);
    if (header !== guess) this.buffer.copyWithin(at + header, at + guess, at + guess + size);
    return this.#header(0xa0, 0x20, STRING, size, at) + size;
  }

  #bin(value: Uint8Array, at: number): number {
    const size = value.length;
    if (size >= LENT_BYTES) {
      const block = this.#offer(value);
      if (block > 0) {
        const start = writeExtensionHeader(this.buffer, at, EXTENSION_SHARED, 8);
        this.#view.setUint32(start, block);
        this.#view.setUint32(start + 4, size);
        return start + 8;
      }
    }
    this.#ensure(at, size + 5);
    const start = this.#header(0, 0, BIN, size, at);
    this.buffer.set(value, start);
    return start + size;
  }

  /** Offers large data to the lender; answers the block, or 0. */
  #offer(bytes: Uint8Array): number {
    if (this.#lend === undefined) return 0;
    const size = bytes.length;
    if (this.#lent + size > this.#bytes) throw this.#tooLarge();
    const block = this.#lend(bytes);
    // What is written in its place takes as much as the head of a binary value, or a little more.
    if (block > 0) this.#lent += size - LENT_HEAD;
    return block;
  }

  #array(value: readonly unknown[], at: number, depth: number): number {
    if (depth >= this.#depth) throw new Refusal();
    const length = value.length;
    // Every item takes a byte at least: what cannot fit is refused before the work.
    if (length > LONG_TEXT) this.#ensure(at, length);
    let to = this.#header(0x90, 0x10, ARRAY, length, at);
    for (let index = 0; index < length; index++) to = this.#value(value[index], to, depth + 1);
    return to;
  }

  #object(value: object, at: number, depth: number): number {
    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === Object.prototype || prototype === null;
    if (!plain || (value as AsyncIterable<unknown>)[Symbol.asyncIterator] !== undefined) {
      return this.#other(value, at, depth);
    }
    return this.#polluted ? this.#instance(value, at, depth) : this.#plain(value, at, depth);
  }

  /** An object literal: its enumerable properties are its own, so `for in` will do. */
  #plain(value: object, at: number, depth: number): number {
    if (depth >= this.#depth) throw new Refusal();
    const root = this.#keys.root(depth);
    const guess = root.header;
    let to = at + guess;
    let count = 0;
    let key: KeyRoot | Key | undefined = root;
    for (const name in value) {
      if (to > this.#end) this.#ensure(to, 0);
      const next: Key | undefined = key?.next;
      if (next !== undefined && next.name === name) {
        to = next.size === 0 ? this.#text(name, to) : next.write(this.#view, to);
        key = next;
      } else {
        const start = to;
        to = this.#text(name, to);
        if (key !== undefined) {
          key.next = this.#keys.meet(name, to - start, this.#view, start);
          key = key.next;
        }
      }
      to = this.#value((value as Record<string, unknown>)[name], to, depth + 1);
      count++;
    }
    const header = containerHeaderSize(count);
    if (header !== guess) {
      this.#ensure(to, 0);
      this.buffer.copyWithin(at + header, at + guess, to);
      root.header = header;
    }
    this.#header(0x80, 0x10, MAP, count, at);
    return to + header - guess;
  }

  /** Any object by its own enumerable properties. */
  #instance(value: object, at: number, depth: number): number {
    if (depth >= this.#depth) throw new Refusal();
    const names = Object.keys(value);
    let to = this.#header(0x80, 0x10, MAP, names.length, at);
    for (const name of names) {
      this.#ensure(to, 0);
      to = this.#text(name, to);
      to = this.#value((value as Record<string, unknown>)[name], to, depth + 1);
    }
    return to;
  }

  /** What is neither an array nor a plain object. */
  #other(value: object, at: number, depth: number): number {
    const kind = classify(value);
    if (this.#extension !== undefined && isOpen(kind)) {
      const extended = this.#extension(value);
      if (extended !== undefined) return this.#extended(extended, at);
    }
    switch (kind) {
      case 'array':
        return this.#array(value as unknown[], at, depth);
      case 'plain':
      case 'instance':
        return this.#instance(value, at, depth);
      case 'bytes':
        return this.#bin(asBytes(value as ArrayBufferView), at);
      case 'buffer':
        return this.#bin(new Uint8Array(value as ArrayBufferLike), at);
      case 'typed':
        return this.#ndarray(new NdArray(value as TypedArray), at);
      case 'ndarray':
        return this.#ndarray(value as NdArray, at);
      case 'date':
        return this.#date(value as Date, at);
      case 'map':
        return this.#map(value as Map<unknown, unknown>, at, depth);
      case 'set':
        return this.#set(value as Set<unknown>, at, depth);
      case 'error': {
        return this.#plain(errorContent(value as Error), at, depth);
      }
      case 'boxed':
        return this.#value(unbox(value), at, depth);
      case 'json': {
        if (depth >= this.#depth) throw new Refusal();
        const { value: replaced, asInstance } = replacement(value);
        return asInstance
          ? this.#instance(replaced as object, at, depth)
          : this.#value(replaced, at, depth + 1);
      }
      case 'refused':
        throw new Refusal();
    }
  }

  #map(value: Map<unknown, unknown>, at: number, depth: number): number {
    if (depth >= this.#depth) throw new Refusal();
    const size = value.size;
    let count = 0;
    let to = this.#header(0x80, 0x10, MAP, size, at);
    for (const [key, item] of Map.prototype.entries.call(value) as MapIterator<
      [unknown, unknown]
    >) {
      to = this.#value(key, to, depth + 1);
      to = this.#value(item, to, depth + 1);
      count++;
    }
    if (count !== size) throw new Refusal();
    return to;
  }

  #set(value: Set<unknown>, at: number, depth: number): number {
    if (depth >= this.#depth) throw new Refusal();
    const size = value.size;
    let count = 0;
    // The payload's length is known only at the end: the elements wait behind the longest header.
    const start = at + EXTENSION_HEADER;
    let to = this.#header(0x90, 0x10, ARRAY, size, start);
    for (const item of Set.prototype.values.call(value) as SetIterator<unknown>) {
      to = this.#value(item, to, depth + 1);
      count++;
    }
    if (count !== size) throw new Refusal();
    const begin = writeExtensionHeader(this.buffer, at, EXTENSION_SET, to - start);
    this.buffer.copyWithin(begin, start, to);
    return begin + to - start;
  }

  #date(value: Date, at: number): number {
    const milliseconds = Date.prototype.getTime.call(value);
    if (Number.isNaN(milliseconds)) throw new Refusal();
    const size = timestampSize(milliseconds);
    const start = writeExtensionHeader(this.buffer, at, EXTENSION_TIMESTAMP, size);
    writeTimestamp(this.#view, start, milliseconds);
    return start + size;
  }

  #ndarray(value: NdArray, at: number): number {
    if (!isFilled(value)) throw new Refusal();
    const { data, shape, order, dtype } = value;
    const size = data.byteLength;
    const block = size >= LENT_BYTES && this.#lendsArrays ? this.#offer(asBytes(data)) : 0;
    this.#ensure(at, (block > 0 ? 0 : size) + MARGIN + shape.length * 9);
    // What precedes the data is written behind the longest header, measured, and moved to its place.
    const start = at + EXTENSION_HEADER;
    const parts = block > 0 ? 5 : 4;
    let to = this.#text(dtype, this.#header(0x90, 0x10, ARRAY, parts, start));
    to = this.#header(0x90, 0x10, ARRAY, shape.length, to);
    for (const extent of shape) to = this.#number(extent, to);
    to = this.#text(order, to);
    if (block > 0) {
      to = this.#number(size, this.#number(block, to));
      const type = EXTENSION_SHARED_NDARRAY;
      const begin = writeExtensionHeader(this.buffer, at, type, to - start);
      this.buffer.copyWithin(begin, start, to);
      return begin + to - start;
    }
    to = this.#header(0, 0, BIN, size, to);
    const begin = writeExtensionHeader(this.buffer, at, EXTENSION_NDARRAY, to - start + size);
    this.buffer.copyWithin(begin, start, to);
    to += begin - start;
    this.buffer.set(asBytes(data), to);
    return to + size;
  }

  #extended(value: ExtensionValue, at: number): number {
    const { type, data } = value;
    if (!Number.isInteger(type) || type < -0x80 || type > 0x7f) {
      throw new RangeError(`extension type must be a whole number from -128 to 127, got ${type}`);
    }
    this.#ensure(at, data.length + EXTENSION_HEADER);
    const start = writeExtensionHeader(this.buffer, at, type, data.length);
    this.buffer.set(data, start);
    return start + data.length;
  }

  /**
   * The header of a string, bin, array or map: `fixed` with the size below `fixedLimit`, else `wide`
   * and the types that follow it. Arrays and maps have no form with one byte.
   */
  #header(fixed: number, fixedLimit: number, wide: number, size: number, at: number): number {
    const buffer = this.buffer;
    if (size < fixedLimit) {
      buffer[at] = fixed | size;
      return at + 1;
    }
    if (size < 0x100 && wide < ARRAY) {
      buffer[at] = wide;
      buffer[at + 1] = size;
      return at + 2;
    }
    if (size < 0x10000) {
      buffer[at] = wide + 1;
      buffer[at + 1] = size >> 8;
      buffer[at + 2] = size;
      return at + 3;
    }
    buffer[at] = wide + 2;
    this.#view.setUint32(at + 1, size);
    return at + 5;
  }

  /** Makes room for `size` bytes and the margin at `at`, copying what lies before. */
  #ensure(at: number, size: number): void {
    const need = at + size + MARGIN;
    if (need <= this.buffer.length) return;
    if (need > this.#ceiling) throw this.#tooLarge();
    const doubled = Math.min(this.buffer.length * 2, this.#ceiling);
    const grown = Buffer.allocUnsafeSlow(Math.max(need, doubled));
    this.buffer.copy(grown, 0, 0, at);
    this.#replace(grown);
  }

  #replace(buffer: Buffer): void {
    this.buffer = buffer;
    this.#view = new DataView(buffer.buffer);
    this.#end = buffer.length - MARGIN;
  }

  #tooLarge(): EncodeFailure {
    const message = `the value takes more than ${this.#bytes} bytes, which is what option "limits.frame" allows`;
    return new EncodeFailure(message, '$', 'FRAME_TOO_LARGE');
  }
}

function textHeaderSize(size: number): number {
  if (size < 0x20) return 1;
  return size < 0x100 ? 2 : size < 0x10000 ? 3 : 5;
}

function containerHeaderSize(count: number): 1 | 3 | 5 {
  return count < 0x10 ? 1 : count < 0x10000 ? 3 : 5;
}

function hasEnumerable(value: object): boolean {
  for (const _ in value) return true;
  return false;
}

function asBytes(value: ArrayBufferView): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
