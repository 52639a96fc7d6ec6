/** 16 MiB of bytes, there and back. */

import { median } from '../library/statistics.mjs';
import { atMost, unbeaten } from '../library/targets.mjs';
import { bytes as makeBytes } from '../library/values.mjs';
import { singleMedian } from './single.mjs';

const value = makeBytes(16 * 1024 * 1024);
const COPIES = 5;
const WASM_PAGE = 64 * 1024;

/**
 * Milliseconds for one copy into memory that the process has never touched: what the page faults of
 * a result cost, wherever it comes from. Each memory is kept until the turn ends, so none is reused.
 */
function copyIntoFreshMemory() {
  const copies = [];
  const durations = [];
  for (let index = 0; index < COPIES; index += 1) {
    // Not `ArrayBuffer`: the allocator would hand out memory that was freed before.
    const memory = new WebAssembly.Memory({ initial: value.length / WASM_PAGE });
    const target = new Uint8Array(memory.buffer);
    const begin = performance.now();
    target.set(value);
    durations.push(performance.now() - begin);
    copies.push(target);
  }
  return median(durations);
}

export const bytes = {
  id: 'bytes',
  title: '16 MiB of bytes, there and back',
  unit: 'ms',
  passes: ['pinned', 'free'],
  rounds: 5,
  shared: true,
  check: value,
  accepts: ({ capabilities }) => capabilities.bytes,
  references: [
    { id: 'copy', title: 'one copy into fresh memory', measure: async () => copyIntoFreshMemory() },
  ],
  measure: (ctx) => singleMedian(ctx, value),
  targets: [
    atMost('synapse', { pinned: 0.05, free: 0.05 }),
    atMost('synapse', { pinned: 1.0, free: 1.0 }, 'copy'),
    unbeaten('synapse', { passes: ['pinned', 'free'] }),
  ],
};
