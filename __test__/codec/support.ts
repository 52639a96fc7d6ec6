/** What the specs of the codec have in common. */

import { isDeepStrictEqual } from 'node:util';
import {
  DecodeFailure,
  Decoder,
  EncodeFailure,
  Writer,
  type WriterOptions,
} from '../../ts/codec/index.js';

/** The bytes of one value. */
export function encode(value: unknown, options?: WriterOptions): Buffer {
  const writer = new Writer(options);
  writer.encode(value);
  return Buffer.from(writer.buffer.subarray(0, writer.position));
}

/** The value after a way through both. */
export function throughWire(value: unknown): unknown {
  return new Decoder().decode(encode(value));
}

/** The failure that encoding a value ends in. */
export function encodeFailure(value: unknown, options?: WriterOptions): EncodeFailure {
  return failure(() => encode(value, options), EncodeFailure);
}

/** The failure that decoding ends in. */
export function decodeFailure(bytes: Buffer, decoder = new Decoder()): DecodeFailure {
  return failure(() => decoder.decode(bytes), DecodeFailure);
}

function failure<Failure extends Error>(
  run: () => unknown,
  expected: new (...args: never[]) => Failure,
): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof expected) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Whether two values are the same throughout; much quicker on large ones than Jest's matchers. */
export function same(actual: unknown, expected: unknown): boolean {
  return isDeepStrictEqual(actual, expected);
}
