/**
 * What the worker's code prints becomes log frames that carry the call. What is written past Node (by
 * native code, by child processes) goes through descriptors 1 and 2, and becomes log events without one.
 */

import { Writable } from 'node:stream';
import { running } from './context.js';
import { clean } from './failure.js';

/** A log frame's payload. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** Sends a record of a call; 0 is none. */
export type LogSender = (call: number, record: LogRecord) => void;

/** Replaces `process.stdout` or `process.stderr`, which Node makes when somebody looks at it. */
export function capture(stream: 'stdout' | 'stderr', send: LogSender): void {
  let made: Writable | undefined;
  Object.defineProperty(process, stream, {
    configurable: true,
    enumerable: true,
    get: () => {
      made ??= create(stream, send);
      return made;
    },
  });
}

function create(stream: string, send: LogSender): Writable {
  const writable = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const text = typeof chunk === 'string' ? clean(chunk) : chunk.toString();
      send(running.getStore()?.callId ?? 0, { stream, text });
      done();
    },
  });
  return Object.assign(writable, { fd: stream === 'stdout' ? 1 : 2, isTTY: false });
}
