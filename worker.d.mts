// The types of `worker.mjs`.

export * from './worker.js';
