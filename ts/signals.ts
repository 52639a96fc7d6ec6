/** An orderly end by signals, for those who ask for it: nothing here listens by itself. */

import type { HandlerRegistration } from './callbacks/index.js';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/**
 * Has an instance or a hub disposed of when a signal asks this process to end. The process then ends
 * by that signal, as it would have without this; a second signal ends it at once. Workers end with
 * Node in any case: this gives them the time to run their `on_stop`.
 *
 * @param instance a `Synapse`, a `SynapseHub`, or anything with `Symbol.asyncDispose`
 * @param signals default `SIGINT` and `SIGTERM`
 * @returns stops listening when disposed of
 */
export function disposeOnSignals(
  instance: AsyncDisposable,
  signals: readonly NodeJS.Signals[] = SIGNALS,
): HandlerRegistration {
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, end);
  };
  const end = (signal: NodeJS.Signals): void => {
    dispose();
    const finish = (): void => {
      process.kill(process.pid, signal);
    };
    instance[Symbol.asyncDispose]().then(finish, finish);
  };
  for (const signal of signals) process.on(signal, end);
  return { dispose, [Symbol.dispose]: dispose };
}
