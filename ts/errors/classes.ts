/** The error classes but for `PythonError`, in the order of the table of codes. */

import { identify, SynapseError, type SynapseErrorFields, setGiven } from './base.js';
import type { CodeOf } from './codes.js';

/** A class's own fields, all of which may be absent. */
type Given<Fields> = SynapseErrorFields & {
  readonly [Name in keyof Fields]?: Fields[Name] | undefined;
};

/** A deadline passed. */
export class TimeoutError extends SynapseError {
  declare readonly code: 'TIMEOUT';
  /** What the time ran out on: waiting for a worker, running, or a worker's start. */
  declare readonly phase?: 'queue' | 'run' | 'start';

  static {
    identify(TimeoutError, 'TimeoutError');
  }

  constructor(message: string, fields: Given<Pick<TimeoutError, 'phase'>> = {}) {
    super('TIMEOUT', message, fields);
    setGiven(this, { phase: fields.phase });
  }
}

/** The worker's process died. */
export class WorkerExitedError extends SynapseError {
  declare readonly code: 'WORKER_EXITED';
  /** The exit code; null if a signal ended the process, or the code is not known. */
  readonly exitCode: number | null;
  /** The signal that ended the process, such as `SIGKILL`; null if none did. */
  readonly signal: string | null;

  static {
    identify(WorkerExitedError, 'WorkerExitedError');
  }

  constructor(message: string, fields: Given<Pick<WorkerExitedError, 'exitCode' | 'signal'>> = {}) {
    super('WORKER_EXITED', message, fields);
    this.exitCode = fields.exitCode ?? null;
    this.signal = fields.signal ?? null;
  }
}

/** As many calls wait as the option `queue.max` allows. */
export class QueueFullError extends SynapseError {
  declare readonly code: 'QUEUE_FULL';
  /** The bound, in calls. */
  declare readonly max?: number;

  static {
    identify(QueueFullError, 'QueueFullError');
  }

  constructor(message: string, fields: Given<Pick<QueueFullError, 'max'>> = {}) {
    super('QUEUE_FULL', message, fields);
    setGiven(this, { max: fields.max });
  }
}

/** The circuit breaker is open: calls fail at once until it has cooled down. */
export class CircuitOpenError extends SynapseError {
  declare readonly code: 'CIRCUIT_OPEN';
  /** How long until a call is let through again, in ms. */
  declare readonly retryAfter?: number;

  static {
    identify(CircuitOpenError, 'CircuitOpenError');
  }

  constructor(message: string, fields: Given<Pick<CircuitOpenError, 'retryAfter'>> = {}) {
    super('CIRCUIT_OPEN', message, fields);
    setGiven(this, { retryAfter: fields.retryAfter });
  }
}

/** As many calls of the handler have been made as the option `rateLimit` allows. */
export class RateLimitedError extends SynapseError {
  declare readonly code: 'RATE_LIMITED';
  /** How long until a call is let through again, in ms. */
  declare readonly retryAfter?: number;

  static {
    identify(RateLimitedError, 'RateLimitedError');
  }

  constructor(message: string, fields: Given<Pick<RateLimitedError, 'retryAfter'>> = {}) {
    super('RATE_LIMITED', message, fields);
    setGiven(this, { retryAfter: fields.retryAfter });
  }
}

/** No handler has that name. */
export class HandlerNotFoundError extends SynapseError {
  declare readonly code: 'HANDLER_NOT_FOUND';
  /** The names that there are. */
  readonly available: readonly string[];

  static {
    identify(HandlerNotFoundError, 'HandlerNotFoundError');
  }

  constructor(message: string, fields: Given<Pick<HandlerNotFoundError, 'available'>> = {}) {
    super('HANDLER_NOT_FOUND', message, fields);
    this.available = fields.available ?? [];
  }
}

/** Arguments do not fit the Python type hints. */
export class ValidationError extends SynapseError {
  declare readonly code: 'VALIDATION';
  /** Which argument, or which part of it. */
  declare readonly path?: string;

  static {
    identify(ValidationError, 'ValidationError');
  }

  constructor(message: string, fields: Given<Pick<ValidationError, 'path'>> = {}) {
    super('VALIDATION', message, fields);
    setGiven(this, { path: fields.path });
  }
}

/** A value cannot cross, in either direction. */
export class EncodeError extends SynapseError {
  declare readonly code: 'ENCODE';
  /** Where the value sits: `$.items[3].when`. */
  declare readonly path?: string;

  static {
    identify(EncodeError, 'EncodeError');
  }

  constructor(message: string, fields: Given<Pick<EncodeError, 'path'>> = {}) {
    super('ENCODE', message, fields);
    setGiven(this, { path: fields.path });
  }
}

/** Bytes that are no valid frame, a frame above `limits.frame`, or another protocol version. */
export class ProtocolError extends SynapseError {
  declare readonly code: CodeOf<'ProtocolError'>;
  /** Where in the value the bytes break a rule, counted in bytes. */
  declare readonly offset?: number;

  static {
    identify(ProtocolError, 'ProtocolError');
  }

  constructor(message: string, fields: Given<Pick<ProtocolError, 'code' | 'offset'>> = {}) {
    super(fields.code ?? 'PROTOCOL', message, fields);
    setGiven(this, { offset: fields.offset });
  }
}

/** An interpreter that was looked at and not taken. */
export interface Candidate {
  /** Where it is, or its name if no folder of `PATH` holds it. */
  readonly path: string;
  /** Why it was refused, in words. */
  readonly reason: string;
}

/** The Python environment cannot be found, made or filled. */
export class EnvironmentError extends SynapseError {
  declare readonly code: CodeOf<'EnvironmentError'>;
  /** `PYTHON_NOT_FOUND`: everything that was tried, in order. */
  declare readonly candidates?: readonly Candidate[];
  /** The end of what the tool said that failed: the installer, `venv`, or an interpreter. */
  declare readonly output?: string;

  static {
    identify(EnvironmentError, 'EnvironmentError');
  }

  constructor(
    code: CodeOf<'EnvironmentError'>,
    message: string,
    fields: Given<Pick<EnvironmentError, 'candidates' | 'output'>> = {},
  ) {
    super(code, message, fields);
    setGiven(this, { candidates: fields.candidates, output: fields.output });
  }
}

/** `spawn` cannot do what it was asked. If Python said why, `cause` is its exception. */
export class SpawnError extends SynapseError {
  declare readonly code: CodeOf<'SpawnError'>;
  /** `START_FAILED`: what the worker was at: `import`, `bind` or `start`. */
  declare readonly phase?: string;
  /** The worker's exit code, if it exited. */
  declare readonly exitCode?: number;
  /** The signal that ended the worker, if one did. */
  declare readonly signal?: string;
  /** Python's traceback, if Python said why. */
  declare readonly traceback?: string;

  static {
    identify(SpawnError, 'SpawnError');
  }

  constructor(
    code: CodeOf<'SpawnError'>,
    message: string,
    fields: Given<Pick<SpawnError, 'phase' | 'exitCode' | 'signal' | 'traceback'>> = {},
  ) {
    super(code, message, fields);
    setGiven(this, {
      phase: fields.phase,
      exitCode: fields.exitCode,
      signal: fields.signal,
      traceback: fields.traceback,
    });
  }
}

/** Used before `spawn`, used after `dispose`, or disposed of while in use. */
export class DisposedError extends SynapseError {
  declare readonly code: CodeOf<'DisposedError'>;

  static {
    identify(DisposedError, 'DisposedError');
  }

  constructor(code: CodeOf<'DisposedError'>, message: string, fields: SynapseErrorFields = {}) {
    super(code, message, fields);
  }
}

/** A session cannot be used as was asked. */
export class SessionError extends SynapseError {
  declare readonly code: CodeOf<'SessionError'>;
  /** Its id. */
  declare readonly session?: string;

  static {
    identify(SessionError, 'SessionError');
  }

  constructor(
    code: CodeOf<'SessionError'>,
    message: string,
    fields: Given<Pick<SessionError, 'session'>> = {},
  ) {
    super(code, message, fields);
    setGiven(this, { session: fields.session });
  }
}

/** A name of a hub is unknown or taken. */
export class HubError extends SynapseError {
  declare readonly code: CodeOf<'HubError'>;
  /** `POOL_NOT_FOUND`: the names of pools and groups that there are. */
  declare readonly available?: readonly string[];

  static {
    identify(HubError, 'HubError');
  }

  constructor(
    code: CodeOf<'HubError'>,
    message: string,
    fields: Given<Pick<HubError, 'available'>> = {},
  ) {
    super(code, message, fields);
    setGiven(this, { available: fields.available });
  }
}
