/** The twelve bytes before every payload, as `docs/protocol.md` lays them out. */

/** Bytes before the payload. */
export const HEADER_LENGTH = 12;
/** Bytes that the length field counts besides the payload. */
const COUNTED = 8;

/** A call. */
export const KIND_REQUEST = 0x02;
/** The answer to a callback. */
export const KIND_RESPONSE = 0x03;
/** What a handler that Python called threw. */
export const KIND_ERROR = 0x04;
/** An item of the answer to a callback. */
export const KIND_ITEM = 0x05;
/** The end of the answer to a callback. */
export const KIND_END = 0x06;
/**
 * Options of the request that follows. Between facade and engine only, never on the wire:
 * f64 deadline in ms from now (0 for none), i32 priority, u32 worker (0 for any), u32 flags, u32 credit
 * of a stream (0 for one result), f64 number of the last item that its consumer has (0 for none).
 */
export const KIND_OPTIONS = 0xf0;
/** Bytes of an options record after its header. */
export const OPTIONS_LENGTH = 32;
/**
 * The worker that the next frame is about, in the place of the id. Between facade and engine only.
 * Before an answer to a callback nothing follows; before a request the callback (u32) on whose behalf
 * the call is made.
 */
export const KIND_WORKER = 0xf1;
/** A flag of that record: a call of the worker made the callback, and not a thread besides. */
export const OF_CALL = 1;
/**
 * What the call that follows says of policies, as JSON. Between facade and engine only.
 */
export const KIND_POLICIES = 0xf2;
/** A record before a request: the session that the call belongs to. */
export const KIND_SESSION = 0xf3;
/** Options flag: the call may be run again if a worker dies with it. */
export const OPTION_IDEMPOTENT = 1;
/** Options flag: the stream goes on with another worker if its own dies. */
export const OPTION_RESUMABLE = 2;
/** Options flag: the call itself says how long it may take, and be it any time. */
export const OPTION_OWN_TIMEOUT = 4;

/** Request flag: one value, passed as the only positional argument. */
export const ARGUMENT_VALUE = 0;
/** Request flag: an array of positional arguments. */
export const ARGUMENTS_POSITIONAL = 1;
/** Request flag: a map of keyword arguments. */
export const ARGUMENTS_KEYWORD = 2;
/** Request flag: an array of two, positional and keyword arguments. */
export const ARGUMENTS_BOTH = 3;
/** Request flag: a map of extras precedes the arguments. */
export const EXTRAS = 4;

/** Request flag: the caller takes a stream. */
export const STREAM = 8;

/** Request flag: a callback waits for the call; the extras name it. */
export const NESTED = 16;

/** Request flag: the arguments hold functions. */
export const FUNCTIONS = 32;

/** Flag of a request or of an answer: the payload refers to shared memory. */
export const SHARED = 64;

/** The handler number that means "the default handler". */
export const DEFAULT_HANDLER = 0xffff;

/** Whether the frame whose payload begins at `start` refers to shared memory. */
export function isShared(bytes: Buffer, start: number): boolean {
  return ((bytes[start - 7] as number) & SHARED) !== 0;
}

/** Fills in the header of the frame that lies between `start` and `end`. */
export function writeHeader(
  buffer: Buffer,
  start: number,
  end: number,
  kind: number,
  flags: number,
  handler: number,
  id: number,
): void {
  const length = end - start - HEADER_LENGTH + COUNTED;
  // Byte by byte: half the time of the checked writers of Buffer on twelve bytes.
  buffer[start] = length;
  buffer[start + 1] = length >>> 8;
  buffer[start + 2] = length >>> 16;
  buffer[start + 3] = length >>> 24;
  buffer[start + 4] = kind;
  buffer[start + 5] = flags;
  buffer[start + 6] = handler;
  buffer[start + 7] = handler >>> 8;
  buffer[start + 8] = id;
  buffer[start + 9] = id >>> 8;
  buffer[start + 10] = id >>> 16;
  buffer[start + 11] = id >>> 24;
}
