/** The options of one call. */

import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { type CallOptions, normalizeCallOptions } from '../../ts/options/index.js';

const DEFAULTS = {
  timeout: 0,
  ownTimeout: false,
  signal: undefined,
  priority: 0,
  worker: 0,
  idempotent: false,
  metadata: undefined,
};

describe('the options of a call', () => {
  test('left out are the same object every time', () => {
    expect(normalizeCallOptions()).toEqual(DEFAULTS);
    expect(normalizeCallOptions()).toBe(normalizeCallOptions(undefined));
    expect(normalizeCallOptions({})).toEqual(DEFAULTS);
  });

  test('cannot be changed afterwards', () => {
    expect(Object.isFrozen(normalizeCallOptions())).toBe(true);
    expect(Object.isFrozen(normalizeCallOptions({ priority: 1 }))).toBe(true);
  });

  test('are taken as they are given', () => {
    const { signal } = new AbortController();
    const metadata = { tenant: 5 };
    const given = { timeout: 100, signal, priority: -3, worker: 2, idempotent: true, metadata };
    expect(normalizeCallOptions(given)).toEqual({ ...given, ownTimeout: true });
    expect(normalizeCallOptions(given).signal).toBe(signal);
  });

  test('have no timeout if it is 0 or infinite; parts of a millisecond count as one', () => {
    expect(normalizeCallOptions({ timeout: 0 }).timeout).toBe(0);
    expect(normalizeCallOptions({ timeout: Number.POSITIVE_INFINITY }).timeout).toBe(0);
    expect(normalizeCallOptions({ timeout: 0.001 }).timeout).toBe(1);
  });

  test('have the timeout of the instance unless they say another', () => {
    expect(normalizeCallOptions(undefined, 50).timeout).toBe(50);
    expect(normalizeCallOptions({ priority: 1 }, 50).timeout).toBe(50);
    expect(normalizeCallOptions({ timeout: 20 }, 50).timeout).toBe(20);
    expect(normalizeCallOptions({ timeout: 0 }, 50).timeout).toBe(0);
    expect(normalizeCallOptions({ priority: 1 }, 50).ownTimeout).toBe(false);
    expect(normalizeCallOptions({ timeout: 0 }, 50).ownTimeout).toBe(true);
    expect(normalizeCallOptions(undefined, null)).toBe(normalizeCallOptions());
  });

  test('may be such of another realm', () => {
    const context = createContext({ AbortController });
    const options = runInContext(
      '({ metadata: { a: 1 }, signal: new AbortController().signal })',
      context,
    ) as CallOptions;
    expect(normalizeCallOptions(options).metadata).toEqual({ a: 1 });
  });

  test.each([
    [{ timeout: -1 }, RangeError, 'option "timeout" must be'],
    [{ timeout: Number.NaN }, RangeError, 'got NaN'],
    [{ timeout: '5s' }, TypeError, "got '5s'"],
    [{ timeout: null }, TypeError, 'got null'],
    [{ signal: {} }, TypeError, 'option "signal" must be an AbortSignal, got {}'],
    [
      { signal: new AbortController() },
      TypeError,
      'must be an AbortSignal, as its property "signal" is, got AbortController',
    ],
    [{ priority: 1.5 }, RangeError, 'option "priority" must be'],
    [{ priority: 2 ** 31 }, RangeError, 'got 2147483648'],
    [{ worker: 0 }, RangeError, 'option "worker" must be'],
    [{ worker: 'w1' }, TypeError, "got 'w1'"],
    [{ idempotent: 1 }, TypeError, 'option "idempotent" must be true or false, got 1'],
    [{ metadata: [] }, TypeError, 'option "metadata" must be a plain object, got []'],
    [{ metadata: new Map() }, TypeError, 'got Map(0) {}'],
    [{ session: 5 }, TypeError, 'option "session" must be'],
    [{ cache: 5 }, TypeError, 'option "cache" must be'],
    [{ retry: 'x' }, TypeError, 'option "retry" must be'],
    [{ parseJson: 'yes' }, TypeError, 'option "parseJson" must be true or false'],
    [{ timeoutMs: 5 }, TypeError, 'unknown option "timeoutMs"; did you mean "timeout"?'],
    [null, TypeError, 'options must be an object, got null'],
    [5, TypeError, 'options must be an object, got 5'],
  ])('%j is refused', (options, errorClass, message) => {
    const run = (): unknown => normalizeCallOptions(options as CallOptions);
    expect(run).toThrow(errorClass);
    expect(run).toThrow(message);
  });
});
