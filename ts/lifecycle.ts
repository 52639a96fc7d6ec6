/** What an instance runs: from `spawn` to the end of its last process. */

import { join, resolve } from 'node:path';
import type { HostHandlers } from './callbacks/index.js';
import { Engine, type EngineEvent } from './engine.js';
import { DisposedError, fromFailure, type NativeFailure, SpawnError } from './errors/index.js';
import { Handlers } from './handlers.js';
import {
  type FacadeConfig,
  normalizeSpawnOptions,
  type SetupProgress,
  type SpawnOptions,
} from './options/index.js';
import { Redactor } from './redaction.js';
import { isOver } from './stats.js';
import { checkTarget, deferred, keepAlive, sameEntry, type Target } from './target.js';

/** Where the Python package lies: beside `dist/`. */
const SDK_PATH = join(__dirname, '..', 'python');

/** Starts an instance's target and stops it; knows whether it can take calls. */
export class Lifecycle {
  readonly #defaults: SpawnOptions;
  readonly #hostHandlers: HostHandlers;
  readonly #relay: (event: EngineEvent) => void;
  /** What runs, is about to, or is being stopped. */
  target: Target | undefined;
  /** The dispose that is under way. */
  #disposal: Promise<void> | undefined;
  /** Whether there was a target that is gone. */
  #wasSpawned = false;
  #referenced = true;

  /**
   * @param defaults options for every `spawn`, checked
   * @param hostHandlers what Python may call
   * @param relay gets what the engine tells, unless that is for the lifecycle alone
   */
  constructor(
    defaults: SpawnOptions,
    hostHandlers: HostHandlers,
    relay: (event: EngineEvent) => void,
  ) {
    this.#defaults = defaults;
    this.#hostHandlers = hostHandlers;
    this.#relay = relay;
  }

  /** As `spawn` of `Synapse` says. */
  async spawn(directory: string, entrypoint: string, options?: SpawnOptions): Promise<void> {
    checkTarget(directory, entrypoint);
    if (this.#disposal !== undefined) await this.#disposal;
    // With `restart: false` it may have died for good: then it is in nobody's way.
    if (this.target !== undefined && isOver(this.target.engine.stats())) await this.dispose();
    const wanted = resolve(directory);
    const live = this.target;
    if (live !== undefined) {
      if (live.directory === wanted && sameEntry(live.entrypoint, entrypoint)) return live.ready;
      throw new SpawnError(
        'ALREADY_SPAWNED',
        `the instance runs "${live.entrypoint}" in "${live.directory}" already: dispose of it ` +
          `before spawning "${entrypoint}" in "${wanted}"`,
      );
    }
    const { native, facade } = normalizeSpawnOptions(this.#defaults, options, {
      directory,
      entrypoint,
      sdkPath: SDK_PATH,
    });
    const { redact, onProgress, ...known } = facade;
    const redactor = redact === null ? undefined : new Redactor(redact);
    const ready = deferred();
    const gone = deferred();
    const target: Target = {
      directory: wanted,
      entrypoint,
      engine: new Engine(native, this.#hostHandlers, redactor, (event) =>
        this.#observe(target, event, onProgress),
      ),
      callTimeoutMs: native.callTimeoutMs,
      ...known,
      redactor,
      parallel: native.workers.max * native.concurrency,
      handlers: new Handlers(redactor),
      ready: ready.promise,
      settleReady: ready,
      gone: gone.promise,
      settleGone: gone.resolve,
      isReady: false,
      disposing: false,
    };
    this.target = target;
    // The promise has no handle of its own that would keep Node up meanwhile.
    const release = keepAlive();
    try {
      this.#start(target);
      await target.ready;
    } catch (cause) {
      await target.gone;
      // It was made where the engine's report came in. Who spawned is what helps.
      if (cause instanceof Error) Error.captureStackTrace(cause, this.spawn);
      throw cause;
    } finally {
      release();
    }
  }

  /** Starts the engine, or leaves nothing behind. */
  #start(target: Target): void {
    try {
      target.engine.start();
      target.engine.setReferenced(this.#referenced);
    } catch (cause) {
      target.engine.release();
      this.target = undefined;
      target.settleGone();
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `the engine did not start: ${reason}`;
      const failure = new SpawnError('START_FAILED', message, { cause });
      const error = target.redactor?.error(failure) ?? failure;
      target.settleReady.reject(error);
      throw error;
    }
  }

  /** As `dispose` of `Synapse` says. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose().finally(() => {
      this.#disposal = undefined;
    });
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const target = this.target;
    if (target === undefined) return;
    const release = keepAlive();
    try {
      target.disposing = true;
      target.engine.stop();
      target.settleReady.reject(new DisposedError('DISPOSED', 'disposed of before it was ready'));
      await target.gone;
    } finally {
      release();
    }
  }

  /** Whether idle workers keep Node up: those that run, and those to come. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.target?.engine.setReferenced(referenced);
  }

  /** A call while `spawn` is under way waits for it unless told otherwise; before, it is refused. */
  admitted(): Promise<Target> {
    const target = this.target;
    if (target?.beforeReady === 'reject' && !target.isReady && !target.disposing) {
      const message =
        'the instance is starting: wait for spawn, or leave option "beforeReady" at "wait"';
      return Promise.reject(new DisposedError('NOT_SPAWNED', message));
    }
    return this.ready();
  }

  /** What runs, once every first worker can take calls. */
  async ready(): Promise<Target> {
    const target = this.live();
    await target.ready;
    return target;
  }

  /**
   * What runs, or is about to.
   *
   * @throws DisposedError if nothing does, or what does is being stopped
   */
  live(): Target {
    const target = this.target;
    if (target === undefined) {
      const code = this.#wasSpawned ? 'DISPOSED' : 'NOT_SPAWNED';
      const hint = this.#wasSpawned ? 'the instance was disposed of; spawn works again' : undefined;
      const message = 'Cannot send inputs to instance before spawning it.';
      throw new DisposedError(code, message, { hint });
    }
    if (target.disposing) throw new DisposedError('DISPOSED', 'the instance is being disposed of');
    return target;
  }

  /** What the engine tells, in its order. */
  #observe(target: Target, event: EngineEvent, onProgress: FacadeConfig['onProgress']): void {
    const { type, ...detail } = event;
    switch (type) {
      case 'handlers':
        target.handlers.learn(detail as unknown as Parameters<Handlers['learn']>[0]);
        break;
      case 'spawned':
        target.isReady = true;
        this.#wasSpawned = true;
        target.settleReady.resolve();
        this.#relay(event);
        break;
      case 'spawn-failed':
        target.settleReady.reject(fromFailure(detail['failure'] as NativeFailure));
        break;
      case 'stopped':
        target.engine.release();
        if (this.target === target) this.target = undefined;
        target.settleGone();
        break;
      case 'setup':
        onProgress?.(detail as unknown as SetupProgress);
        this.#relay(event);
        break;
      default:
        this.#relay(event);
    }
  }
}
