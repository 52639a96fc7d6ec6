/** Strings as Node's own code reads and writes them, where its public types stop short. */

import { isUtf8 } from 'node:buffer';

/** What `Buffer` has besides its documented methods: the same work without the checks before it. */
export interface NativeBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
}

/** `String` as every supported Node has it; TypeScript lists the method with a later edition. */
interface UnicodeString {
  isWellFormed(): boolean;
}

/** Whether a string has no lone surrogate, that is, whether UTF-8 can hold it. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as UnicodeString).isWellFormed();
}

/**
 * Writes a short string as UTF-8; answers the position after it, −1 if it has a lone surrogate. There
 * must be room for 3 bytes a unit.
 */
export function writeUtf8(buffer: Buffer, start: number, text: string): number {
  let at = start;
  for (let index = 0; index < text.length; index++) {
    let code = text.charCodeAt(index);
    if (code < 0x80) {
      buffer[at++] = code;
      continue;
    }
    if (code < 0x800) {
      buffer[at++] = 0xc0 | (code >> 6);
    } else {
      if (code < 0xd800 || code > 0xdfff) {
        buffer[at++] = 0xe0 | (code >> 12);
      } else {
        // `NaN`, after the end, is in no range.
        const low = text.charCodeAt(++index);
        if (code > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return -1;
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        buffer[at++] = 0xf0 | (code >> 18);
        buffer[at++] = 0x80 | ((code >> 12) & 0x3f);
      }
      buffer[at++] = 0x80 | ((code >> 6) & 0x3f);
    }
    buffer[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}

/** Bytes of the longest string that is read by a loop in JavaScript. */
const SHORT = 16;
/** Bytes of the longest string for which a loop finds out whether it is ASCII. */
const SCANNED = 64;
/** What UTF-8 decoders put in the place of bytes that are none. */
const REPLACEMENT = '\ufffd';

/** The string in `size` bytes from `start`; `undefined` if they are no UTF-8. */
export function readText(bytes: Buffer, start: number, size: number): string | undefined {
  const end = start + size;
  if (size <= SCANNED) {
    let bits = 0;
    for (let at = start; at < end; at++) bits |= bytes[at] as number;
    if (bits < 0x80) {
      if (size <= SHORT) return shortAscii(bytes, start, size);
      return (bytes as NativeBuffer).latin1Slice(start, end);
    }
  }
  const text = (bytes as NativeBuffer).utf8Slice(start, end);
  // Only where the character appears it can stand for bytes that are wrong.
  const suspect = text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end));
  return suspect ? undefined : text;
}

/** As all bytes are there, none is `undefined`; TypeScript cannot know. */
const from = String.fromCharCode as (...units: (number | undefined)[]) => string;

/** An ASCII string of up to 16 bytes, faster than a call into native code. */
function shortAscii(b: Buffer, p: number, size: number): string {
  // biome-ignore format: one line a length is the only way to see that none is wrong
  switch (size) {
    case 0: return '';
    case 1: return from(b[p]);
    case 2: return from(b[p], b[p + 1]);
    case 3: return from(b[p], b[p + 1], b[p + 2]);
    case 4: return from(b[p], b[p + 1], b[p + 2], b[p + 3]);
    case 5: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4]);
    case 6: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5]);
    case 7: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6]);
    case 8: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7]);
    case 9: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8]);
    case 10: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9]);
    case 11: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10]);
    case 12: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10], b[p + 11]);
    case 13: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10], b[p + 11], b[p + 12]);
    case 14: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10], b[p + 11], b[p + 12], b[p + 13]);
    case 15: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10], b[p + 11], b[p + 12], b[p + 13], b[p + 14]);
    default: return from(b[p], b[p + 1], b[p + 2], b[p + 3], b[p + 4], b[p + 5], b[p + 6], b[p + 7], b[p + 8], b[p + 9], b[p + 10], b[p + 11], b[p + 12], b[p + 13], b[p + 14], b[p + 15]);
  }
}
