// The SDK of workers in Node, for `import`. `worker.js` holds the values; docs/decisions/0003 says why.

import surface from './worker.js';

export const {
  CancelledError,
  context,
  Handlers,
  HostCall,
  HostError,
  handler,
  host,
  Kwargs,
  kwargs,
  NdArray,
  ndarray,
  onStart,
  onStop,
} = surface;
