// The public surface, for `import`. `index.js` holds the values; docs/decisions/0003 says why.

import surface from './index.js';

export const {
  ArrowIpc,
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  HubError,
  isSynapseError,
  isUnserializable,
  Kwargs,
  kwargs,
  NativeLoadError,
  NdArray,
  ndarray,
  ProtocolError,
  PythonError,
  QueueFullError,
  RateLimitedError,
  resolvePython,
  Session,
  SessionError,
  SpawnError,
  Synapse,
  SynapseError,
  SynapseHub,
  TimeoutError,
  ValidationError,
  WorkerExitedError,
} = surface;
