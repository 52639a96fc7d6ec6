'use strict';

// The SDK of workers in Node, for `require`. `worker.mjs` names the same for `import`.

const {
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
} = require('./dist/worker/index.js');

module.exports = {
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
};
