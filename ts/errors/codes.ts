/** The table of error codes, as `src/error.rs` has it: a test compares the two. */

/** Every code, with the class that carries it. `docs/errors.md` explains each. */
export const CODES = {
  PYTHON_ERROR: 'PythonError',
  TIMEOUT: 'TimeoutError',
  WORKER_EXITED: 'WorkerExitedError',
  QUEUE_FULL: 'QueueFullError',
  CIRCUIT_OPEN: 'CircuitOpenError',
  RATE_LIMITED: 'RateLimitedError',
  HANDLER_NOT_FOUND: 'HandlerNotFoundError',
  VALIDATION: 'ValidationError',
  ENCODE: 'EncodeError',
  PROTOCOL: 'ProtocolError',
  FRAME_TOO_LARGE: 'ProtocolError',
  PROTOCOL_MISMATCH: 'ProtocolError',
  PYTHON_NOT_FOUND: 'EnvironmentError',
  VENV_FAILED: 'EnvironmentError',
  INSTALL_FAILED: 'EnvironmentError',
  DIRECTORY_NOT_FOUND: 'SpawnError',
  ENTRYPOINT_NOT_FOUND: 'SpawnError',
  REQUIREMENTS_NOT_FOUND: 'SpawnError',
  MODULE_NOT_FOUND: 'SpawnError',
  FUNCTION_NOT_FOUND: 'SpawnError',
  START_FAILED: 'SpawnError',
  ALREADY_SPAWNED: 'SpawnError',
  NOT_SPAWNED: 'DisposedError',
  DISPOSED: 'DisposedError',
  SESSION_QUOTA_EXCEEDED: 'SessionError',
  SESSION_EXISTS: 'SessionError',
  SESSION_WORKER_UNAVAILABLE: 'SessionError',
  WORKER_BUSY: 'SessionError',
  DEADLOCK: 'SessionError',
  POOL_NOT_FOUND: 'HubError',
  POOL_EXISTS: 'HubError',
  GROUP_EMPTY: 'HubError',
} as const;

/** What went wrong, as a stable name. Match on it rather than on messages. */
export type ErrorCode = keyof typeof CODES;

/** The name of an error class. */
export type ErrorClass = (typeof CODES)[ErrorCode];

/** The codes that one class carries. */
export type CodeOf<Class extends ErrorClass> = {
  [Code in ErrorCode]: (typeof CODES)[Code] extends Class ? Code : never;
}[ErrorCode];

/** A coarse sorting of errors, for metrics and for dashboards. */
export type ErrorCategory =
  | 'python_error'
  | 'timeout'
  | 'worker'
  | 'pool'
  | 'validation'
  | 'protocol'
  | 'environment'
  | 'lifecycle';

/** The category of each class. */
export const CATEGORIES: Readonly<Record<ErrorClass, ErrorCategory>> = {
  PythonError: 'python_error',
  TimeoutError: 'timeout',
  WorkerExitedError: 'worker',
  QueueFullError: 'pool',
  CircuitOpenError: 'pool',
  RateLimitedError: 'pool',
  HandlerNotFoundError: 'validation',
  ValidationError: 'validation',
  EncodeError: 'validation',
  ProtocolError: 'protocol',
  EnvironmentError: 'environment',
  SpawnError: 'environment',
  DisposedError: 'lifecycle',
  SessionError: 'pool',
  HubError: 'pool',
};

/** Codes where the same call may well succeed when it is made again. */
export const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TIMEOUT',
  'WORKER_EXITED',
  'QUEUE_FULL',
  'CIRCUIT_OPEN',
  'RATE_LIMITED',
  'SESSION_WORKER_UNAVAILABLE',
  'WORKER_BUSY',
]);

/** Whether a text is one of the codes. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(CODES, text);
}
