// The types of the SDK of workers in Node.

export {
  CancelledError,
  type Context,
  context,
  type HandlerFunction,
  type HandlerOptions,
  Handlers,
  type Host,
  HostCall,
  HostError,
  type HostFunction,
  handler,
  host,
  Kwargs,
  kwargs,
  type Log,
  NdArray,
  ndarray,
  onStart,
  onStop,
  type SessionState,
} from './dist/worker/index.js';
