/** `Synapse`: one Python module, its workers, and how to call them. What runs is in `lifecycle.ts`. */

import { EventEmitter } from 'node:events';
import type { Observable } from 'rxjs';
import { type Api, createApi } from './api.js';
import { layOut } from './arguments.js';
import {
  type HandlerRegistration,
  type HostHandler,
  HostHandlers,
  type HostModule,
  type ToolInfo,
  type ToolOptions,
  waitWithInputs,
} from './callbacks/index.js';
import type { CallTarget } from './calls.js';
import { DisposedError } from './errors/index.js';
import type { SynapseEvents } from './events.js';
import { withFallback } from './fallback.js';
import { InstanceLogs } from './instance-logs.js';
import { deliver, hasItems, type ItemOptions } from './items.js';
import { Lifecycle } from './lifecycle.js';
import { type MapItems, type MapOptions, mapItems } from './map.js';
import type { PoolRequest } from './operations.js';
import {
  type CallOptions,
  checkCallNames,
  checkSpawnOptions,
  checkStreamOptions,
  type FallbackOption,
  normalizeCallOptions,
  normalizeIdleTimeout,
  normalizeReady,
  normalizeResume,
  normalizeResumeFrom,
  normalizeScale,
  normalizeWorker,
  type SessionOptions,
  type SpawnOptions,
  type StreamOptions,
} from './options/index.js';
import { parseJson } from './parse-json.js';
import { createRelay } from './relay.js';
import { ResumableStreams } from './resumable.js';
import {
  Globals,
  type Session,
  SessionManager,
  type SessionOwner,
  type SessionStore,
} from './sessions/index.js';
import { readStats, readWorkers, type Stats, type WorkerInfo } from './stats.js';
import { PythonStream } from './stream.js';
import { keepAlive, type Target } from './target.js';
import * as header from './wire/header.js';

/** What `call` reaches. */
const DEFAULT_HANDLER: CallTarget = {
  handler: header.DEFAULT_HANDLER,
  name: undefined,
  form: header.ARGUMENT_VALUE,
  credit: 0,
  finish: undefined,
};

/**
 * Calls Python. One instance runs one module in one or more worker processes.
 *
 * ```ts
 * const synapse = new Synapse();
 * await synapse.spawn('./py_module', 'main');
 * const reply = await synapse.call({ foo: 'bar' });
 * await synapse.dispose();
 * ```
 */
export class Synapse extends EventEmitter<SynapseEvents> {
  readonly #logs = new InstanceLogs();
  /** The same, with its reply parsed as JSON. */
  readonly #parsed: CallTarget = {
    ...DEFAULT_HANDLER,
    finish: (reply) => parseJson(reply, (text) => this.#remark(text)),
  };
  readonly #hostHandlers = new HostHandlers();
  readonly #resumable = new ResumableStreams();
  readonly #lifecycle: Lifecycle;
  readonly #owner: SessionOwner = {
    call: (input, options) => this.call(input, options),
    invoke: (name, args, options) => this.invoke(name, args, options),
    stream: (name, args, options) => this.stream(name, args, options),
    store: (act) => this.#withSessions(act),
    openHandlers: (id, ttl) => this.#openHandlers(id, ttl),
    handlersOf: (id) => this.#lifecycle.target?.engine.sessionHandlers.of(id),
    isStream: (name) => this.#lifecycle.target?.handlers.isStream(name) ?? false,
  };
  /** The sessions of this instance: make, list, delete, count. */
  readonly sessions = new SessionManager(this.#owner);
  /** Values of this instance that belong to no session. They end with the workers' target. */
  readonly globals = new Globals(this.#owner);

  /**
   * @param defaults options for every `spawn` of this instance
   * @throws TypeError or RangeError that names the option and echoes the value
   */
  constructor(defaults: SpawnOptions = {}) {
    super();
    checkSpawnOptions(defaults);
    const relay = createRelay(this, (text) => this.#logs.push(text));
    this.#lifecycle = new Lifecycle(defaults, this.#hostHandlers, relay);
  }

  /** What Python writes to stderr, each piece after `🐍 Python: `. Never completes. */
  get instanceLogs(): Observable<string> {
    return this.#logs.observable;
  }

  /**
   * Prepares the module's environment, starts its workers, and resolves when Python is ready to take
   * a call. Does nothing if that very target runs already.
   *
   * @param directory the module's folder; its environment is made in `.venv` there
   * @param entrypoint the file to run, with or without `.py`; or `module:function`, and that
   *   function gets every call
   * @throws SpawnError if something is missing or Python does not start
   * @throws EnvironmentError if no Python fits or the installation fails
   */
  spawn(directory: string, entrypoint: string, options?: SpawnOptions): Promise<void> {
    return this.#lifecycle.spawn(directory, entrypoint, options);
  }

  /**
   * Sends one value to the module's default handler, or to a script of version 1.4.
   *
   * @param input any value that can cross (see docs/values.md)
   * @param options `true` to parse a string reply as JSON, as in 1.4; or the options of the call
   */
  call<Result = unknown>(
    input: unknown,
    options?: boolean | (CallOptions & { parseJson?: boolean }),
  ): Promise<Result> {
    if (options === undefined) return this.#call<Result>(DEFAULT_HANDLER, input, undefined);
    const isRecord = typeof options === 'object';
    const target = (isRecord ? options.parseJson : options) ? this.#parsed : DEFAULT_HANDLER;
    return this.#call<Result>(target, input, isRecord ? options : undefined);
  }

  /**
   * Calls a handler by name.
   *
   * @param args an array: positional arguments, of which the last may be `kwargs()`; `kwargs()`:
   *   keyword arguments; anything else: one positional argument; left out: no arguments
   * @param options with `onItem`, a function takes what the handler yields, item by item, and the
   *   promise resolves with their number
   * @throws HandlerNotFoundError if the module has no such handler
   */
  invoke<Item = unknown>(name: string, args: unknown, options: ItemOptions<Item>): Promise<number>;
  invoke<Result = unknown>(name: string, args?: unknown, options?: CallOptions): Promise<Result>;
  invoke<Result>(name: string, args?: unknown, options?: CallOptions): Promise<Result | number> {
    if (hasItems(options)) return deliver(options, (rest) => this.stream(name, args, rest));
    const target = this.#lifecycle.target;
    if (target === undefined || !target.isReady) {
      return this.#whenReady(() => this.invoke(name, args, options), args);
    }
    let handler: number;
    try {
      handler = target.handlers.demand(name);
    } catch (cause) {
      return Promise.reject(cause);
    }
    const { form, value } = layOut(args);
    return this.#call<Result>(target.handlers.target(handler, form), value, options, args);
  }

  /**
   * Calls a handler that yields, and iterates over what it yields; a plain result is a stream of one
   * item. Leaving the loop closes the Python generator.
   *
   * @param args as for {@link invoke}
   * @param options as for {@link invoke}, and `idleTimeout`: the longest wait for one item, in ms;
   *   `resume`: whether it goes on with another worker if its own dies; `resumeFrom`: the number of
   *   the last item that is there already
   */
  stream<Item = unknown>(
    name: string,
    args?: unknown,
    options: StreamOptions = {},
  ): PythonStream<Item> {
    checkCallNames(options, ['idleTimeout', 'resume', 'resumeFrom']);
    const { idleTimeout, resume, resumeFrom, ...callOptions } = options;
    const idleMs = normalizeIdleTimeout(idleTimeout);
    const going = { again: normalizeResume(resume), from: normalizeResumeFrom(resumeFrom) };
    const observer = going.again ? this.#resumable.begin() : undefined;
    const stream = new PythonStream<Item>({ idleMs, resumeFrom: going.from, observer });
    const start = (target: Target): void => {
      try {
        const handler = target.handlers.demand(name);
        const credit = PythonStream.firstCredit;
        const { form, value } = layOut(args);
        const call = { handler, name, form, credit, resume: going, finish: undefined };
        checkStreamOptions(callOptions);
        const normalized = normalizeCallOptions(callOptions, target.streamTimeoutMs);
        stream.connect(target.engine.stream(call, value, normalized, stream));
      } catch (cause) {
        stream.reject(cause);
      }
    };
    const target = this.#lifecycle.target;
    if (target?.isReady) start(target);
    else {
      const admission = waitWithInputs(args, this.#lifecycle.admitted());
      admission.then(start, (cause: unknown) => stream.reject(cause));
    }
    return stream;
  }

  /**
   * A typed proxy over {@link invoke} and {@link stream}: `api.add(1, 2)` invokes `add` with `[1, 2]`,
   * `api.text.upper('x')` invokes `text.upper`, and a generator of the module is a stream. Which
   * handlers are generators is known once `spawn` has resolved; until then all are invoked. It passes
   * positional arguments; `kwargs()` is for `invoke` and `stream`.
   *
   * @param options those of every call that is made through the proxy: `api<Module>({ signal })`
   * @throws TypeError or RangeError that names the option and echoes the value
   */
  api<Module>(options?: CallOptions): Api<Module> {
    return createApi<Module>(options, (name, args) =>
      this.#lifecycle.target?.handlers.isStream(name)
        ? this.stream(name, args, options)
        : this.invoke(name, args, options),
    );
  }

  /**
   * A session: calls that share state, which Python sees as `context().session`. It comes into being
   * with its first call.
   *
   * @param options `ttl`: how long it lives untouched, in ms (default `sessions.ttl`, one hour);
   *   `affinity`: which worker runs its calls (default `hint`), see docs/sessions.md
   */
  session(id: string, options?: SessionOptions): Session {
    return this.sessions.open(id, options);
  }

  /**
   * Registers a function that Python calls as `host.getUser(1)`, or an object of functions: with
   * `handle('market', { DataFetch() {} })` Python calls `host.market.DataFetch()`. It gets Python's
   * positional arguments and a `HandlerContext`; it returns a value, a promise, or an (async)
   * iterable, which is a stream. Handlers stay registered when the instance is disposed of.
   *
   * @param name 1 to 64 of the characters `A-Z a-z 0-9 _ . -`; begins with a letter or a digit
   * @param options `metadata`: what Python is told of it; `exposed`: whether Python sees it (default true)
   * @returns takes the registration back when disposed of
   * @throws TypeError if a name makes no sense or is taken
   */
  handle(
    name: string,
    handler: HostHandler | HostModule,
    options?: ToolOptions,
  ): HandlerRegistration {
    return this.#hostHandlers.add(name, handler, options);
  }

  /** What {@link handle} has registered, what Python does not see included. */
  tools(): ToolInfo[] {
    return this.#hostHandlers.tools();
  }

  /** Takes back a handler, or all of a module; answers whether there was one. */
  unhandle(name: string): boolean {
    return this.#hostHandlers.remove(name);
  }

  /**
   * Calls a handler once for each item, so many at a time, and answers the results in the order of the
   * items. An item is what `args` is to {@link invoke}.
   *
   * @param items an iterable or an async iterable, which is read no faster than calls are made
   * @throws what the first call that fails throws, unless `settle` is set
   */
  map<Result = unknown>(
    name: string,
    items: MapItems,
    options: MapOptions & { readonly settle: true },
  ): Promise<PromiseSettledResult<Result>[]>;
  map<Result = unknown>(name: string, items: MapItems, options?: MapOptions): Promise<Result[]>;
  async map(name: string, items: MapItems, options: MapOptions = {}): Promise<unknown[]> {
    const { parallel } = await this.#lifecycle.admitted();
    return mapItems(items, options, 2 * parallel, (item, callOptions) =>
      this.invoke(name, item, callOptions),
    );
  }

  /**
   * Resolves when so many workers are ready to take calls.
   *
   * @param options `min`: how many; default as many as the pool always keeps
   * @throws what keeps workers from starting, if the pool has given up for now
   */
  async ready(options: { readonly min?: number | undefined } = {}): Promise<void> {
    const min = normalizeReady(options);
    const target = this.#lifecycle.target;
    return this.#operate({ type: 'ready', min }, false).catch(async (cause) => {
      // A spawn that failed says more.
      await target?.ready;
      throw cause;
    });
  }

  /**
   * Changes the number of workers: to a fixed one, or to a range within which it follows the calls.
   * Surplus workers first answer what they have. Resolves when the pool has its size.
   *
   * @throws what a new worker failed to start of; the others go on
   */
  async scale(size: number | { readonly min?: number; readonly max: number }): Promise<void> {
    return this.#operate({ type: 'scale', ...normalizeScale(size) });
  }

  /** Resolves when no call is in flight and none waits. New calls are taken meanwhile. */
  drain(): Promise<void> {
    return this.#operate({ type: 'drain' });
  }

  /**
   * Replaces one worker, or all: each takes no new calls from now on, answers what it has and goes,
   * while its replacement starts. Calls wait if no other worker is there.
   *
   * @throws WorkerExitedError if there is no such worker
   */
  async restart(worker?: number): Promise<void> {
    return this.#operate({ type: 'restart', worker: normalizeWorker(worker) || null });
  }

  /**
   * Replaces all workers by such as load the code anew, a few at a time, each when its successor is
   * ready: no call waits for it or is lost.
   *
   * @throws what a successor failed to start of; the workers that were not replaced yet go on
   */
  reload(): Promise<void> {
    return this.#operate({ type: 'reload' });
  }

  /** Names of the module's handlers. */
  handlers(): string[] {
    return this.#lifecycle.target?.handlers.names() ?? [];
  }

  /** The workers that are not gone. */
  workers(): WorkerInfo[] {
    return readWorkers(this.#lifecycle.target?.engine.workers());
  }

  /** Counters, in total and for each worker. */
  stats(): Stats {
    return readStats(this.#lifecycle.target?.engine.stats(), this.#resumable.counters());
  }

  /** Closes circuit breakers: that of a handler, or all. The event `breaker` follows. */
  resetBreaker(handler?: string): void {
    this.#lifecycle.target?.engine.resetBreaker(handler);
  }

  /** Forgets kept results (option `cache`): those of a handler, or all. */
  clearCache(handler?: string): void {
    this.#lifecycle.target?.engine.clearCache(handler);
  }

  /** Idle workers keep Node up (the default). */
  ref(): this {
    this.#lifecycle.setReferenced(true);
    return this;
  }

  /** Idle workers do not keep Node up; calls that are out still do. */
  unref(): this {
    this.#lifecycle.setReferenced(false);
    return this;
  }

  /**
   * Rejects what is under way, stops the workers (end of file, SIGTERM, SIGKILL after `graceMs`) and
   * resolves when no process is left. Twice is harmless; `spawn` works again afterwards.
   */
  dispose(): Promise<void> {
    return this.#lifecycle.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #call<Result>(
    call: CallTarget,
    value: unknown,
    options: CallOptions | undefined,
    input: unknown = value,
  ): Promise<Result> {
    const target = this.#lifecycle.target;
    if (target === undefined || !target.isReady) {
      return this.#whenReady(() => this.#call<Result>(call, value, options, input), input);
    }
    try {
      const { callTimeoutMs } = target;
      // The plain call is the hot one: without options there is nothing to look at.
      const normalized =
        options === undefined && callTimeoutMs === null
          ? undefined
          : normalizeCallOptions(options, callTimeoutMs);
      const promise = target.engine.call(call, value, normalized) as Promise<Result>;
      if (target.fallback === undefined && options?.fallback === undefined) return promise;
      return this.#withFallback(promise, call, input, [options?.fallback, target.fallback]);
    } catch (cause) {
      return Promise.reject(cause);
    }
  }

  /** A remark of our own among the logs of Python. */
  #remark(text: string): void {
    this.#logs.warn(this.#lifecycle.target?.redactor?.text(text, 'text') ?? text);
  }

  #withFallback<Result>(
    promise: Promise<Result>,
    { name: handler }: CallTarget,
    input: unknown,
    fallbacks: readonly (FallbackOption | undefined)[],
  ): Promise<Result> {
    return withFallback(promise, fallbacks, { handler, input }, (error) => {
      this.emit('fallback', { handler, error });
    });
  }

  /** @param waits whether to wait for `spawn` first */
  async #operate(request: PoolRequest, waits = true): Promise<void> {
    const target = waits ? await this.#lifecycle.ready() : this.#lifecycle.target;
    if (target === undefined) await this.#lifecycle.ready();
    const release = keepAlive();
    try {
      await target?.engine.operate(request);
    } finally {
      release();
    }
  }

  /** @param input what the call carries, if it may hold streams */
  async #whenReady<Result>(call: () => Promise<Result>, input?: unknown): Promise<Result> {
    await waitWithInputs(input, this.#lifecycle.admitted());
    return call();
  }

  async #withSessions<Answer>(act: (store: SessionStore) => Answer): Promise<Answer> {
    const target = this.#lifecycle.live();
    if (!target.isReady) return this.#whenReady(() => this.#withSessions(act));
    return act(target.engine.sessions);
  }

  #openHandlers(id: string, ttl: number): HostHandlers {
    const { engine, isReady } = this.#lifecycle.live();
    if (!isReady) {
      const message = `the instance is starting: wait for spawn before session "${id}" gets handlers`;
      throw new DisposedError('NOT_SPAWNED', message);
    }
    engine.sessions.open(id, ttl, false);
    return engine.sessionHandlers.open(id);
  }
}
