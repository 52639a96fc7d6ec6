/** Exceptions of Python, as the map of `docs/protocol.md` carries them. */

import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import * as errors from '../../ts/errors/index.js';
import { withPlainStacks } from './plain-stacks.js';

const { fromPython, PythonError, pythonErrors } = errors;

const traceback = [
  'Traceback (most recent call last):',
  '  File "/app/main.py", line 7, in load',
  '    return table[key]',
  'pkg.mod.MissingKey: no row 5',
  '',
].join('\n');

const missingKey = {
  code: 'PYTHON_ERROR',
  type: 'pkg.mod.MissingKey',
  mro: ['pkg.mod.Outer.Base', 'KeyError', 'LookupError', 'Exception', 'BaseException'],
  message: 'no row 5',
  traceback,
  frames: [{ file: '/app/main.py', line: 7, name: 'load', text: 'return table[key]' }],
  notes: ['while loading users'],
  data: { row: 5 },
  cause: {
    code: 'PYTHON_ERROR',
    type: 'OSError',
    mro: ['Exception', 'BaseException'],
    message: 'disk',
    traceback:
      'Traceback (most recent call last):\n  File "/app/disk.py", line 1, in read\nOSError: disk\n',
    cause: { code: 'PYTHON_ERROR', type: 'ValueError', message: 'root', cause: null },
  },
};

function built(map: errors.PythonErrorMap, origin?: errors.Origin): errors.PythonError {
  const error = fromPython(map, origin);
  expect(error).toBeInstanceOf(PythonError);
  return error as errors.PythonError;
}

describe('the classes of Python', () => {
  const { KeyError, LookupError, ValueError, Exception } = pythonErrors;

  test('know their exceptions and those of derived classes, as except does', () => {
    const error = built(missingKey);
    for (const kind of [KeyError, LookupError, Exception]) expect(error).toBeInstanceOf(kind);
    expect(error).not.toBeInstanceOf(ValueError);
    expect(error.cause).toBeInstanceOf(pythonErrors.OSError);
  });

  test('know no others', () => {
    const own = { ...missingKey, type: 'shop.ValueError', mro: ['Exception', 'BaseException'] };
    expect(built(own)).toBeInstanceOf(Exception);
    expect(built(own)).not.toBeInstanceOf(ValueError);
    for (const other of [new TypeError('t'), undefined, null, { mro: ['ValueError'] }]) {
      expect(other).not.toBeInstanceOf(ValueError);
    }
  });

  test('have the names they have there', () => {
    for (const [name, kind] of Object.entries(pythonErrors)) expect(kind.name).toBe(name);
  });
});

describe('an exception', () => {
  test('keeps type, message, traceback, frames, notes and attributes', () => {
    const error = built(missingKey, { worker: 1, handler: 'load', callId: 4 });
    expect(error).toMatchObject({
      name: 'PythonError',
      code: 'PYTHON_ERROR',
      category: 'python_error',
      message: 'no row 5',
      pythonType: 'pkg.mod.MissingKey',
      traceback,
      frames: missingKey.frames,
      notes: ['while loading users'],
      data: { row: 5 },
      worker: 1,
      handler: 'load',
      callId: 4,
      retryable: false,
    });
    expect(error.details).toBeUndefined();
  });

  test('keeps the chain of causes', () => {
    const cause = built(missingKey).cause as errors.PythonError;
    expect(cause).toBeInstanceOf(PythonError);
    expect(cause).toMatchObject({ pythonType: 'OSError', message: 'disk' });
    const root = cause.cause as errors.PythonError;
    expect(root).toMatchObject({ pythonType: 'ValueError', message: 'root', traceback: '' });
    expect('cause' in root).toBe(false);
  });

  test('shows the JavaScript stack first and then the traceback', () => {
    function calls(): errors.PythonError {
      return built(missingKey);
    }
    const stack = withPlainStacks(() => calls().stack);
    const [javascript = '', python = ''] = (stack ?? '').split('\n\n');
    expect(javascript).toMatch(/^PythonError: no row 5\n\s+at built/);
    expect(javascript).toContain('at calls');
    expect(javascript).not.toContain('fromPython');
    expect(python).toBe(`Python t${traceback.slice(1).trimEnd()}`);
    expect(python).toMatch(/^Python traceback \(most recent call last\):\n {2}File/);
  });

  test('a cause shows only its traceback', () => {
    const { stack } = built(missingKey).cause as Error;
    expect(stack).toBe(
      'PythonError: disk\n\nPython traceback (most recent call last):\n' +
        '  File "/app/disk.py", line 1, in read\nOSError: disk',
    );
  });

  test('a traceback of another form is shown as it is', () => {
    const text = '  + Exception Group Traceback (most recent call last):\n  |   File "x.py"\n';
    expect(built({ ...missingKey, traceback: text }).stack).toMatch(
      /\n\nPython traceback:\n {2}\+ Exception Group/,
    );
  });

  test('without a traceback the stack is that of JavaScript', () => {
    expect(built({ code: 'PYTHON_ERROR', message: '[ERROR] x' }).stack).not.toContain('Python t');
  });

  test('prints its traceback once', () => {
    const { cause, ...alone } = missingKey;
    const text = inspect(built(alone));
    expect(text.match(/return table\[key\]/g)).toHaveLength(1);
    expect(text).toContain("pythonType: 'pkg.mod.MissingKey'");
    expect(cause).toBeDefined();
  });

  test('logs the whole chain', () => {
    const logged = JSON.parse(JSON.stringify(built(missingKey)));
    expect(logged).toMatchObject({
      pythonType: 'pkg.mod.MissingKey',
      traceback,
      cause: { pythonType: 'OSError', cause: { pythonType: 'ValueError' } },
    });
  });

  test('is an instance of its class and of its bases, by either name', () => {
    const error = built(missingKey);
    const yes = [
      'pkg.mod.MissingKey',
      'MissingKey',
      'pkg.mod.Outer.Base',
      'Base',
      'KeyError',
      'builtins.KeyError',
      'BaseException',
    ];
    expect(yes.filter((name) => !error.isinstance(name))).toEqual([]);
    const no = ['', 'ValueError', 'Key', 'mod.MissingKey', 'other.KeyError', 'pkg.mod.KeyError'];
    expect(no.filter((name) => error.isinstance(name))).toEqual([]);
  });

  test('of which nothing but a message is known is one all the same', () => {
    const error = built({ message: 'boom' });
    expect(error).toMatchObject({ message: 'boom', pythonType: '', traceback: '', frames: [] });
    expect(error.isinstance('')).toBe(false);
    expect(built({}).message).toBe('');
  });

  test('with attributes under keys that are no strings', () => {
    const data = new Map<unknown, unknown>([[1, 'one']]);
    expect(built({ ...missingKey, data }).data).toEqual({ '1': 'one' });
  });

  test('with fields of the wrong type loses those and no more', () => {
    const error = built({ ...missingKey, frames: 'none', notes: [1, 'n'], mro: 5, cause: 'x' });
    expect(error).toMatchObject({ frames: [], notes: ['n'], mro: ['pkg.mod.MissingKey'] });
    expect('cause' in error).toBe(false);
  });

  test('under a code that only a newer package knows keeps the code', () => {
    const error = built({ ...missingKey, code: 'QUOTA' });
    expect(error.code).toBe('PYTHON_ERROR');
    expect(error.details).toEqual({ code: 'QUOTA' });
  });
});

describe('an error that the worker itself reports', () => {
  test('arguments that do not fit', () => {
    const error = fromPython(
      { code: 'VALIDATION', message: 'a must be int, got str', path: 'a' },
      { handler: 'add' },
    );
    expect(error).toBeInstanceOf(errors.ValidationError);
    expect(error).toMatchObject({ path: 'a', handler: 'add', category: 'validation' });
    expect('cause' in error).toBe(false);
  });

  test('a result that cannot cross', () => {
    const error = fromPython({
      code: 'ENCODE',
      message: 'no',
      type: 'EncodeError',
      data: { path: '$.x' },
    });
    expect(error).toBeInstanceOf(errors.EncodeError);
    expect(error).toMatchObject({ path: '$.x' });
    expect(error.details).toBeUndefined();
  });

  test('a handler that is not there, a result that is too large', () => {
    expect(
      fromPython({ code: 'HANDLER_NOT_FOUND', message: 'no', available: ['add'] }),
    ).toMatchObject({
      available: ['add'],
    });
    expect(fromPython({ code: 'FRAME_TOO_LARGE', message: 'large' })).toBeInstanceOf(
      errors.ProtocolError,
    );
  });

  test('has the exception that led to it as its cause', () => {
    const direct = fromPython({ ...missingKey, code: 'VALIDATION', cause: null });
    expect(direct).toBeInstanceOf(errors.ValidationError);
    expect(direct.cause).toMatchObject({ pythonType: 'pkg.mod.MissingKey', traceback });
    const chained = fromPython({ ...missingKey, code: 'VALIDATION' });
    expect(chained.cause).toMatchObject({ pythonType: 'OSError' });
  });
});
