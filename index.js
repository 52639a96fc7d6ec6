'use strict';

// The public surface, for `require`. `index.mjs` names the same for `import`.

const {
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  isSynapseError,
  Kwargs,
  kwargs,
  NativeLoadError,
  NdArray,
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
} = require('./dist/index.js');

module.exports = {
  CircuitOpenError,
  DisposedError,
  EncodeError,
  EnvironmentError,
  HandlerNotFoundError,
  isSynapseError,
  Kwargs,
  kwargs,
  NativeLoadError,
  NdArray,
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
};
