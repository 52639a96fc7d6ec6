/** The handlers of one instance: what Python can call, by name. */

import { InvalidOptionError, show } from '../options/invalid.js';
import { checkName } from './names.js';
import { type NormalizedTool, normalizeTool, type ToolInfo, type ToolOptions } from './tools.js';

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
  /** Whether Python sees it and may call it; may be changed at any time. */
  exposed: boolean;
}

/** A registered function and what `this` is in it. */
export interface RegisteredHandler {
  readonly run: HostHandler;
  readonly receiver: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
  exposed: boolean;
}

/** The handlers of one instance, which outlive `dispose` and `spawn`; or those of one session. */
export class HostHandlers {
  readonly #handlers = new Map<string, RegisteredHandler>();

  /**
   * Registers a function or a module of functions: all of it or, if anything is wrong, nothing.
   *
   * @param options those of each of them
   * @throws TypeError if a name makes no sense or is taken, or if what is given is no function
   */
  add(name: string, handler: HostHandler | HostModule, options?: ToolOptions): HandlerRegistration {
    const added = entriesOf(name, handler, normalizeTool(options));
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
    return {
      dispose,
      [Symbol.dispose]: dispose,
      get exposed(): boolean {
        return added.every(([, entry]) => entry.exposed);
      },
      set exposed(value: boolean) {
        for (const [, entry] of added) entry.exposed = value;
      },
    };
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

  /** What Python gets by that very name. */
  get(name: string): RegisteredHandler | undefined {
    const entry = this.#handlers.get(name);
    return entry?.exposed ? entry : undefined;
  }

  /** In the order of registration, those that Python does not see included. */
  names(): string[] {
    return [...this.#handlers.keys()];
  }

  /** All of them, in the same order. */
  tools(): ToolInfo[] {
    return [...this.#handlers].map(([name, { metadata, exposed }]) => ({
      name,
      metadata,
      exposed,
    }));
  }
}

function entriesOf(
  name: string,
  handler: unknown,
  tool: NormalizedTool,
): [string, RegisteredHandler][] {
  checkName(name);
  if (typeof handler === 'function') {
    return [[name, { run: handler as HostHandler, receiver: undefined, ...tool }]];
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
    return [path, { run, receiver: handler, ...tool }];
  });
}
