/** The handlers of one instance: what Python can call, by name. */

import { InvalidOptionError, show } from '../options/invalid.js';
import { checkName } from './names.js';

/**
 * A function that Python calls, with the positional arguments and then a
 * {@link HandlerContext}. It returns a value, a promise, or what can be iterated: a stream.
 */
// A method is compared loosely: handlers may declare what they expect.
export type HostHandler = { call(...args: unknown[]): unknown }['call'];

/** Handlers under a common name: `{ DataFetch() {} }` as `market` is `market.DataFetch`. */
export type HostModule = Readonly<Record<string, HostHandler>>;

/** What `handle` returns: takes back what it registered. Twice is harmless. */
export interface HandlerRegistration extends Disposable {
  /** Takes it back. Twice is harmless. */
  dispose(): void;
}

/** A registered function and what `this` is in it. */
export interface RegisteredHandler {
  readonly run: HostHandler;
  readonly receiver: unknown;
}

/** All handlers of one instance. They outlive `dispose` and `spawn`. */
export class HostHandlers {
  readonly #handlers = new Map<string, RegisteredHandler>();

  /**
   * Registers a function or a module of functions: all of it or, if anything is wrong, nothing.
   *
   * @throws TypeError if a name makes no sense or is taken, or if what is given is no function
   */
  add(name: string, handler: HostHandler | HostModule): HandlerRegistration {
    const added = entriesOf(name, handler);
    for (const [path] of added) {
      checkName(path);
      if (this.#handlers.has(path)) {
        throw new InvalidOptionError(`there is a handler "${path}" already: unhandle it first`);
      }
    }
    for (const [path, entry] of added) this.#handlers.set(path, entry);
    const dispose = (): void => {
      for (const [path, entry] of added) {
        // Somebody may have taken the name since.
        if (this.#handlers.get(path) === entry) this.#handlers.delete(path);
      }
    };
    return { dispose, [Symbol.dispose]: dispose };
  }

  /** Forgets a handler, or all of a module; answers whether there was one. */
  remove(name: string): boolean {
    const within = `${name}.`;
    let found = this.#handlers.delete(name);
    for (const path of this.names()) {
      if (path.startsWith(within)) found = this.#handlers.delete(path);
    }
    return found;
  }

  get(name: string): RegisteredHandler | undefined {
    return this.#handlers.get(name);
  }

  /** In the order of registration. */
  names(): string[] {
    return [...this.#handlers.keys()];
  }
}

function entriesOf(name: string, handler: unknown): [string, RegisteredHandler][] {
  checkName(name);
  if (typeof handler === 'function') {
    return [[name, { run: handler as HostHandler, receiver: undefined }]];
  }
  const members =
    typeof handler === 'object' && handler !== null ? Object.entries(handler as HostModule) : [];
  if (members.length === 0) {
    throw new InvalidOptionError(
      `the handler "${name}" must be a function or an object of functions, got ${show(handler)}`,
    );
  }
  return members.map(([member, run]) => {
    const path = `${name}.${member}`;
    if (typeof run !== 'function') {
      throw new InvalidOptionError(`the handler "${path}" must be a function, got ${show(run)}`);
    }
    return [path, { run, receiver: handler }];
  });
}
