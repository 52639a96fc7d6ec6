/**
 * Waits for an `AbortSignal`. However many calls share one, it gets one listener: Node takes more than ten
 * for a leak, and warns; and the limit is the user's, whose own leaks it shall still tell.
 */

/** What one signal's listener runs. */
interface Watched {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}

const watched = new WeakMap<AbortSignal, Watched>();

/**
 * Runs an action when a signal is aborted, those of one signal in the order in which they were added.
 *
 * @param signal not aborted yet
 * @returns takes the action back; harmless when it has run. The last one takes the listener off
 */
export function whenAborted(signal: AbortSignal, action: () => void): () => void {
  const { actions, listener } = watched.get(signal) ?? watch(signal);
  // Its own object, so that one action that is added twice runs twice.
  const entry = (): void => action();
  actions.add(entry);
  return () => {
    if (actions.delete(entry) && actions.size === 0) {
      signal.removeEventListener('abort', listener);
      watched.delete(signal);
    }
  };
}

function watch(signal: AbortSignal): Watched {
  const actions = new Set<() => void>();
  const listener = (): void => {
    watched.delete(signal);
    for (const action of actions) {
      try {
        action();
      } catch (error) {
        // As with listeners of their own: the others run, and the error is nobody's to catch.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  };
  const found = { actions, listener };
  watched.set(signal, found);
  signal.addEventListener('abort', listener, { once: true });
  return found;
}
