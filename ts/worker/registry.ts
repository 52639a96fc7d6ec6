/** What the worker's file registers: handlers and hooks. */

import { types } from 'node:util';
import { RESERVED } from '../reserved.js';
import { shared } from './shared.js';

/** What can be registered. */
export type HandlerFunction = (...args: never[]) => unknown;

/** Options of a handler. All may be absent. */
export interface HandlerOptions {
  /** Whether `call(input)` reaches it. */
  readonly default?: boolean | undefined;
  /** Calls of it at once in one worker; default no limit of its own. */
  readonly concurrency?: number | undefined;
  /** Milliseconds that a call may take which gives no `timeout` itself; default any time. */
  readonly timeout?: number | undefined;
  /** Whether a call that may have run already may be sent again. */
  readonly idempotent?: boolean | undefined;
}

/** A registered function. */
export interface Handler extends HandlerOptions {
  readonly name: string;
  readonly run: (...args: unknown[]) => unknown;
  /** A call of it took long, so that finished replies should not wait behind the next one. */
  slow: boolean;
}

/** A function that runs once per worker. */
export type Hook = () => unknown;

/** Everything that one worker process has registered. */
export interface Registry {
  readonly handlers: Map<string, Handler>;
  readonly startHooks: Hook[];
  readonly stopHooks: Hook[];
  /** Set once the handlers have been announced: later ones would never be called. */
  sealed: boolean;
}

/** This process's. */
export const registry = shared(
  'registry',
  (): Registry => ({ handlers: new Map(), startHooks: [], stopHooks: [], sealed: false }),
);

/**
 * Registers a function, which Node calls by its name: a plain, an async or a generator function.
 *
 * ```ts
 * handler(function add(a: number, b: number) { return a + b; });
 * handler('text.upper', (text: string) => text.toUpperCase());
 * ```
 *
 * @returns the function
 * @throws TypeError if it has no name, the name is taken or reserved, or there is another default
 */
export function handler<Run extends HandlerFunction>(run: Run, options?: HandlerOptions): Run;
export function handler<Run extends HandlerFunction>(
  name: string,
  run: Run,
  options?: HandlerOptions,
): Run;
export function handler<Run extends HandlerFunction>(
  first: string | Run,
  second?: Run | HandlerOptions,
  third?: HandlerOptions,
): Run {
  const named = typeof first === 'string';
  const run = (named ? second : first) as Run;
  const options = ((named ? third : second) ?? {}) as HandlerOptions;
  if (typeof run !== 'function') throw new TypeError(`a handler must be a function, got ${run}`);
  const name = named ? first : run.name;
  if (name === '') throw new TypeError("a function without a name: use handler('name', function)");
  add({
    ...options,
    name,
    run: run as unknown as Handler['run'],
    slow: false,
  });
  return run;
}

function add(added: Handler): void {
  const { handlers, sealed } = registry;
  if (sealed) {
    throw new TypeError(`handler "${added.name}" comes too late: the worker has announced its own`);
  }
  if (added.name.startsWith(RESERVED)) {
    const why = `those that begin with "${RESERVED}" are kept for what every worker answers`;
    throw new TypeError(`handler "${added.name}" needs another name: ${why}`);
  }
  if (handlers.has(added.name)) {
    throw new TypeError(`there is a handler "${added.name}" already`);
  }
  const { name, concurrency, timeout } = added;
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency > 0)) {
    const wanted = 'must be a whole number from 1 on';
    throw new TypeError(`concurrency of handler "${name}" ${wanted}, got ${concurrency}`);
  }
  if (timeout !== undefined && !(timeout > 0)) {
    throw new TypeError(`timeout of handler "${name}" must be more than 0 ms, got ${timeout}`);
  }
  const other = added.default && [...handlers.values()].find((known) => known.default);
  if (other) {
    throw new TypeError(`handler "${added.name}" cannot be the default: "${other.name}" is`);
  }
  handlers.set(added.name, added);
}

/** Registers a function that runs once per worker before it is ready, and may be async. */
export function onStart<Run extends Hook>(run: Run): Run {
  registry.startHooks.push(run);
  return run;
}

/** Registers a function that runs when the worker ends in good order, and may be async. */
export function onStop<Run extends Hook>(run: Run): Run {
  registry.stopHooks.push(run);
  return run;
}

/**
 * A base class for handlers that belong together: every method of the class and of those between it
 * and this one becomes a handler, but for the constructor and names that begin with `_`.
 *
 * ```ts
 * class Calculator extends Handlers {
 *   add(a: number, b: number) { return a + b; }
 * }
 * new Calculator().register('calculator');   // calculator.add
 * ```
 */
export class Handlers {
  /**
   * Offers every method of the class and of those between it and `Handlers`, but for names that begin
   * with `_`.
   *
   * @param prefix comes before each name, with a dot
   */
  register(prefix = ''): this {
    const names = new Set<string>();
    let level: object = Object.getPrototypeOf(this);
    while (level !== Handlers.prototype && level !== Object.prototype) {
      for (const name of Object.getOwnPropertyNames(level)) names.add(name);
      level = Object.getPrototypeOf(level);
    }
    for (const name of names) {
      const method = (this as unknown as Record<string, unknown>)[name];
      if (name === 'constructor' || name.startsWith('_') || typeof method !== 'function') continue;
      const bound = (...args: unknown[]): unknown => method.apply(this, args);
      handler(prefix === '' ? name : `${prefix}.${name}`, bound);
    }
    return this;
  }
}

/** How a handler is announced; see "Hello" in docs/protocol.md. */
export function describeHandler(described: Handler): Record<string, unknown> {
  const { name, concurrency = null, timeout = null, idempotent = false, run } = described;
  const generator = types.isGeneratorFunction(run);
  const asynchronous = types.isAsyncFunction(run);
  const kind = generator
    ? asynchronous
      ? 'async_generator'
      : 'generator'
    : asynchronous
      ? 'coroutine'
      : 'function';
  return { name, kind, concurrency, timeout, idempotent };
}
