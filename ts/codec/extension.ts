/** The extension types of the wire, and how callers add their own. */

/** MessagePack's own timestamp: `Date`. */
export const EXTENSION_TIMESTAMP = -1;
/** One array: `Set`. */
export const EXTENSION_SET = 1;
/** Decimal digits: `bigint` beyond 64 bits. */
export const EXTENSION_BIGINT = 2;
/** `[dtype, shape, order, bytes]`: typed arrays and `NdArray`. */
export const EXTENSION_NDARRAY = 3;
/** `[block, length]` as two integers of 32 bits: bytes in shared memory. */
export const EXTENSION_SHARED = 8;
/** `[dtype, shape, order, block, length]`: a typed array or `NdArray` whose bytes are there. */
export const EXTENSION_SHARED_NDARRAY = 9;

/**
 * Puts bytes where the other side finds them; answers the block, 0 if they have to go inline.
 */
export type BytesLender = (bytes: Uint8Array) => number;

/** Finds the bytes that the other side has put there; `undefined` if nobody wants them. */
export type BytesBorrower = (block: number, length: number) => Buffer | undefined;

/** What an extension hook makes of a value: the type's number (−128 … 127) and the payload. */
export interface ExtensionValue {
  readonly type: number;
  readonly data: Uint8Array;
}

/**
 * Asked for functions, and for every object that has no fixed place in the table of values: class
 * instances, promises, async iterables and the like. `undefined` leaves the value to the usual rules.
 */
export type ExtensionEncoder = (value: object) => ExtensionValue | undefined;

/**
 * Asked for extension types that the table of values does not name. `data` is a view that is valid
 * during the call only; `undefined` refuses the type.
 */
export type ExtensionDecoder = (type: number, data: Buffer) => unknown;

/** Bytes of the header of an extension with `size` bytes of payload, in its shortest form. */
export function extensionHeaderSize(size: number): number {
  switch (size) {
    case 1:
    case 2:
    case 4:
    case 8:
    case 16:
      return 2;
    default:
      return size < 0x100 ? 3 : size < 0x10000 ? 4 : 6;
  }
}

/** Writes that header at `position`; answers the position after it. */
export function writeExtensionHeader(
  buffer: Buffer,
  position: number,
  type: number,
  size: number,
): number {
  let at = position;
  switch (extensionHeaderSize(size)) {
    case 2:
      buffer[at++] = 0xd4 + Math.log2(size);
      break;
    case 3:
      buffer[at++] = 0xc7;
      buffer[at++] = size;
      break;
    case 4:
      buffer[at++] = 0xc8;
      at = buffer.writeUInt16BE(size, at);
      break;
    default:
      buffer[at++] = 0xc9;
      at = buffer.writeUInt32BE(size, at);
  }
  buffer[at++] = type;
  return at;
}
