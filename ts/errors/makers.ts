/** How an error of each code is made from a record of details. */

import type { SynapseError, SynapseErrorFields } from './base.js';
import {
  type Candidate,
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  ProtocolError,
  QueueFullError,
  SpawnError,
  TimeoutError,
  ValidationError,
  WorkerExitedError,
} from './classes.js';
import type { CodeOf, ErrorCode } from './codes.js';
import { PythonError } from './python.js';
import type { Reader } from './reader.js';

/**
 * Takes the fields of its class first; `fields()` then yields those of every error, with what nobody
 * took as `details`.
 */
export type Maker = (
  message: string,
  reader: Reader,
  fields: () => SynapseErrorFields,
) => SynapseError;

function protocol(code: CodeOf<'ProtocolError'>): Maker {
  return (message, reader, fields) => {
    const offset = reader.number('offset');
    return new ProtocolError(message, { code, offset, ...fields() });
  };
}

function environment(code: CodeOf<'EnvironmentError'>): Maker {
  return (message, reader, fields) => {
    const candidates = reader.list('candidates', candidate);
    const output = reader.text('output');
    return new EnvironmentError(code, message, { candidates, output, ...fields() });
  };
}

function spawn(code: CodeOf<'SpawnError'>): Maker {
  return (message, reader, fields) => {
    const phase = reader.text('phase');
    const exitCode = reader.number('exitCode');
    const signal = reader.text('signal');
    const traceback = reader.text('traceback') || undefined;
    return new SpawnError(code, message, { phase, exitCode, signal, traceback, ...fields() });
  };
}

function disposed(code: CodeOf<'DisposedError'>): Maker {
  return (message, _reader, fields) => new DisposedError(code, message, fields());
}

/** One maker a code. */
export const MAKERS: Readonly<Record<ErrorCode, Maker>> = {
  // From the engine only where a 1.4 script wrote `[ERROR` to stderr: there is no exception.
  PYTHON_ERROR: (message, _reader, fields) => new PythonError(message, fields()),
  TIMEOUT: (message, reader, fields) => {
    const phase = reader.oneOf('phase', ['queue', 'run', 'start']);
    return new TimeoutError(message, { phase, ...fields() });
  },
  WORKER_EXITED: (message, reader, fields) => {
    const exitCode = reader.number('exitCode');
    const signal = reader.text('signal');
    return new WorkerExitedError(message, { exitCode, signal, ...fields() });
  },
  QUEUE_FULL: (message, reader, fields) => {
    const max = reader.number('max');
    return new QueueFullError(message, { max, ...fields() });
  },
  CIRCUIT_OPEN: (message, reader, fields) => {
    const retryAfter = reader.number('retryAfter');
    return new CircuitOpenError(message, { retryAfter, ...fields() });
  },
  HANDLER_NOT_FOUND: (message, reader, fields) => {
    const available = reader.texts('available');
    return new HandlerNotFoundError(message, { available, ...fields() });
  },
  VALIDATION: (message, reader, fields) => {
    const path = reader.text('path');
    return new ValidationError(message, { path, ...fields() });
  },
  ENCODE: (message, reader, fields) => {
    const path = reader.text('path');
    return new EncodeError(message, { path, ...fields() });
  },
  PROTOCOL: protocol('PROTOCOL'),
  FRAME_TOO_LARGE: protocol('FRAME_TOO_LARGE'),
  PROTOCOL_MISMATCH: protocol('PROTOCOL_MISMATCH'),
  PYTHON_NOT_FOUND: environment('PYTHON_NOT_FOUND'),
  VENV_FAILED: environment('VENV_FAILED'),
  INSTALL_FAILED: environment('INSTALL_FAILED'),
  DIRECTORY_NOT_FOUND: spawn('DIRECTORY_NOT_FOUND'),
  ENTRYPOINT_NOT_FOUND: spawn('ENTRYPOINT_NOT_FOUND'),
  REQUIREMENTS_NOT_FOUND: spawn('REQUIREMENTS_NOT_FOUND'),
  MODULE_NOT_FOUND: spawn('MODULE_NOT_FOUND'),
  FUNCTION_NOT_FOUND: spawn('FUNCTION_NOT_FOUND'),
  START_FAILED: spawn('START_FAILED'),
  ALREADY_SPAWNED: spawn('ALREADY_SPAWNED'),
  NOT_SPAWNED: disposed('NOT_SPAWNED'),
  DISPOSED: disposed('DISPOSED'),
};

function candidate(reader: Reader): Candidate {
  return { path: reader.text('path') ?? '', reason: reader.text('reason') ?? '' };
}
