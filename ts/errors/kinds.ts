/** Python's own exception classes, for `instanceof`. */

import { PythonError } from './python.js';

/**
 * A class of exceptions. It is there to be asked, `error instanceof pythonErrors.ValueError`, and has
 * no instances of its own: those it knows are {@link PythonError}s.
 */
export type PythonErrorKind = abstract new () => PythonError;

function kind(name: string): PythonErrorKind {
  const asked = {
    [Symbol.hasInstance]: (value: unknown): boolean =>
      // By the whole name: a `shop.ValueError` of the user's is another class.
      PythonError.is(value) && value.mro.includes(name),
  };
  // Only a function may stand behind `instanceof` for compilers before TypeScript 5.3.
  return Object.defineProperties(
    () => {},
    Object.getOwnPropertyDescriptors({ ...asked, name }),
  ) as unknown as PythonErrorKind;
}

/**
 * Python's exception classes: `error instanceof pythonErrors.LookupError` holds for a `KeyError` as
 * well, and for every class that is derived from one, as `except LookupError` does in Python. For
 * classes that are not here there is `error.isinstance('pkg.mod.MyError')`.
 */
export const pythonErrors = {
  ArithmeticError: kind('ArithmeticError'),
  AssertionError: kind('AssertionError'),
  AttributeError: kind('AttributeError'),
  BaseException: kind('BaseException'),
  BaseExceptionGroup: kind('BaseExceptionGroup'),
  ConnectionError: kind('ConnectionError'),
  EOFError: kind('EOFError'),
  Exception: kind('Exception'),
  ExceptionGroup: kind('ExceptionGroup'),
  FileExistsError: kind('FileExistsError'),
  FileNotFoundError: kind('FileNotFoundError'),
  ImportError: kind('ImportError'),
  IndexError: kind('IndexError'),
  KeyError: kind('KeyError'),
  LookupError: kind('LookupError'),
  MemoryError: kind('MemoryError'),
  ModuleNotFoundError: kind('ModuleNotFoundError'),
  NameError: kind('NameError'),
  NotImplementedError: kind('NotImplementedError'),
  OSError: kind('OSError'),
  OverflowError: kind('OverflowError'),
  PermissionError: kind('PermissionError'),
  RecursionError: kind('RecursionError'),
  RuntimeError: kind('RuntimeError'),
  TimeoutError: kind('TimeoutError'),
  TypeError: kind('TypeError'),
  UnicodeError: kind('UnicodeError'),
  ValueError: kind('ValueError'),
  ZeroDivisionError: kind('ZeroDivisionError'),
} as const;
