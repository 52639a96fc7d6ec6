/** `@himalaya-quant/synapse/worker`: the SDK of workers in Node. It does not load the addon. */

export { NdArray, ndarray } from '../codec/ndarray.js';
export { Kwargs, kwargs } from '../kwargs.js';
export { CancelledError, type Context, context, type Log } from './context.js';
export type { HostFunction } from './functions.js';
export { type Host, HostCall, HostError, host } from './host.js';
export {
  type HandlerFunction,
  type HandlerOptions,
  Handlers,
  handler,
  onStart,
  onStop,
} from './registry.js';
export type { SessionState } from './session.js';
