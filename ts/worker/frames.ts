/** The kinds and limits of frames, as a worker sees them. See docs/protocol.md. */

export const HELLO = 0x01;
export const REQUEST = 0x02;
export const RESPONSE = 0x03;
export const ERROR = 0x04;
export const ITEM = 0x05;
export const END = 0x06;
export const CREDIT = 0x07;
export const CANCEL = 0x08;
export const CALLBACK = 0x09;
export const LOG = 0x0a;
export const HEARTBEAT = 0x0b;
export const SESSION = 0x0c;
export const SHUTDOWN = 0x0d;
export const FAULT = 0x0e;
export const PROGRESS = 0x10;
export const RELEASE = 0x11;

/** The version of the protocol. */
export const VERSION = 1;

/** Set in the ids of callbacks and functions, clear in those of calls. */
export const CALLBACK_ID = 0x8000_0000;

/** Bytes before the payload. */
export const HEADER = 12;
/** Bytes that the length field counts besides the payload. */
const COUNTED = 8;

/** Exit code after bytes that are no frame (EX_SOFTWARE of sysexits.h). */
export const BAD_FRAME = 70;

/** A frame that is whole: its header, and where its payload lies. */
export type FrameHandler = (
  kind: number,
  flags: number,
  handler: number,
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** Where reading stopped: bytes that are done with, and bytes that the next frame takes from there. */
export interface Cut {
  consumed: number;
  need: number;
}

/**
 * Hands every whole frame in `bytes` to `handle`.
 *
 * @param greatest longest payload
 * @throws RangeError if a length is out of bounds
 */
export function cutFrames(
  bytes: Buffer,
  end: number,
  greatest: number,
  cut: Cut,
  handle: FrameHandler,
): Cut {
  let at = 0;
  let need = HEADER;
  while (end - at >= HEADER) {
    const length = readUint32(bytes, at);
    if (length < COUNTED || length > greatest + COUNTED) {
      throw new RangeError(`a frame of length ${length}`);
    }
    const stop = at + 4 + length;
    if (stop > end) {
      need = 4 + length;
      break;
    }
    const kind = bytes[at + 4] as number;
    const flags = bytes[at + 5] as number;
    const handler = (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8);
    handle(kind, flags, handler, readUint32(bytes, at + 8), bytes, at + HEADER, stop);
    at = stop;
  }
  cut.consumed = at;
  cut.need = need;
  return cut;
}

/** Little-endian; without the checks of Buffer's own readers, for the bytes are there. */
function readUint32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
