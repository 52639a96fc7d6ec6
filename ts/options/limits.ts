import { DEFAULT_BYTES, DEFAULT_DEPTH, MAXIMUM_DEPTH } from '../codec/limits.js';
import { integer, number, timeLimit } from './checks.js';
import { knownNames } from './names.js';

/** Below this the worker's own messages do not fit. */
const SMALLEST_FRAME = 4096;
/** What the length field of a frame can say. */
const LARGEST_FRAME = 0xffff_ffff;

/** Bytes of shared memory that are kept for the next large value unless told otherwise. */
const IDLE_MEMORY = 128 * 1024 * 1024;

/** Silence in the middle of a message, in ms. */
const FRAME_TIMEOUT = 30_000;

/** Bounds on messages, on processes and on calls. */
export interface LimitsOption {
  /** The largest message in either direction, in bytes; default 256 MiB, at most 4 GiB − 1. */
  readonly frame?: number | undefined;
  /** The deepest nesting of a value, from 1 to 2048; default 512. */
  readonly depth?: number | undefined;
  /**
   * Shared memory that each side keeps for its next large value once one is done with, in bytes, from
   * 0 on; default 128 MiB. What is not used for 5 s is given back all the same. 0 turns shared memory
   * off: large values take the pipe.
   */
  readonly sharedMemory?: number | undefined;
  /**
   * Address space of one worker, in bytes, which is more than what it has in use; default none. Beyond
   * it Python raises `MemoryError`.
   */
  readonly memory?: number | undefined;
  /** Processor time of one worker, in seconds, rounded up; default none. It is ended when it is over. */
  readonly cpu?: number | undefined;
  /** Files that one worker may hold open; default none. */
  readonly files?: number | undefined;
  /**
   * Time for the next byte of a message of which a part has come, in ms; default 30 s. 0 and `Infinity`:
   * any time. A worker that is silent for so long has broken the protocol and is replaced, unless it
   * computes (as far as the system tells: on Linux).
   */
  readonly frameTimeout?: number | undefined;
  /** `timeout` of calls that give none, in ms; default 0: none. */
  readonly callTimeout?: number | undefined;
  /** `timeout` of streams that give none, in ms; default that of calls. */
  readonly streamTimeout?: number | undefined;
}

/** The option with its defaults applied; null is no limit. */
export interface Limits {
  readonly frame: number;
  readonly depth: number;
  readonly sharedMemory: number;
  readonly memory: number | null;
  readonly cpu: number | null;
  readonly files: number | null;
  readonly frameTimeoutMs: number | null;
  readonly callTimeoutMs: number | null;
  readonly streamTimeoutMs: number | null;
}

/** @throws unless each is a number in its range */
export function normalizeLimits(value: unknown = {}): Limits {
  const names = [
    'frame',
    'depth',
    'sharedMemory',
    'memory',
    'cpu',
    'files',
    'frameTimeout',
    'callTimeout',
    'streamTimeout',
  ];
  const given = knownNames('limits', value, names);
  const { frame, depth, sharedMemory, memory, cpu, files, callTimeout = 0 } = given;
  const { frameTimeout = FRAME_TIMEOUT, streamTimeout = callTimeout } = given;
  const count = (name: string, limit: unknown): number | null =>
    limit === undefined ? null : integer(name, limit, 1, Number.MAX_SAFE_INTEGER);
  return {
    frame: integer('limits.frame', frame ?? DEFAULT_BYTES, SMALLEST_FRAME, LARGEST_FRAME),
    depth: integer('limits.depth', depth ?? DEFAULT_DEPTH, 1, MAXIMUM_DEPTH),
    sharedMemory: integer(
      'limits.sharedMemory',
      sharedMemory ?? IDLE_MEMORY,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    memory: count('limits.memory', memory),
    cpu: cpu === undefined ? null : Math.ceil(number('limits.cpu', cpu, 0.001, 1e12)),
    files: count('limits.files', files),
    frameTimeoutMs: timeLimit('limits.frameTimeout', frameTimeout),
    callTimeoutMs: timeLimit('limits.callTimeout', callTimeout),
    streamTimeoutMs: timeLimit('limits.streamTimeout', streamTimeout),
  };
}
