/** MessagePack's timestamp extension in its three lengths. */

import { DecodeFailure } from './failures.js';

const TWO_32 = 0x1_0000_0000;
const SECONDS_64_BIT = 2 ** 34;
const NANOSECONDS_PER_SECOND = 1_000_000_000;
/** Milliseconds from 1970 to the last moment that `Date` can hold. */
const LAST_DATE = 8.64e15;

/** Bytes of the payload for a moment, in its shortest form: 4, 8 or 12. */
export function timestampSize(milliseconds: number): 4 | 8 | 12 {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 0 || seconds >= SECONDS_64_BIT) return 12;
  return seconds < TWO_32 && milliseconds === seconds * 1000 ? 4 : 8;
}

/** Writes the payload of a moment, given in whole milliseconds since 1970. */
export function writeTimestamp(view: DataView, position: number, milliseconds: number): void {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = (milliseconds - seconds * 1000) * 1_000_000;
  switch (timestampSize(milliseconds)) {
    case 4:
      view.setUint32(position, seconds);
      return;
    case 8:
      // 30 bits of nanoseconds, then 34 of seconds.
      view.setUint32(position, nanoseconds * 4 + Math.floor(seconds / TWO_32));
      view.setUint32(position + 4, seconds >>> 0);
      return;
    case 12:
      view.setUint32(position, nanoseconds);
      view.setInt32(position + 4, Math.floor(seconds / TWO_32));
      view.setUint32(position + 8, seconds >>> 0);
  }
}

/** Reads a timestamp; what is finer than a millisecond is cut off towards the past. */
export function readTimestamp(buffer: Buffer, position: number, size: number): Date {
  let seconds: number;
  let nanoseconds = 0;
  if (size === 4) {
    seconds = buffer.readUInt32BE(position);
  } else if (size === 8) {
    const high = buffer.readUInt32BE(position);
    nanoseconds = high >>> 2;
    seconds = (high & 3) * TWO_32 + buffer.readUInt32BE(position + 4);
  } else if (size === 12) {
    nanoseconds = buffer.readUInt32BE(position);
    seconds = buffer.readInt32BE(position + 4) * TWO_32 + buffer.readUInt32BE(position + 8);
  } else {
    throw new DecodeFailure(`timestamp of ${size} bytes`, position);
  }
  if (nanoseconds >= NANOSECONDS_PER_SECOND) {
    throw new DecodeFailure(`timestamp with ${nanoseconds} nanoseconds`, position);
  }
  const milliseconds = seconds * 1000 + Math.floor(nanoseconds / 1_000_000);
  if (Math.abs(milliseconds) > LAST_DATE) {
    throw new DecodeFailure(`timestamp of ${seconds} s is beyond the range of Date`, position);
  }
  return new Date(milliseconds);
}
