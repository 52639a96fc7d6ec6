/** The errors: classes, codes, and how they are made. `docs/errors.md` explains each code. */

export {
  type Frame,
  isSynapseError,
  SynapseError,
  type SynapseErrorFields,
} from './base.js';
export {
  type CodecFailure,
  fromCodec,
  fromFailure,
  fromPython,
  type NativeFailure,
  type Origin,
  type PythonErrorMap,
} from './build.js';
export {
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
export type { CodeOf, ErrorCategory, ErrorClass, ErrorCode } from './codes.js';
export { type PythonErrorKind, pythonErrors } from './kinds.js';
export { PythonError, type PythonErrorFields, type PythonFrame } from './python.js';
