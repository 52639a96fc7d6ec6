/** Makes errors of what the engine, Python and the codec report. */

import type { SynapseError, SynapseErrorFields } from './base.js';
import { EncodeError, ProtocolError } from './classes.js';
import { isErrorCode } from './codes.js';
import { missingModule } from './hints.js';
import { hostError } from './host.js';
import { MAKERS } from './makers.js';
import { PythonError, type PythonFrame } from './python.js';
import { Reader } from './reader.js';

/** A failure as the engine reports it: a code, a sentence, and the fields of the error's class. */
export interface NativeFailure {
  readonly code: string;
  readonly message: string;
  readonly [detail: string]: unknown;
}

/** The map that a frame of the kind `error` carries, decoded. See `docs/protocol.md`. */
export type PythonErrorMap = Readonly<Record<string, unknown>>;

/** What the codec throws. */
export interface CodecFailure extends Error {
  readonly code: 'ENCODE' | 'FRAME_TOO_LARGE' | 'PROTOCOL';
  /** Of a value that cannot be encoded: where it sits. */
  readonly path?: string;
  /** Of bytes that cannot be decoded: which of them. */
  readonly offset?: number;
}

/**
 * What the report does not say itself: the call, what led to the failure, and (`above`) the function
 * at whose caller the stack begins; by default that is the caller of the builder.
 */
export type Origin = Pick<SynapseErrorFields, 'worker' | 'handler' | 'callId' | 'cause' | 'above'>;

/** The error that a failure reported by the engine stands for. */
export function fromFailure(failure: NativeFailure, origin: Origin = {}): SynapseError {
  const above = origin.above ?? fromFailure;
  const { code, message, ...details } = failure;
  const reader = new Reader(details);
  const python = reader.record('pythonError');
  const cause = origin.cause ?? (python && asCause(python));
  return make(code, message, reader, { ...origin, above, cause }, python && missingModule(python));
}

/** The error that a worker reported of a call. */
export function fromPython(failure: PythonErrorMap, origin: Origin = {}): SynapseError {
  const above = origin.above ?? fromPython;
  const code = new Reader(failure).text('code');
  // A code that only a newer SDK knows is treated as the exception that it is.
  if (code === undefined || code === 'PYTHON_ERROR' || !isErrorCode(code)) {
    const details = code === undefined || code === 'PYTHON_ERROR' ? undefined : { code };
    return python(failure, { ...origin, above, details });
  }
  const cause = origin.cause ?? leadingTo(failure);
  // What the SDK's own exceptions carry as attributes are fields of the error's class.
  const { data, ...known } = failure;
  const fields = { ...new Reader({ data }).record('data'), ...known };
  const reader = new Reader(fields).drop(
    'code',
    'type',
    'mro',
    'traceback',
    'frames',
    'notes',
    'cause',
  );
  return make(code, reader.text('message') ?? '', reader, { ...origin, above, cause });
}

/** The error that a failure of the codec stands for. Its cause, if any, is taken over. */
export function fromCodec(failure: CodecFailure, origin: Origin = {}): SynapseError {
  const above = origin.above ?? fromCodec;
  const fields = { ...origin, above, cause: origin.cause ?? failure.cause };
  const { code, message, path, offset } = failure;
  return code === 'ENCODE'
    ? new EncodeError(message, { ...fields, path })
    : new ProtocolError(message, { ...fields, code, offset });
}

function make(
  code: string,
  message: string,
  reader: Reader,
  origin: Origin,
  hint?: string,
): SynapseError {
  const complete = <Own extends object>(own: Own): Own & SynapseErrorFields =>
    Object.assign(own, {
      above: origin.above,
      cause: origin.cause,
      retryable: reader.boolean('retryable'),
      timestamp: reader.number('timestamp'),
      worker: reader.number('worker') ?? origin.worker,
      handler: reader.text('handler') ?? origin.handler,
      callId: reader.number('callId') ?? origin.callId,
      stderrTail: reader.text('stderrTail'),
      mayHaveExecuted: reader.boolean('mayHaveExecuted'),
      hint: reader.text('hint') ?? hint,
      details: reader.rest(),
    });
  if (isErrorCode(code)) return MAKERS[code](message, reader, complete);
  // The package and its addon are of different versions.
  return new ProtocolError(`unknown error code "${code}": ${message}`, complete({}));
}

function python(failure: PythonErrorMap, fields: SynapseErrorFields): PythonError {
  const reader = new Reader(failure);
  const cause = reader.record('cause');
  const type = reader.text('type');
  const data = reader.record('data');
  return new PythonError(reader.text('message') ?? '', {
    ...fields,
    cause: fields.cause ?? hostError(type, data && new Reader(data)) ?? (cause && asCause(cause)),
    pythonType: type,
    mro: reader.texts('mro'),
    traceback: reader.text('traceback'),
    frames: reader.list('frames', frame),
    notes: reader.texts('notes'),
    data,
    omitted: reader.texts('omitted'),
    exceptions: reader.records('exceptions')?.map(asCause),
  });
}

/** An exception that led to another. JavaScript's frames would only repeat those of the other. */
function asCause(failure: PythonErrorMap): PythonError {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return python(failure, {});
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** What led to an error that is no `PythonError` itself: its cause, else the exception it was. */
function leadingTo(failure: PythonErrorMap): PythonError | undefined {
  const reader = new Reader(failure);
  const cause = reader.record('cause');
  if (cause !== undefined) return asCause(cause);
  // The SDK's own refusals have no line of the user's to show: they would only say the same again.
  return reader.list('frames', frame)?.length ? asCause(failure) : undefined;
}

function frame(reader: Reader): PythonFrame {
  return {
    file: reader.text('file') ?? '',
    line: reader.number('line') ?? 0,
    name: reader.text('name') ?? '',
    text: reader.text('text') ?? '',
  };
}
