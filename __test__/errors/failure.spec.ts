/** Errors made of what the engine reports. The reports are those of `src/engine` and `src/environ`. */

import { describe, expect, test } from '@jest/globals';
import { CODES, type ErrorCode } from '../../ts/errors/codes.js';
import * as errors from '../../ts/errors/index.js';
import { withPlainStacks } from './plain-stacks.js';

const { fromFailure, fromCodec } = errors;
/** By name. */
const classes = { ...errors };

describe('a failure of the engine', () => {
  test.each(Object.keys(CODES) as ErrorCode[])('%s becomes an error of its class', (code) => {
    const error = fromFailure({ code, message: 'the message' });
    expect(error).toBeInstanceOf(classes[CODES[code]]);
    expect(error).toMatchObject({ code, message: 'the message', name: CODES[code] });
    expect(error.details).toBeUndefined();
  });

  test('timeout of a running call', () => {
    const error = fromFailure({
      code: 'TIMEOUT',
      message: 'the call passed its deadline after 20 ms while running',
      phase: 'run',
      callId: 9,
      handler: 'sleep',
      worker: 1,
    });
    expect(error).toMatchObject({ phase: 'run', callId: 9, handler: 'sleep', worker: 1 });
    expect(error.retryable).toBe(true);
    expect(error.details).toBeUndefined();
  });

  test('death of a worker', () => {
    const error = fromFailure({
      code: 'WORKER_EXITED',
      message: 'worker 1 was ended by SIGKILL',
      retryable: true,
      worker: 1,
      exitCode: null,
      signal: 'SIGKILL',
      stderrTail: '',
      callId: 3,
      mayHaveExecuted: true,
      handler: 'add',
    });
    expect(error).toMatchObject({ exitCode: null, signal: 'SIGKILL', mayHaveExecuted: true });
    expect('stderrTail' in error).toBe(false);
    expect(error.details).toBeUndefined();
  });

  test('full queue, unknown handler, no interpreter, failed install', () => {
    expect(fromFailure({ code: 'QUEUE_FULL', message: 'full', max: 2 })).toMatchObject({ max: 2 });
    expect(
      fromFailure({ code: 'HANDLER_NOT_FOUND', message: 'none', available: ['add', 'text.upper'] }),
    ).toMatchObject({ available: ['add', 'text.upper'] });
    const candidates = [{ path: '/usr/bin/python3', reason: 'is 3.7' }];
    expect(
      fromFailure({ code: 'PYTHON_NOT_FOUND', message: 'none', hint: 'install one', candidates }),
    ).toMatchObject({ candidates, hint: 'install one' });
    expect(
      fromFailure({
        code: 'INSTALL_FAILED',
        message: 'no',
        hint: 'look',
        output: 'ERROR: no match',
      }),
    ).toMatchObject({ output: 'ERROR: no match', category: 'environment' });
  });

  test('a start that failed in Python has the exception as its cause', () => {
    const error = fromFailure({
      code: 'START_FAILED',
      message: 'Python did not start: ModuleNotFoundError: no numpy',
      phase: 'import',
      worker: 1,
      traceback: 'Traceback (most recent call last):\n  File "main.py"\n',
      pythonError: {
        code: 'PYTHON_ERROR',
        type: 'ModuleNotFoundError',
        mro: ['ImportError', 'Exception', 'BaseException'],
        message: 'no numpy',
        traceback: 'Traceback (most recent call last):\n  File "main.py"\n',
      },
      exitCode: 1,
      signal: null,
      stderrTail: 'last words',
    });
    expect(error).toMatchObject({ phase: 'import', exitCode: 1, stderrTail: 'last words' });
    expect('signal' in error).toBe(false);
    const cause = error.cause as errors.PythonError;
    expect(cause).toBeInstanceOf(errors.PythonError);
    expect(cause.isinstance('ImportError')).toBe(true);
    expect(error.details).toBeUndefined();
  });

  test('what has no property of its own is kept in details', () => {
    const error = fromFailure({
      code: 'TIMEOUT',
      message: 'late',
      phase: 'start',
      exitCode: 3,
      x: null,
    });
    expect(error.details).toEqual({ exitCode: 3 });
  });

  test('fields of another type than expected count as absent', () => {
    const error = fromFailure({ code: 'QUEUE_FULL', message: 'full', max: 'many', worker: '1' });
    expect('max' in error).toBe(false);
    expect('worker' in error).toBe(false);
  });

  test('an unknown code says that the versions differ', () => {
    const error = fromFailure({ code: 'NEW_CODE', message: 'new' });
    expect(error).toMatchObject({
      code: 'PROTOCOL',
      message: 'unknown error code "NEW_CODE": new',
    });
  });

  test('what the caller knows is added, and the cause it gives wins', () => {
    const cause = new Error('why');
    const error = fromFailure({ code: 'DISPOSED', message: 'gone' }, { handler: 'add', cause });
    expect(error.handler).toBe('add');
    expect(error.cause).toBe(cause);
  });

  test('the stack begins at the caller', () => {
    function buildsIt(): errors.SynapseError {
      return fromFailure({ code: 'QUEUE_FULL', message: 'full' });
    }
    const stack = withPlainStacks(() => buildsIt().stack);
    const lines = (stack ?? '').split('\n');
    expect(lines[0]).toBe('QueueFullError: full');
    expect(lines[1]).toContain('buildsIt');
  });

  test('an error made after an await shows the functions that wait', async () => {
    async function waits(): Promise<unknown> {
      return await Promise.resolve()
        .then(() => undefined)
        .then(() => {
          throw fromFailure({ code: 'QUEUE_FULL', message: 'full' });
        });
    }
    const error = await waits().catch((reason: unknown) => reason);
    expect((error as Error).stack).toContain('waits');
  });
});

describe('a failure of the codec', () => {
  test('a value that cannot cross keeps its path', () => {
    const failure = Object.assign(new Error('$.when: invalid Date', { cause: 'why' }), {
      code: 'ENCODE' as const,
      path: '$.when',
    });
    const error = fromCodec(failure, { handler: 'add' });
    expect(error).toBeInstanceOf(errors.EncodeError);
    expect(error).toMatchObject({ code: 'ENCODE', path: '$.when', handler: 'add', cause: 'why' });
  });

  test('a value that is too large, and bytes that are no value', () => {
    const large = Object.assign(new Error('too large'), {
      code: 'FRAME_TOO_LARGE' as const,
      path: '$',
    });
    expect(fromCodec(large)).toBeInstanceOf(errors.ProtocolError);
    expect(fromCodec(large).code).toBe('FRAME_TOO_LARGE');
    const broken = Object.assign(new Error('reserved byte'), {
      code: 'PROTOCOL' as const,
      offset: 4,
    });
    expect(fromCodec(broken)).toMatchObject({ code: 'PROTOCOL', offset: 4 });
  });
});
