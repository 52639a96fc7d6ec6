/** `SynapseHub`: several modules by name, and groups of them, in one object. */

import { EventEmitter } from 'node:events';
import { type Api, createApi } from '../api.js';
import type {
  HandlerRegistration,
  HostHandler,
  HostModule,
  ToolOptions,
} from '../callbacks/index.js';
import { DisposedError, HubError } from '../errors/index.js';
import type { SynapseEvents } from '../events.js';
import type { ItemOptions } from '../items.js';
import { type GroupOptions, normalizeGroup, normalizeWeight } from '../options/group.js';
import type { CallOptions, SpawnOptions, StreamOptions } from '../options/index.js';
import { checkSpawnOptions, mergeSpawnOptions } from '../options/index.js';
import { InvalidOptionError, refusal } from '../options/invalid.js';
import type { Stats, WorkerInfo } from '../stats.js';
import { Synapse } from '../synapse.js';
import { Group, type GroupStats } from './group.js';
import { Member } from './member.js';

/** Options of one module of a hub. */
export interface PoolOptions extends SpawnOptions {
  /** The group, or groups, that it joins. */
  readonly group?: string | readonly string[] | undefined;
  /** Its share in groups of the strategy `weighted`; default 1. */
  readonly weight?: number | undefined;
}

/** What `stats()` of a hub answers. */
export interface HubStats {
  /** By the name of the pool. */
  readonly pools: Readonly<Record<string, Stats>>;
  /** By the name of the group. */
  readonly groups: Readonly<Record<string, GroupStats>>;
  /** Sums over the pools. */
  readonly requestsHandled: number;
  /** Calls that run. */
  readonly requestsActive: number;
  /** Calls that wait for a worker. */
  readonly queued: number;
  /** Calls that were answered with an exception. */
  readonly errors: number;
  /** Calls whose deadline passed. */
  readonly timeouts: number;
  /** Workers that died and were replaced. */
  readonly restarts: number;
}

/** The events of the pools, each with the pool's name before what it carries. */
export type HubEvents = {
  [Name in keyof SynapseEvents]: [pool: string, ...detail: SynapseEvents[Name]];
};

/** What is registered in all pools. */
interface Shared {
  readonly handler: HostHandler | HostModule;
  options: ToolOptions;
  readonly registrations: Map<Synapse, HandlerRegistration>;
}

/** Every event of a pool: a missing one does not compile. */
const FORWARDED: { readonly [Name in keyof SynapseEvents]: true } = {
  ready: true,
  log: true,
  setup: true,
  'worker:start': true,
  'worker:ready': true,
  'worker:exit': true,
  'worker:restart': true,
  'worker:drain': true,
  'worker:unhealthy': true,
  'worker:healthy': true,
  heartbeat: true,
  'heartbeat:missed': true,
  progress: true,
  breaker: true,
  retry: true,
  fallback: true,
  'session:lost': true,
  'sessions:high': true,
  'stream:resumed': true,
  unhealthy: true,
  healthy: true,
  drain: true,
  error: true,
};

/**
 * Several modules, each a pool of workers with a name, and groups of pools under one name.
 *
 * ```ts
 * await using hub = new SynapseHub();
 * await hub.add('api', './api', 'main', { workers: 2 });
 * await hub.add('models', './models', 'main', { group: 'heavy' });
 * await hub.invoke('api', 'fn', [1]);
 * await hub.invoke('heavy', 'predict', [row]);
 * ```
 */
export class SynapseHub extends EventEmitter<HubEvents> {
  readonly #defaults: SpawnOptions;
  readonly #members = new Map<string, Member>();
  readonly #groups = new Map<string, Group>();
  readonly #handlers = new Map<string, Shared>();
  /** Pools whose `spawn` is under way. */
  readonly #starting = new Map<string, Synapse>();
  #disposal: Promise<void> | undefined;
  #referenced = true;

  /**
   * @param defaults options for every pool
   * @throws TypeError or RangeError that names the option and echoes the value
   */
  constructor(defaults: SpawnOptions = {}) {
    super();
    checkSpawnOptions(defaults);
    this.#defaults = defaults;
  }

  /**
   * Spawns a module under a name, see `Synapse.spawn`. If it fails the name is free again.
   *
   * @throws HubError `POOL_EXISTS` if a pool or a group has that name
   */
  async add(
    name: string,
    directory: string,
    entrypoint: string,
    options: PoolOptions = {},
  ): Promise<Synapse> {
    const { group = [], weight, ...spawnOptions } = options;
    this.#checkFree(name);
    const groups = (typeof group === 'string' ? [group] : group).map((id) => this.#groupOf(id));
    const synapse = new Synapse(mergeSpawnOptions(this.#defaults, spawnOptions));
    const member = new Member(name, synapse, normalizeWeight(weight));
    if (!this.#referenced) synapse.unref();
    for (const [handled, { handler, options, registrations }] of this.#handlers) {
      registrations.set(synapse, synapse.handle(handled, handler, options));
    }
    this.#forward(name, synapse);
    this.#starting.set(name, synapse);
    try {
      await synapse.spawn(directory, entrypoint);
    } finally {
      this.#starting.delete(name);
    }
    this.#members.set(name, member);
    for (const joined of groups) joined.add(member);
    return synapse;
  }

  /** Disposes of a pool and frees its name; answers whether there was one. Its groups stay. */
  async remove(name: string): Promise<boolean> {
    const member = this.#members.get(name);
    if (member === undefined) return false;
    this.#members.delete(name);
    for (const group of this.#groups.values()) group.remove(member);
    for (const { registrations } of this.#handlers.values()) registrations.delete(member.synapse);
    await member.synapse.dispose();
    return true;
  }

  /**
   * Configures a group, which may have no members yet. What is not given gets its default.
   *
   * @throws TypeError or RangeError that names the option and echoes the value
   */
  group(name: string, options: GroupOptions = {}): this {
    const normalized = normalizeGroup(options);
    this.#groupOf(name).configure(normalized);
    return this;
  }

  /**
   * The pool of that name.
   *
   * @throws HubError `POOL_NOT_FOUND` that lists the names there are
   */
  pool(name: string): Synapse {
    const member = this.#members.get(name);
    if (member === undefined) throw this.#notFound(name);
    return member.synapse;
  }

  /** Whether there is a pool of that name. */
  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Names of the pools. */
  pools(): string[] {
    return [...this.#members.keys()];
  }

  /** Names of the groups. */
  groups(): string[] {
    return [...this.#groups.keys()];
  }

  /** `call` of a pool, or of one that its group picks. */
  call<Result = unknown>(target: string, input: unknown, options?: CallOptions): Promise<Result> {
    return this.#run(target, input, options, (synapse, rest) => synapse.call<Result>(input, rest));
  }

  /** `invoke` of a pool, or of one that its group picks. */
  invoke<Item = unknown>(
    target: string,
    name: string,
    args: unknown,
    options: ItemOptions<Item>,
  ): Promise<number>;
  invoke<Result = unknown>(
    target: string,
    name: string,
    args?: unknown,
    options?: CallOptions,
  ): Promise<Result>;
  invoke<Result>(
    target: string,
    name: string,
    args?: unknown,
    options?: CallOptions,
  ): Promise<Result | number> {
    return this.#run(target, args, options, (synapse, rest) =>
      synapse.invoke<Result>(name, args, rest),
    );
  }

  /**
   * `stream` of a pool, or of one that its group picks. A group's stream starts with its first
   * iteration.
   *
   * @throws HubError `POOL_NOT_FOUND`
   */
  stream<Item = unknown>(
    target: string,
    name: string,
    args?: unknown,
    options?: StreamOptions,
  ): AsyncIterableIterator<Item> {
    const group = this.#groups.get(target);
    if (group === undefined) return this.pool(target).stream<Item>(name, args, options);
    return group.stream(args, options, (synapse, rest) => synapse.stream<Item>(name, args, rest));
  }

  /**
   * A typed proxy: `hub.api<Module>('models').predict(row)`. With a group, everything is invoked.
   *
   * @param options those of every call that is made through the proxy
   * @throws TypeError or RangeError that names the option and echoes the value
   */
  api<Module>(target: string, options?: CallOptions): Api<Module> {
    const member = this.#members.get(target);
    if (member !== undefined) return member.synapse.api<Module>(options);
    return createApi<Module>(options, (name, args) => this.invoke(target, name, args, options));
  }

  /** `handle` of all pools, also of those that are added later. */
  handle(
    name: string,
    handler: HostHandler | HostModule,
    options: ToolOptions = {},
  ): HandlerRegistration {
    if (this.#handlers.has(name)) {
      throw new InvalidOptionError(`there is a handler "${name}" already: unhandle it first`);
    }
    const registrations = new Map<Synapse, HandlerRegistration>();
    const shared = { handler, options: { ...options }, registrations };
    const dispose = (): void => {
      if (this.#handlers.get(name) === shared) this.#handlers.delete(name);
      for (const registration of registrations.values()) registration.dispose();
      registrations.clear();
    };
    try {
      for (const synapse of this.#synapses()) {
        registrations.set(synapse, synapse.handle(name, handler, options));
      }
    } catch (cause) {
      dispose();
      throw cause;
    }
    this.#handlers.set(name, shared);
    return {
      dispose,
      [Symbol.dispose]: dispose,
      get exposed(): boolean {
        return shared.options.exposed ?? true;
      },
      set exposed(exposed: boolean) {
        // Pools that come later have it from here.
        shared.options = { ...shared.options, exposed };
        for (const registration of registrations.values()) registration.exposed = exposed;
      },
    };
  }

  /** Takes back what {@link handle} registered; answers whether there was anything. */
  unhandle(name: string): boolean {
    for (const { dispose } of this.#handlers.get(name)?.registrations.values() ?? []) dispose();
    return this.#handlers.delete(name);
  }

  /** The workers of each pool that are not gone. */
  workers(): Record<string, WorkerInfo[]> {
    const workers = [...this.#members].map(([name, { synapse }]) => [name, synapse.workers()]);
    return Object.fromEntries(workers) as Record<string, WorkerInfo[]>;
  }

  /** Counters of each pool and group, and their sums. */
  stats(): HubStats {
    const pools = [...this.#members].map(([name, { synapse }]): [string, Stats] => [
      name,
      synapse.stats(),
    ]);
    const groups = [...this.#groups].map(([name, group]): [string, GroupStats] => [
      name,
      group.stats(),
    ]);
    const sum = (read: (stats: Stats) => number): number =>
      pools.reduce((total, [, stats]) => total + read(stats), 0);
    return {
      pools: Object.fromEntries(pools),
      groups: Object.fromEntries(groups),
      requestsHandled: sum((stats) => stats.requestsHandled),
      requestsActive: sum((stats) => stats.requestsActive),
      queued: sum((stats) => stats.queued),
      errors: sum((stats) => stats.errors),
      timeouts: sum((stats) => stats.timeouts),
      restarts: sum((stats) => stats.restarts),
    };
  }

  /** Idle workers keep Node up (the default). */
  ref(): this {
    this.#referenced = true;
    for (const synapse of this.#synapses()) synapse.ref();
    return this;
  }

  /** Idle workers do not keep Node up; calls that are out still do. */
  unref(): this {
    this.#referenced = false;
    for (const synapse of this.#synapses()) synapse.unref();
    return this;
  }

  /**
   * Disposes of all pools at the same time and resolves when no process is left. Twice is harmless;
   * pools can be added again afterwards. What groups are configured with stays.
   */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose().finally(() => {
      this.#disposal = undefined;
    });
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #dispose(): Promise<void> {
    for (const group of this.#groups.values()) group.close();
    const starting = [...this.#starting.values()].map((synapse) => synapse.dispose());
    await Promise.all([...starting, ...this.pools().map((name) => this.remove(name))]);
    for (const group of this.#groups.values()) group.open();
  }

  #run<Result>(
    target: string,
    input: unknown,
    options: CallOptions | undefined,
    call: (synapse: Synapse, options: CallOptions | undefined) => Promise<Result>,
  ): Promise<Result> {
    const member = this.#members.get(target);
    if (member !== undefined) return member.run((synapse) => call(synapse, options));
    const group = this.#groups.get(target);
    if (group === undefined) return Promise.reject(this.#notFound(target));
    return group.run(input, options, call);
  }

  #synapses(): Synapse[] {
    return [
      ...this.#starting.values(),
      ...[...this.#members.values()].map(({ synapse }) => synapse),
    ];
  }

  #forward(pool: string, synapse: Synapse): void {
    for (const name of Object.keys(FORWARDED) as (keyof SynapseEvents)[]) {
      // An error that nobody listens to must not throw out of the pool.
      synapse.on(name, (...detail: unknown[]) => {
        if (name !== 'error' || this.listenerCount('error') > 0) {
          (this.emit as (event: string, ...values: unknown[]) => boolean)(name, pool, ...detail);
        }
      });
    }
  }

  #groupOf(name: string): Group {
    checkName('group', name);
    let group = this.#groups.get(name);
    if (group === undefined) {
      if (this.#members.has(name) || this.#starting.has(name)) {
        throw new HubError('POOL_EXISTS', `a pool has the name "${name}" already`);
      }
      group = new Group(name);
      this.#groups.set(name, group);
    }
    return group;
  }

  #checkFree(name: string): void {
    checkName('name', name);
    if (this.#disposal !== undefined) {
      throw new DisposedError('DISPOSED', 'Cannot spawn child during shutdown');
    }
    if (this.#members.has(name) || this.#starting.has(name)) {
      throw new HubError('POOL_EXISTS', `Process with target '${name}' already exists`);
    }
    if (this.#groups.has(name)) {
      throw new HubError('POOL_EXISTS', `a group has the name "${name}" already`);
    }
  }

  #notFound(name: string): HubError | DisposedError {
    if (this.#disposal !== undefined) {
      return new DisposedError('DISPOSED', 'the hub is being disposed of');
    }
    const available = [...this.#members.keys(), ...this.#groups.keys()];
    const list = available.length === 0 ? 'none' : available.join(', ');
    const message = `there is no pool or group "${name}"; available: ${list}`;
    return new HubError('POOL_NOT_FOUND', message, { available });
  }
}

function checkName(option: string, name: unknown): void {
  if (typeof name !== 'string' || name === '') throw refusal(option, 'a string, not empty', name);
}
