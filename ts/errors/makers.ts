/** How an error of each code is made from a record of details. */

import type { SynapseError, SynapseErrorFields } from './base.js';
import {
  type Candidate,
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  HubError,
  ProtocolError,
  QueueFullError,
  RateLimitedError,
  SessionError,
  SpawnError,
  TimeoutError,
  ValidationError,
  WorkerExitedError,
} from './classes.js';
import type { CodeOf, ErrorCode } from './codes.js';
import { PythonError } from './python.js';
import type { Reader } from './reader.js';

/** Adds the fields of every error to those of a class; what nobody has read becomes `details`. */
export type Complete = <Own extends object>(own: Own) => Own & SynapseErrorFields;

/** Makes an error of a report: reads the fields of its class, then completes them. */
export type Maker = (message: string, reader: Reader, complete: Complete) => SynapseError;

function protocol(code: CodeOf<'ProtocolError'>): Maker {
  return (message, reader, complete) => {
    const offset = reader.number('offset');
    return new ProtocolError(message, complete({ code, offset }));
  };
}

function environment(code: CodeOf<'EnvironmentError'>): Maker {
  return (message, reader, complete) => {
    const candidates = reader.list('candidates', candidate);
    const output = reader.text('output');
    return new EnvironmentError(code, message, complete({ candidates, output }));
  };
}

function spawn(code: CodeOf<'SpawnError'>): Maker {
  return (message, reader, complete) => {
    const phase = reader.text('phase');
    const exitCode = reader.number('exitCode');
    const signal = reader.text('signal');
    const traceback = reader.text('traceback') || undefined;
    return new SpawnError(code, message, complete({ phase, exitCode, signal, traceback }));
  };
}

function disposed(code: CodeOf<'DisposedError'>): Maker {
  return (message, _reader, complete) => new DisposedError(code, message, complete({}));
}

function session(code: CodeOf<'SessionError'>): Maker {
  return (message, reader, complete) => {
    const id = reader.text('session');
    return new SessionError(code, message, complete({ session: id }));
  };
}

function hub(code: CodeOf<'HubError'>): Maker {
  return (message, reader, complete) => {
    const available = reader.texts('available');
    return new HubError(code, message, complete({ available }));
  };
}

/** One maker a code. */
export const MAKERS: Readonly<Record<ErrorCode, Maker>> = {
  // From the engine only where a 1.4 script wrote `[ERROR` to stderr: there is no exception.
  PYTHON_ERROR: (message, _reader, complete) => new PythonError(message, complete({})),
  TIMEOUT: (message, reader, complete) => {
    const phase = reader.oneOf('phase', ['queue', 'run', 'start']);
    return new TimeoutError(message, complete({ phase }));
  },
  WORKER_EXITED: (message, reader, complete) => {
    const exitCode = reader.number('exitCode');
    const signal = reader.text('signal');
    return new WorkerExitedError(message, complete({ exitCode, signal }));
  },
  QUEUE_FULL: (message, reader, complete) => {
    const max = reader.number('max');
    return new QueueFullError(message, complete({ max }));
  },
  CIRCUIT_OPEN: (message, reader, complete) => {
    const retryAfter = reader.number('retryAfter');
    return new CircuitOpenError(message, complete({ retryAfter }));
  },
  RATE_LIMITED: (message, reader, complete) => {
    const retryAfter = reader.number('retryAfter');
    return new RateLimitedError(message, complete({ retryAfter }));
  },
  HANDLER_NOT_FOUND: (message, reader, complete) => {
    const available = reader.texts('available');
    return new HandlerNotFoundError(message, complete({ available }));
  },
  VALIDATION: (message, reader, complete) => {
    const path = reader.text('path');
    return new ValidationError(message, complete({ path }));
  },
  ENCODE: (message, reader, complete) => {
    const path = reader.text('path');
    return new EncodeError(message, complete({ path }));
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
  SESSION_QUOTA_EXCEEDED: session('SESSION_QUOTA_EXCEEDED'),
  SESSION_EXISTS: session('SESSION_EXISTS'),
  SESSION_WORKER_UNAVAILABLE: session('SESSION_WORKER_UNAVAILABLE'),
  WORKER_BUSY: session('WORKER_BUSY'),
  DEADLOCK: session('DEADLOCK'),
  POOL_NOT_FOUND: hub('POOL_NOT_FOUND'),
  POOL_EXISTS: hub('POOL_EXISTS'),
  GROUP_EMPTY: hub('GROUP_EMPTY'),
};

function candidate(reader: Reader): Candidate {
  return { path: reader.text('path') ?? '', reason: reader.text('reason') ?? '' };
}
