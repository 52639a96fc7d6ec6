/** An orderly end by signals, for those who ask for it: nothing here listens by itself. */

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** How many disposals are under way, so that none is cut short by the end of another. */
let disposals = 0;

/** Stops listening when disposed of. Twice is harmless. */
export interface SignalRegistration extends Disposable {
  /** Listens no more. */
  dispose(): void;
}

/**
 * Has an instance or a hub disposed of when a signal asks this process to end. The process then ends
 * by that signal, as it would have without this; a second signal ends it at once. If the program itself
 * listens to that signal, Node does not end by it, and the program has to end when it likes. Workers end
 * with Node in any case: this gives them the time to run their `on_stop`.
 *
 * @param instance a `Synapse`, a `SynapseHub`, or anything with `Symbol.asyncDispose`
 * @param signals default `SIGINT` and `SIGTERM`
 * @returns stops listening when disposed of
 */
export function disposeOnSignals(
  instance: AsyncDisposable,
  signals: readonly NodeJS.Signals[] = SIGNALS,
): SignalRegistration {
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, end);
  };
  const end = (signal: NodeJS.Signals): void => {
    dispose();
    disposals += 1;
    const finish = (): void => {
      disposals -= 1;
      // Whoever else listens has had the signal, and would have kept Node from ending by it.
      const ends = disposals === 0 && process.listenerCount(signal) === 0;
      if (ends) process.kill(process.pid, signal);
    };
    instance[Symbol.asyncDispose]().then(finish, finish);
  };
  for (const signal of signals) process.on(signal, end);
  return { dispose, [Symbol.dispose]: dispose };
}
