// What `synapse conformance` asks of a worker, in Node.

import { setTimeout as delay } from 'node:timers/promises';
import { context, handler, host } from '@himalaya-quant/synapse/worker';

handler('echo', (value) => value);

handler('fail', (message) => {
  throw new TypeError(message);
});

// Keyword arguments are an object.
handler('add', (a, b) => (typeof a === 'object' ? a.a + a.b : a + b));

handler('count', function* (number) {
  for (let index = 0; index < number; index++) yield index;
});

handler('sleep', (ms) => delay(ms, undefined, { signal: context().signal }));

handler('ask', (name, ...args) => host.call(name, ...args));
