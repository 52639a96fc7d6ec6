/** Decodes values from incoming bytes. The table of values is in docs/protocol.md. */

import {
  type BytesBorrower,
  EXTENSION_BIGINT,
  EXTENSION_NDARRAY,
  EXTENSION_SET,
  EXTENSION_SHARED,
  EXTENSION_SHARED_NDARRAY,
  EXTENSION_TIMESTAMP,
  type ExtensionDecoder,
} from './extension.js';
import { DecodeFailure } from './failures.js';
import { checkedDepth, DEFAULT_DEPTH, MAXIMUM_DIGITS } from './limits.js';
import { isSpecial, KEPT_NAME, NameTable } from './names.js';
import {
  type Dtype,
  elementCount,
  isDtype,
  LAYOUTS,
  MAXIMUM_DIMENSIONS,
  type MemoryOrder,
  NdArray,
  type TypedArray,
} from './ndarray.js';
import { readText } from './text.js';
import { readTimestamp } from './timestamp.js';

/** Items of an array for which memory is taken before they are read; longer ones grow. */
const PREPARED_ITEMS = 1024;
/** Bytes from which a view of borrowed memory is worth its upkeep. */
const BORROWED_BYTES = 4096;
/** Names of the largest map that is taken for a record. */
const RECORD_NAMES = 128;
/** Bytes up to which a loop copies faster than a call. */
const LOOPED_BYTES = 32;
const TWO_32 = 0x1_0000_0000;
const NOTHING: Buffer = Buffer.alloc(0);
const NO_VIEW: DataView = new DataView(NOTHING.buffer);

/** Options of {@link Decoder}. */
export interface DecoderOptions {
  /** Containers inside each other; default 512, at most 2048. */
  readonly depth?: number;
  /** Decodes extension types that the table of values does not name. */
  readonly extension?: ExtensionDecoder;
  /** Finds large binary data that the other side has lent. Default none: there is none. */
  readonly borrow?: BytesBorrower;
}

/**
 * Decodes one value at a time. What it returns shares no memory with the input, unless the caller
 * lends it. Only bytes that are there cost memory: a size that the bytes cannot hold is refused.
 */
export class Decoder {
  #bytes = NOTHING;
  #view = NO_VIEW;
  /** What `#view` is a view of; made anew only when a value needs it. */
  #viewed = NOTHING;
  #offset = 0;
  #end = 0;
  #borrow = false;
  readonly #depth: number;
  readonly #extension: ExtensionDecoder | undefined;
  readonly #lent: BytesBorrower | undefined;
  readonly #table = new NameTable();

  /** @throws RangeError if the depth is no whole number from 1 to 2048 */
  constructor(options: DecoderOptions = {}) {
    this.#depth = checkedDepth(options.depth ?? DEFAULT_DEPTH);
    this.#extension = options.extension;
    this.#lent = options.borrow;
  }

  /** The position after the value that was decoded last, in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Decodes the one value that fills the bytes from `start` to `end`.
   *
   * @param borrow whether `bytes` is memory that nobody will write to again: binary data of 4 KiB and
   * more is then a view of it instead of a copy
   * @throws DecodeFailure with the offset, if they are not exactly one valid value
   */
  decode(bytes: Buffer, start = 0, end: number = bytes.length, borrow = false): unknown {
    const value = this.decodeFrom(bytes, start, end, borrow);
    if (this.#offset !== end) {
      throw new DecodeFailure(`${end - this.#offset} bytes after the value`, this.#offset);
    }
    return value;
  }

  /** Decodes the value that begins at `start`; {@link offset} is then the position after it. */
  decodeFrom(bytes: Buffer, start = 0, end: number = bytes.length, borrow = false): unknown {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`${start} to ${end} is no part of ${bytes.length} bytes`);
    }
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
    this.#borrow = borrow;
    try {
      return this.#value(0);
    } catch (cause) {
      if (cause instanceof DecodeFailure) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new DecodeFailure(`cannot decode: ${reason}`, this.#offset, { cause });
    } finally {
      // Large memory must not live on because a decoder remembers it.
      this.#bytes = NOTHING;
      if (this.#viewed.length > PREPARED_ITEMS * 1024) {
        this.#viewed = NOTHING;
        this.#view = NO_VIEW;
      }
    }
  }

  #value(depth: number): unknown {
    const at = this.#offset;
    if (at >= this.#end) throw this.#truncated(at);
    const bytes = this.#bytes;
    const type = bytes[at] as number;
    this.#offset = at + 1;
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#array(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return type - 0x100;
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#bin(this.#unsigned(1));
      case 0xc5:
        return this.#bin(this.#unsigned(2));
      case 0xc6:
        return this.#bin(this.#unsigned(4));
      case 0xc7:
        return this.#extended(this.#unsigned(1), depth);
      case 0xc8:
        return this.#extended(this.#unsigned(2), depth);
      case 0xc9:
        return this.#extended(this.#unsigned(4), depth);
      // The frequent ones check for themselves that their bytes are there: a call costs as much.
      case 0xca:
        this.#skip(4);
        return this.#floats(bytes).getFloat32(at + 1);
      case 0xcb:
        if (this.#end - at < 9) throw this.#truncated(at);
        this.#offset = at + 9;
        return this.#floats(bytes).getFloat64(at + 1);
      case 0xcc:
        if (this.#end - at < 2) throw this.#truncated(at);
        this.#offset = at + 2;
        return bytes[at + 1];
      case 0xcd:
        if (this.#end - at < 3) throw this.#truncated(at);
        this.#offset = at + 3;
        return ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
      case 0xce:
        return this.#unsigned(4);
      case 0xcf:
        return this.#unsigned64();
      case 0xd0:
        return (this.#unsigned(1) << 24) >> 24;
      case 0xd1:
        return (this.#unsigned(2) << 16) >> 16;
      case 0xd2:
        return this.#unsigned(4) | 0;
      case 0xd3:
        return this.#signed64();
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extended(1 << (type - 0xd4), depth);
      case 0xd9:
        return this.#text(this.#unsigned(1));
      case 0xda:
        return this.#text(this.#unsigned(2));
      case 0xdb:
        return this.#text(this.#unsigned(4));
      case 0xdc:
        return this.#array(this.#unsigned(2), depth);
      case 0xdd:
        return this.#array(this.#unsigned(4), depth);
      case 0xde:
        return this.#map(this.#unsigned(2), depth);
      case 0xdf:
        return this.#map(this.#unsigned(4), depth);
      default:
        throw new DecodeFailure('byte 0xc1 is no MessagePack', at);
    }
  }

  /** Moves past `size` bytes, which must be there; answers where they begin. */
  #skip(size: number): number {
    const at = this.#offset;
    if (size > this.#end - at) throw this.#truncated(at);
    this.#offset = at + size;
    return at;
  }

  #unsigned(size: 1 | 2 | 4): number {
    const at = this.#skip(size);
    const bytes = this.#bytes;
    let value = bytes[at] as number;
    if (size === 1) return value;
    value = (value << 8) | (bytes[at + 1] as number);
    if (size === 2) return value;
    return ((value << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
  }

  #unsigned64(): number | bigint {
    const high = this.#unsigned(4);
    const low = this.#unsigned(4);
    const value = high * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
  }

  #signed64(): number | bigint {
    const high = this.#unsigned(4) | 0;
    const low = this.#unsigned(4);
    const value = high * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
  }

  /** A view for floats, made when a buffer has the first of them. */
  #floats(bytes: Buffer): DataView {
    if (this.#viewed !== bytes) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#viewed = bytes;
    }
    return this.#view;
  }

  #text(size: number): string {
    const at = this.#skip(size);
    const text = readText(this.#bytes, at, size);
    if (text === undefined) throw new DecodeFailure('string that is no UTF-8', at);
    return text;
  }

  #bin(size: number): Buffer {
    const at = this.#skip(size);
    if (this.#borrow && size >= BORROWED_BYTES) return this.#bytes.subarray(at, at + size);
    const copy = Buffer.allocUnsafe(size);
    if (size > LOOPED_BYTES) {
      this.#bytes.copy(copy, 0, at, at + size);
    } else {
      for (let index = 0; index < size; index++) copy[index] = this.#bytes[at + index] as number;
    }
    return copy;
  }

  #array(length: number, depth: number): unknown[] {
    this.#enter(length, depth);
    if (length > PREPARED_ITEMS) {
      const items: unknown[] = [];
      for (let index = 0; index < length; index++) items.push(this.#value(depth + 1));
      return items;
    }
    const items = new Array<unknown>(length);
    for (let index = 0; index < length; index++) items[index] = this.#value(depth + 1);
    return items;
  }

  #map(count: number, depth: number): object {
    this.#enter(count * 2, depth);
    const table = this.#table;
    const object: Record<string, unknown> = {};
    let previous = table.root(depth, count);
    // A dictionary's names do not come again, and would only push the others out of the table.
    const kept = count <= RECORD_NAMES ? KEPT_NAME : 0;
    for (let index = 0; index < count; index++) {
      const at = this.#offset;
      const size = (at < this.#end ? (this.#bytes[at] as number) : 0) - 0xa0;
      if (size > 0 && size <= kept) {
        this.#offset = at + 1;
        const start = this.#skip(size);
        const place = table.place(previous, this.#bytes, start, size);
        if (place < 0) throw new DecodeFailure('string that is no UTF-8', start);
        const name = table.names[place] as string;
        if (table.special[place] === 0) object[name] = this.#value(depth + 1);
        else define(object, name, this.#value(depth + 1));
        previous = place;
      } else {
        const key = this.#value(depth + 1);
        if (typeof key !== 'string') return this.#mapping(object, key, count - index, depth);
        if (isSpecial(key)) define(object, key, this.#value(depth + 1));
        else object[key] = this.#value(depth + 1);
      }
    }
    return object;
  }

  /** The rest of a map that turned out to have a key that is no string. */
  #mapping(head: object, firstKey: unknown, count: number, depth: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(head));
    map.set(firstKey, this.#value(depth + 1));
    for (let index = 1; index < count; index++) {
      const key = this.#value(depth + 1);
      map.set(key, this.#value(depth + 1));
    }
    return map;
  }

  /** Before a container of so many values: each takes a byte at least, so memory is taken for none
   * that cannot be there. */
  #enter(values: number, depth: number): void {
    if (depth >= this.#depth) {
      throw new DecodeFailure(`nesting deeper than ${this.#depth} levels`, this.#offset - 1);
    }
    if (values > this.#end - this.#offset) throw this.#truncated(this.#offset);
  }

  #extended(size: number, depth: number): unknown {
    const typeAt = this.#skip(1);
    const type = ((this.#bytes[typeAt] as number) << 24) >> 24;
    const at = this.#skip(size);
    const end = at + size;
    switch (type) {
      case EXTENSION_TIMESTAMP:
        return readTimestamp(this.#bytes, at, size);
      case EXTENSION_BIGINT:
        return this.#bigint(at, size);
      case EXTENSION_SET:
        return this.#within(at, end, () => this.#set(depth));
      case EXTENSION_NDARRAY:
        return this.#within(at, end, () => this.#ndarray());
      case EXTENSION_SHARED:
        if (this.#lent === undefined || size !== 8) return this.#foreign(type, typeAt, at, end);
        return this.#within(at, end, () => this.#borrowed(this.#unsigned(4), this.#unsigned(4)));
      case EXTENSION_SHARED_NDARRAY:
        if (this.#lent === undefined) return this.#foreign(type, typeAt, at, end);
        return this.#within(at, end, () => this.#ndarray(true));
      default:
        return this.#foreign(type, typeAt, at, end);
    }
  }

  /** Reads the payload of an extension: it cannot reach beyond its end, and must come up to it. */
  #within<Value>(start: number, end: number, read: () => Value): Value {
    const outer = this.#end;
    this.#offset = start;
    this.#end = end;
    const value = read();
    if (this.#offset !== end) {
      throw new DecodeFailure(`${end - this.#offset} bytes too many in an extension`, this.#offset);
    }
    this.#end = outer;
    return value;
  }

  #bigint(at: number, size: number): bigint {
    const digits = this.#bytes.toString('latin1', at, at + Math.min(size, MAXIMUM_DIGITS + 2));
    if (!/^-?[0-9]+$/.test(digits)) throw new DecodeFailure('integer that is no digits', at);
    if (digits.length - (digits.startsWith('-') ? 1 : 0) > MAXIMUM_DIGITS) {
      throw new DecodeFailure(`integer of more than ${MAXIMUM_DIGITS} digits`, at);
    }
    return BigInt(digits);
  }

  #set(depth: number): Set<unknown> {
    const set = new Set<unknown>();
    const length = this.#arrayLength();
    this.#enter(length, depth);
    for (let index = 0; index < length; index++) set.add(this.#value(depth + 1));
    return set;
  }

  /** Bytes that the other side has lent; nothing of what it says of them is believed here. */
  #borrowed(block: number, length: number): Buffer | undefined {
    return this.#lent?.(block, length);
  }

  #ndarray(lent = false): unknown {
    const start = this.#offset;
    if (this.#arrayLength() !== (lent ? 5 : 4)) {
      throw new DecodeFailure(`ndarray that is no ${lent ? 'five' : 'four'} values`, start);
    }
    const dtype = this.#scalar();
    if (!isDtype(dtype)) {
      throw new DecodeFailure(`ndarray of unknown dtype ${JSON.stringify(dtype)}`, start);
    }
    const shape = this.#shape();
    const order = this.#scalar();
    if (order !== 'C' && order !== 'F') {
      throw new DecodeFailure(`ndarray of unknown order ${JSON.stringify(order)}`, start);
    }
    const block = lent ? this.#lentNumber() : 0;
    const size = lent ? this.#lentNumber() : this.#binLength();
    const at = lent ? start : this.#skip(size);
    if (elementCount(shape) * LAYOUTS[dtype].size !== size) {
      const text = `ndarray of shape [${shape.join(', ')}] and dtype ${dtype} in ${size} bytes`;
      throw new DecodeFailure(text, at);
    }
    if (!lent) return this.#typed(dtype, shape, order, at, size);
    const bytes = this.#borrowed(block, size);
    return bytes && shaped(dtype, shape, order, bytes.buffer, bytes.byteOffset, size);
  }

  /** A block of lent memory, or the bytes of what is there. */
  #lentNumber(): number {
    const at = this.#offset;
    const number = this.#scalar();
    if (!Number.isSafeInteger(number) || (number as number) < 0 || (number as number) >= TWO_32) {
      throw new DecodeFailure('ndarray without bytes', at);
    }
    return number as number;
  }

  #typed(dtype: Dtype, shape: readonly number[], order: MemoryOrder, at: number, size: number) {
    const layout = LAYOUTS[dtype];
    const bytes = this.#bytes;
    const position = bytes.byteOffset + at;
    if (this.#borrow && size >= BORROWED_BYTES && position % (layout.size / layout.items) === 0) {
      return shaped(dtype, shape, order, bytes.buffer, position, size);
    }
    const copy = new Uint8Array(size);
    bytes.copy(copy, 0, at, at + size);
    return shaped(dtype, shape, order, copy.buffer, 0, size);
  }

  /** The extents of an array; there are at most as many as numpy allows. */
  #shape(): number[] {
    const start = this.#offset;
    const length = this.#arrayLength();
    if (length > MAXIMUM_DIMENSIONS) {
      throw new DecodeFailure(`ndarray of ${length} dimensions`, start);
    }
    const shape: number[] = [];
    for (let index = 0; index < length; index++) {
      const extent = this.#scalar();
      if (!Number.isSafeInteger(extent) || (extent as number) < 0) {
        throw new DecodeFailure('ndarray with an extent that is no whole number', start);
      }
      shape.push(extent as number);
    }
    return shape;
  }

  /** A value that is no container and no extension. */
  #scalar(): unknown {
    const at = this.#offset;
    const type = at < this.#end ? (this.#bytes[at] as number) : 0;
    const container = (type >= 0x80 && type < 0xa0) || (type >= 0xdc && type < 0xe0);
    const extension = (type >= 0xc7 && type < 0xca) || (type >= 0xd4 && type < 0xd9);
    if (container || extension) throw new DecodeFailure('ndarray with a nested value', at);
    return this.#value(0);
  }

  #arrayLength(): number {
    const at = this.#offset;
    const type = this.#unsigned(1);
    if (type >= 0x90 && type < 0xa0) return type & 0x0f;
    if (type === 0xdc) return this.#unsigned(2);
    if (type === 0xdd) return this.#unsigned(4);
    throw new DecodeFailure('extension that should hold an array', at);
  }

  #binLength(): number {
    const at = this.#offset;
    const type = this.#unsigned(1);
    if (type === 0xc4) return this.#unsigned(1);
    if (type === 0xc5) return this.#unsigned(2);
    if (type === 0xc6) return this.#unsigned(4);
    throw new DecodeFailure('ndarray without bytes', at);
  }

  /** An extension that only the caller may know. */
  #foreign(type: number, typeAt: number, at: number, end: number): unknown {
    // The hook may use this decoder for what the payload holds.
    const [bytes, limit, borrow] = [this.#bytes, this.#end, this.#borrow];
    const value = this.#extension?.(type, bytes.subarray(at, end));
    this.#bytes = bytes;
    this.#end = limit;
    this.#borrow = borrow;
    this.#offset = end;
    if (value === undefined) throw new DecodeFailure(`unknown extension type ${type}`, typeAt);
    return value;
  }

  #truncated(at: number): DecodeFailure {
    return new DecodeFailure('the bytes end within a value', at);
  }
}

/** The array over `size` bytes of memory that begin at an aligned position. */
function shaped(
  dtype: Dtype,
  shape: readonly number[],
  order: MemoryOrder,
  buffer: ArrayBufferLike,
  position: number,
  size: number,
): TypedArray | NdArray {
  const layout = LAYOUTS[dtype];
  const data = layout.view(buffer, position, (size / layout.size) * layout.items);
  return shape.length === 1 && layout.native ? data : new NdArray(data, shape, { order, dtype });
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
