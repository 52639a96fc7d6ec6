/**
 * What one worker process has once, however many copies of this package it loads: the launcher's, and
 * one that the user's file finds.
 */

const store = globalThis as unknown as Record<symbol, unknown>;

/**
 * The value under a name, made by whoever asks first.
 *
 * @param name the same in all copies, as long as the value means the same
 */
export function shared<Value>(name: string, create: () => Value): Value {
  const key = Symbol.for(`synapse.worker.${name}`);
  if (store[key] === undefined) store[key] = create();
  return store[key] as Value;
}
