/** A pool for the time of one function. */

import type { SpawnOptions } from './options/index.js';
import { Synapse } from './synapse.js';

/** What `withPool` runs: the options of `spawn`, and what it is given besides. */
export interface WithPoolOptions extends SpawnOptions {
  /** The module's folder. */
  readonly directory: string;
  /** The file to run, or `module:function`. */
  readonly entrypoint: string;
}

/**
 * Spawns a module, calls `work` with it, and disposes of it however `work` ends.
 *
 * ```ts
 * const sum = await withPool({ directory: './py_module', entrypoint: 'main', workers: 4 }, (pool) =>
 *   pool.invoke<number>('add', [1, 2]),
 * );
 * ```
 *
 * @returns what `work` answers
 * @throws what `spawn` or `work` throws, that very value
 */
export async function withPool<Result>(
  options: WithPoolOptions,
  work: (synapse: Synapse) => Result | PromiseLike<Result>,
): Promise<Result> {
  const { directory, entrypoint, ...spawnOptions } = options;
  const synapse = new Synapse(spawnOptions);
  let result: Result;
  try {
    await synapse.spawn(directory, entrypoint);
    result = await work(synapse);
  } catch (cause) {
    // What went wrong first is what the caller has to know.
    await synapse.dispose().catch(() => {});
    throw cause;
  }
  await synapse.dispose();
  return result;
}
