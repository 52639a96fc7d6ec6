/** The option `redact`: which texts hide what, and what is refused without showing it. */

import { describe, expect, test } from '@jest/globals';
import { normalizeRedact, type Redact } from '../../ts/options/redact.js';
import { Redactor } from '../../ts/redaction.js';

const shown = (option: unknown, text: string): string =>
  (normalizeRedact(option) as Redact)(text, 'message');

describe('secrets', () => {
  test.each<[string, string]>([
    ['s3cr$t.+', 's3cr$t.+'],
    ['two\nlines', 'two\nlines'],
    ['two\nlines', 'two\\nlines'],
    ['a"b\\c\'d', JSON.stringify('a"b\\c\'d').slice(1, -1)],
    ['a"b\\c\'d', 'a"b\\\\c\\\'d'],
    ['pass/word?&', 'pass%2Fword%3F%26'],
    ['ключ', 'ключ'],
  ])('%j is hidden as %j', (secret, written) => {
    expect(shown([secret], `before ${written}, ${written} after`)).toBe(
      'before [redacted], [redacted] after',
    );
  });

  test('one of several lines is hidden line by line, but for lines that may be anything', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBg\n12345678\nend';
    for (const line of ['-----BEGIN KEY-----', 'MIIEvQIBADANBg', '12345678']) {
      expect(shown([key], `line ${line}`)).toBe('line [redacted]');
    }
    expect(shown([key], 'the end')).toBe('the end');
  });

  test('of which one begins with another are both hidden whole', () => {
    expect(shown(['token', 'token-2'], 'token token-2')).not.toContain('token');
  });

  test('with half a character are taken as they are', () => {
    expect(shown(['half \ud800'], 'x half \ud800 y')).toBe('x [redacted] y');
  });
});

describe('patterns and functions', () => {
  test('patterns hide every match, each time, whatever their flags', () => {
    const redact = normalizeRedact([/key=\w+/iy, /\d{16}/g]) as Redact;
    for (let time = 0; time < 2; time++) {
      expect(redact('KEY=a key=b 1234567812345678', 'text')).toBe(
        '[redacted] [redacted] [redacted]',
      );
    }
  });

  test('a function is told which field it is', () => {
    const redact = normalizeRedact((text: string, field: string) => `${field}: ${text}`) as Redact;
    expect(redact('x', 'stderrTail')).toBe('stderrTail: x');
  });

  test.each([
    () => {
      throw new Error('broken');
    },
    () => undefined,
    () => Promise.resolve('secret'),
  ])('a function that fails hides all: %p', (redact) => {
    expect(shown(redact, 'secret')).toBe('[redacted]');
  });

  test('nothing to hide costs nothing', () => {
    expect([normalizeRedact(undefined), normalizeRedact([])]).toEqual([null, null]);
  });
});

test.each<[unknown, string]>([
  ['my secret', 'option "redact" must be an array of secrets and patterns, or a function'],
  [{ secret: 1 }, 'option "redact"'],
  [null, 'option "redact"'],
  [['my secret', 7], 'option "redact[1]" must be a string or a regular expression'],
  [['my secret', ' '], 'option "redact[1]" must be a secret that is not empty'],
  [['my secret', /x*/], 'option "redact[1]" must be a pattern that needs some text'],
])('%p is refused, and not shown', (value, message) => {
  let refused: unknown;
  try {
    normalizeRedact(value);
  } catch (error) {
    refused = error;
  }
  expect(refused).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect((refused as Error).message).toContain(message);
  expect((refused as Error).message).not.toContain('my secret');
});

describe('what is told', () => {
  const redactor = new Redactor(normalizeRedact(['SECRET', /\d{4}/]) as Redact);

  test('keeps what programs decide by, at every level of a report', () => {
    const report = {
      type: 'SECRET',
      code: 'SECRET',
      worker: 1234,
      message: 'a SECRET',
      cause: {
        type: 'SECRET',
        message: 'SECRET',
        exceptions: [{ type: 'SECRET', notes: ['SECRET'] }],
      },
    };
    expect(redactor.report(report)).toEqual({
      type: 'SECRET',
      code: 'SECRET',
      worker: 1234,
      message: 'a [redacted]',
      cause: {
        type: 'SECRET',
        message: '[redacted]',
        exceptions: [{ type: 'SECRET', notes: ['[redacted]'] }],
      },
    });
    expect(report.message).toBe('a SECRET');
  });

  test('is looked through in every kind of value', () => {
    const when = new Date(0);
    const data = {
      SECRET: 1,
      type: 'SECRET',
      list: ['SECRET', 1234, 12, 12345n],
      bytes: Buffer.from('a SECRET'),
      others: Buffer.from([0xff, 0x00]),
      map: new Map<unknown, unknown>([['SECRET', new Set(['SECRET'])]]),
      when,
      nothing: null,
    };
    expect(redactor.report({ data }).data).toEqual({
      '[redacted]': 1,
      type: '[redacted]',
      list: ['[redacted]', '[redacted]', 12, '[redacted]5'],
      bytes: Buffer.from('a [redacted]'),
      others: Buffer.from([0xff, 0x00]),
      map: new Map<unknown, unknown>([['[redacted]', new Set(['[redacted]'])]]),
      when,
      nothing: null,
    });
  });

  test('of somebody else’s error a copy that says no more than it must', () => {
    const inner = new RangeError('inner SECRET');
    const cause = Object.assign(new TypeError('cause SECRET', { cause: inner }), { own: 'SECRET' });
    inner.cause = cause;
    const error = redactor.error(new Error('outer SECRET', { cause }));
    const copy = error.cause as TypeError;
    expect(copy).toBeInstanceOf(TypeError);
    expect([error.message, copy.message, (copy.cause as Error).message]).toEqual([
      'outer [redacted]',
      'cause [redacted]',
      'inner [redacted]',
    ]);
    expect(`${error.stack}${copy.stack}${JSON.stringify(copy)}`).not.toContain('SECRET');
    expect(copy).not.toHaveProperty('own');
    expect(cause.message).toBe('cause SECRET');
  });
});
