import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  ARGUMENT_VALUE,
  ARGUMENTS_BOTH,
  ARGUMENTS_KEYWORD,
  ARGUMENTS_POSITIONAL,
  DEFAULT_HANDLER,
  EXTRAS,
  HEADER_LENGTH,
  KIND_OPTIONS,
  KIND_REQUEST,
  KIND_WORKER,
  writeHeader,
} from '../../ts/wire/header.js';

interface FrameVector {
  readonly name: string;
  readonly hex: string;
  readonly kind: number;
  readonly flags: number;
  readonly handler: number;
  readonly id: number;
  readonly payload_hex: string;
}

interface MalformedVector {
  readonly hex: string;
  readonly rule: string;
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../vectors/frames.json'), 'utf8')) as {
  readonly frames: readonly FrameVector[];
  readonly malformed: readonly MalformedVector[];
};
const requests = vectors.frames.filter(({ kind }) => kind === KIND_REQUEST);

/** The frame of a vector as the facade writes it: into a buffer that holds other bytes around it. */
function write(vector: FrameVector, start: number): Buffer {
  const payload = Buffer.from(vector.payload_hex, 'hex');
  const end = start + HEADER_LENGTH + payload.length;
  const buffer = Buffer.alloc(end + 5, 0xee);
  payload.copy(buffer, start + HEADER_LENGTH);
  writeHeader(buffer, start, end, vector.kind, vector.flags, vector.handler, vector.id);
  expect(buffer.subarray(0, start).every((byte) => byte === 0xee)).toBe(true);
  expect(buffer.subarray(end).every((byte) => byte === 0xee)).toBe(true);
  return buffer.subarray(start, end);
}

describe('request frames', () => {
  test.each(requests)('$name', (vector) => {
    expect(write(vector, 0).toString('hex')).toBe(vector.hex);
    expect(write(vector, 3).toString('hex')).toBe(vector.hex);
  });

  test('cover every form of the arguments, and extras', () => {
    const forms = new Set(requests.map(({ flags }) => flags & 3));
    expect([...forms].sort()).toEqual([
      ARGUMENT_VALUE,
      ARGUMENTS_POSITIONAL,
      ARGUMENTS_KEYWORD,
      ARGUMENTS_BOTH,
    ]);
    expect(requests.some(({ flags }) => (flags & EXTRAS) !== 0)).toBe(true);
    expect(requests.some(({ handler }) => handler === DEFAULT_HANDLER)).toBe(true);
  });

  test('a payload of more than 64 KiB fills the upper bytes of the length', () => {
    const end = HEADER_LENGTH + 0x0123_4567;
    const buffer = Buffer.alloc(end);
    writeHeader(buffer, 0, end, KIND_REQUEST, 0, 0, 1);
    expect(buffer.readUInt32LE(0)).toBe(0x0123_4567 + 8);
  });
});

test.each([
  ['options', KIND_OPTIONS],
  ['worker', KIND_WORKER],
])('the kind of a record of %s is none that the wire knows', (_, record) => {
  expect(vectors.frames.map(({ kind }) => kind)).not.toContain(record);
  const refused = vectors.malformed
    .filter(({ rule }) => rule === 'unknown-kind')
    .map(({ hex }) => Buffer.from(hex, 'hex')[4]);
  expect(refused).toContain(record);
});
