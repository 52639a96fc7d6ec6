// The types of the public surface.

export {
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  kwargs,
  ndarray,
  ProtocolError,
  PythonError,
  QueueFullError,
  SpawnError,
  Synapse,
  SynapseError,
  TimeoutError,
  ValidationError,
  WorkerExitedError,
} from './dist/index.js';
