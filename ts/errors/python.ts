/** An exception that a handler raised. */

import { identify, SynapseError, type SynapseErrorFields } from './base.js';

/** One line of a Python traceback. */
export interface PythonFrame {
  /** The source file. */
  readonly file: string;
  /** The line's number, from 1. */
  readonly line: number;
  /** The function, or `<module>`. */
  readonly name: string;
  /** The line itself, if it could be read. */
  readonly text: string;
}

/** What a {@link PythonError} can be given. */
export interface PythonErrorFields extends SynapseErrorFields {
  readonly pythonType?: string | undefined;
  readonly mro?: readonly string[] | undefined;
  readonly traceback?: string | undefined;
  readonly frames?: readonly PythonFrame[] | undefined;
  readonly notes?: readonly string[] | undefined;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
  readonly omitted?: readonly string[] | undefined;
  readonly exceptions?: readonly PythonError[] | undefined;
}

const HEADING = 'Traceback (most recent call last):';

/**
 * A handler raised an exception. `message` is Python's `str(exception)`; `cause` is the exception
 * that led to it (`__cause__`, or `__context__` unless suppressed); `stack` shows JavaScript's
 * frames first, then Python's traceback.
 */
export class PythonError extends SynapseError {
  declare readonly code: 'PYTHON_ERROR';
  /** The exception's class: `KeyError`, or `pkg.mod.MyError`; empty where a 1.4 script gave none. */
  readonly pythonType: string;
  /** The exception's class and its base classes, nearest first, without `object`. */
  declare readonly mro: readonly string[];
  /** The traceback as Python prints it, the worker's own frames left out; may be empty. */
  declare readonly traceback: string;
  /** The traceback in parts, outermost first. */
  declare readonly frames: readonly PythonFrame[];
  /** What `add_note` added. */
  readonly notes: readonly string[];
  /** The exception's attributes, those that can be encoded. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Names of attributes that are not in {@link data}: they cannot be encoded, or are too much. */
  declare readonly omitted: readonly string[];
  /** The exceptions of an `ExceptionGroup`, at most 16; empty for any other exception. */
  declare readonly exceptions: readonly PythonError[];

  static {
    identify(PythonError, 'PythonError');
  }

  constructor(message: string, fields: PythonErrorFields = {}) {
    super('PYTHON_ERROR', message, fields);
    this.pythonType = fields.pythonType ?? '';
    this.notes = fields.notes ?? [];
    this.data = fields.data ?? {};
    const traceback = fields.traceback ?? '';
    const bases = fields.mro ?? [];
    // Not enumerable: the stack shows all of it, and console.error prints the stack.
    hide(this, 'mro', bases[0] === this.pythonType ? bases : [this.pythonType, ...bases]);
    hide(this, 'traceback', traceback);
    hide(this, 'frames', fields.frames ?? []);
    hide(this, 'omitted', fields.omitted ?? []);
    hide(this, 'exceptions', fields.exceptions ?? []);
    hide(this, 'stack', `${this.stack}${section(traceback)}`);
  }

  /**
   * Whether the exception is one of a Python class, as `isinstance` has it.
   *
   * @param name the qualified name (`pkg.mod.MyError`) or the bare one (`MyError`, `ValueError`)
   */
  isinstance(name: string): boolean {
    const wanted = name.startsWith('builtins.') ? name.slice('builtins.'.length) : name;
    if (wanted === '') return false;
    return this.mro.some((base) => base === wanted || bareName(base) === wanted);
  }
}

function bareName(qualified: string): string {
  return qualified.slice(qualified.lastIndexOf('.') + 1);
}

/** The traceback as the second part of a stack. */
function section(traceback: string): string {
  const text = traceback.trimEnd();
  if (text === '') return '';
  return text.startsWith(HEADING)
    ? `\n\nPython t${text.slice(1)}`
    : `\n\nPython traceback:\n${text}`;
}

function hide(error: PythonError, name: string, value: unknown): void {
  const hidden = { configurable: true, enumerable: false, writable: true };
  Object.defineProperty(error, name, { ...hidden, value });
}
