/** What all errors have in common, and how they are told apart. */

import { inspect } from 'node:util';
import { describe, expect, jest, test } from '@jest/globals';
import {
  CircuitOpenError,
  DisposedError,
  EnvironmentError,
  isSynapseError,
  ProtocolError,
  PythonError,
  QueueFullError,
  SpawnError,
  SynapseError,
  TimeoutError,
  WorkerExitedError,
} from '../../ts/errors/index.js';
import { withPlainStacks } from './plain-stacks.js';

describe('an error', () => {
  test('is an Error with name, message, code and time', () => {
    const before = Date.now();
    const error = new TimeoutError('the call passed its deadline', { phase: 'run' });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(SynapseError);
    expect(error).toMatchObject({
      name: 'TimeoutError',
      message: 'the call passed its deadline',
      code: 'TIMEOUT',
      phase: 'run',
      category: 'timeout',
    });
    expect(error.timestamp).toBeGreaterThanOrEqual(before);
    expect(error.timestamp).toBeLessThanOrEqual(Date.now());
    expect(String(error)).toBe('TimeoutError: the call passed its deadline');
    expect(error.stack).toMatch(/^TimeoutError: the call passed its deadline\n\s+at /);
  });

  test('shows only what is known', () => {
    const error = new DisposedError('NOT_SPAWNED', 'not spawned');
    expect(Object.keys(error).sort()).toEqual(['code', 'retryable', 'timestamp']);
    expect('cause' in error).toBe(false);
    expect('worker' in error).toBe(false);
    expect(inspect(error)).not.toContain('undefined');
  });

  test('carries what is known of the call', () => {
    const cause = new Error('pipe');
    const known = {
      worker: 2,
      handler: 'add',
      callId: 7,
      stderrTail: 'Killed\n',
      mayHaveExecuted: true,
      hint: 'give it more memory',
      details: { rss: 5 },
    };
    const error = new WorkerExitedError('worker 2 was ended by SIGKILL', {
      ...known,
      cause,
      signal: 'SIGKILL',
    });
    expect(error).toMatchObject({ ...known, exitCode: null, signal: 'SIGKILL', retryable: true });
    expect(error.cause).toBe(cause);
  });

  test('knows by its code whether a repetition may help, unless it is told', () => {
    expect(new QueueFullError('full').retryable).toBe(true);
    expect(new CircuitOpenError('open', { retryAfter: 5 }).retryable).toBe(true);
    expect(new PythonError('no').retryable).toBe(false);
    expect(new EnvironmentError('INSTALL_FAILED', 'no network').retryable).toBe(false);
    expect(new WorkerExitedError('gone', { retryable: false }).retryable).toBe(false);
  });

  test('has the code that it is given', () => {
    expect(new ProtocolError('bad bytes').code).toBe('PROTOCOL');
    expect(new ProtocolError('too large', { code: 'FRAME_TOO_LARGE' }).code).toBe(
      'FRAME_TOO_LARGE',
    );
    expect(new SpawnError('START_FAILED', 'no').code).toBe('START_FAILED');
  });

  test('begins its stack where it is told', () => {
    function outer(): SynapseError {
      return inner();
    }
    function inner(): SynapseError {
      return new SynapseError('TIMEOUT', 'late', { above: outer });
    }
    const stack = withPlainStacks(() => outer().stack);
    expect(stack).toMatch(/^SynapseError: late\n/);
    expect(stack).not.toMatch(/\b(inner|outer)\b/);
    expect(stack).toContain('classes.spec');
  });

  test('tells everything to a structured log', () => {
    const error = new SpawnError('START_FAILED', 'no', {
      exitCode: 1,
      cause: new TypeError('inner'),
    });
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      name: 'SpawnError',
      message: 'no',
      code: 'START_FAILED',
      category: 'environment',
      exitCode: 1,
      cause: { name: 'TypeError', message: 'inner' },
      stack: error.stack,
    });
  });

  test('is a line of a log whatever it carries', () => {
    const circle: Record<string, unknown> = { big: 2n ** 70n, names: new Set(['a']), bytes: 1 };
    circle['self'] = [circle];
    const cause = Object.assign(new Error('no route'), { request: circle });
    const error = new SpawnError('START_FAILED', 'no', { cause, details: { count: 2n ** 64n } });
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({
      details: { count: '18446744073709551616' },
      cause: {
        message: 'no route',
        request: { big: '1180591620717411303424', names: ['a'], self: ['[circular]'] },
      },
    });
  });

  test('survives a log whose causes form a circle', () => {
    const error = new SpawnError('START_FAILED', 'no');
    error.cause = error;
    expect(JSON.parse(JSON.stringify(error)).cause).toMatchObject({ message: 'no' });
  });
});

describe('recognition', () => {
  const error = new TimeoutError('late');

  test('by class', () => {
    expect(SynapseError.is(error)).toBe(true);
    expect(TimeoutError.is(error)).toBe(true);
    expect(PythonError.is(error)).toBe(false);
    expect(isSynapseError(error)).toBe(true);
  });

  test('of what is none', () => {
    for (const value of [
      undefined,
      null,
      'TIMEOUT',
      5,
      {},
      [],
      new Error('x'),
      { code: 'TIMEOUT' },
    ]) {
      expect(SynapseError.is(value)).toBe(false);
      expect(TimeoutError.is(value)).toBe(false);
    }
  });

  test('of errors of another copy of the package', () => {
    let other: typeof import('../../ts/errors/index.js') | undefined;
    jest.isolateModules(() => {
      other = require('../../ts/errors/index.js');
    });
    const foreign = new (other as NonNullable<typeof other>).TimeoutError('late');
    expect(foreign instanceof TimeoutError).toBe(false);
    expect(SynapseError.is(foreign)).toBe(true);
    expect(TimeoutError.is(foreign)).toBe(true);
    expect(PythonError.is(foreign)).toBe(false);
    expect(isSynapseError(foreign)).toBe(true);
  });

  test('by a class of the user', () => {
    class SlowModelError extends TimeoutError {}
    const slow = new SlowModelError('late');
    expect(SlowModelError.is(slow)).toBe(true);
    expect(TimeoutError.is(slow)).toBe(true);
    expect(SlowModelError.is(error)).toBe(false);
  });
});
