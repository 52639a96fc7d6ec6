/** The numbers that encoder and decoder share. */

/** Containers inside each other: a value in 512 arrays crosses, one in 513 does not. */
export const DEFAULT_DEPTH = 512;

/**
 * The deepest limit. The usual stack of Node carries 1024 levels of anything, 2048 of arrays and plain
 * objects; where it ends earlier, the value is refused like one beyond the limit.
 */
export const MAXIMUM_DEPTH = 2048;

/** Bytes of one value: 256 MiB, as `limits.frame`. */
export const DEFAULT_BYTES = 256 * 1024 * 1024;

/**
 * The depth limit, checked.
 *
 * @throws RangeError unless it is a whole number from 1 to 2048
 */
export function checkedDepth(depth: number): number {
  if (!Number.isInteger(depth) || depth < 1 || depth > MAXIMUM_DEPTH) {
    throw new RangeError(`depth must be a whole number from 1 to ${MAXIMUM_DEPTH}, got ${depth}`);
  }
  return depth;
}

/** Decimal digits of the longest integer: what Python converts unless told otherwise. */
export const MAXIMUM_DIGITS = 4300;

/** The decimal digits of an integer, with its sign; `undefined` if there are more than 4300. */
export function decimalDigits(value: bigint): string | undefined {
  // Hexadecimal is quick to count; the decimal digits of a giant are not.
  if (value.toString(16).length > MAXIMUM_DIGITS) return undefined;
  const digits = value.toString();
  return digits.length - (value < 0n ? 1 : 0) > MAXIMUM_DIGITS ? undefined : digits;
}
