/** One session: calls that share state, and that state. */

import { type Api, createApi } from '../api.js';
import type {
  HandlerRegistration,
  HostHandler,
  HostHandlers,
  HostModule,
  ToolInfo,
  ToolOptions,
} from '../callbacks/index.js';
import type { ItemOptions } from '../items.js';
import type { CallOptions, StreamOptions } from '../options/index.js';
import type { SessionReference } from '../options/session.js';
import type { PythonStream } from '../stream.js';
import { type ProgramCommands, Programs } from './programs.js';
import type { SessionInfo, SessionStore } from './store.js';

/** What a session needs of its instance. */
export interface SessionOwner {
  call<Result>(input: unknown, options?: CallOptions): Promise<Result>;
  invoke<Result>(name: string, args?: unknown, options?: CallOptions): Promise<Result>;
  stream<Item>(name: string, args?: unknown, options?: StreamOptions): PythonStream<Item>;
  /**
   * Does something to what is kept: at once, so that what is called after it comes after it; but while
   * `spawn` is under way not before that is done, for only then is it known what a file holds.
   *
   * @throws DisposedError if nothing is spawned
   */
  store<Answer>(act: (store: SessionStore) => Answer): Promise<Answer>;
  /**
   * What Python may call in a session only, which is made if it is not there.
   *
   * @param ttl in ms; 0 leaves it, infinity is for ever
   * @throws DisposedError unless it is spawned
   */
  openHandlers(id: string, ttl: number): HostHandlers;
  /** The same, where there is any. */
  handlersOf(id: string): HostHandlers | undefined;
  /** Whether a handler of that name yields. */
  isStream(name: string): boolean;
}

/**
 * A session. Python reads and writes its values as `context().session`; they live in Node, so they
 * outlive workers. It comes into being with its first call or its first value, and is forgotten when
 * nobody has touched it for its time to live. Calls in it touch it, and so do all methods but `info`.
 */
export class Session {
  readonly #owner: SessionOwner;
  readonly #reference: SessionReference;
  readonly #ttl: number;

  /** @param ttl in ms; 0 leaves it, infinity is for ever */
  constructor(owner: SessionOwner, reference: SessionReference, ttl: number) {
    this.#owner = owner;
    this.#reference = reference;
    this.#ttl = ttl;
  }

  /** The name that calls and Python know it by. */
  get id(): string {
    return this.#reference.id;
  }

  /** `call` of the instance, in the session. */
  call<Result = unknown>(input: unknown, options?: CallOptions): Promise<Result> {
    return this.#owner.call<Result>(input, { ...options, session: this.#reference });
  }

  /** `invoke` of the instance, in the session. */
  invoke<Item = unknown>(name: string, args: unknown, options: ItemOptions<Item>): Promise<number>;
  invoke<Result = unknown>(name: string, args?: unknown, options?: CallOptions): Promise<Result>;
  invoke<Result>(name: string, args?: unknown, options?: CallOptions): Promise<Result | number> {
    return this.#owner.invoke<Result>(name, args, { ...options, session: this.#reference });
  }

  /** `stream` of the instance, in the session. */
  stream<Item = unknown>(
    name: string,
    args?: unknown,
    options?: StreamOptions,
  ): PythonStream<Item> {
    return this.#owner.stream<Item>(name, args, { ...options, session: this.#reference });
  }

  /** `api` of the instance, in the session. */
  api<Module>(options?: CallOptions): Api<Module> {
    return createApi<Module>(options, (name, args) =>
      this.#owner.isStream(name)
        ? this.stream(name, args, options)
        : this.invoke(name, args, options),
    );
  }

  /**
   * Programs: what one handler makes is kept here, and given to the handler that runs it.
   *
   * @throws TypeError if a command is no name of a handler
   */
  programs(commands: ProgramCommands = {}): Programs {
    return new Programs(this, commands);
  }

  /**
   * `handle` of the instance, for calls of this session only. The session is made if it is not there,
   * and what is registered ends with it. It hides what the instance has registered by the same name.
   *
   * @returns takes the registration back when disposed of
   * @throws TypeError if a name makes no sense or is taken
   * @throws DisposedError if nothing is spawned
   */
  handle(
    name: string,
    handler: HostHandler | HostModule,
    options?: ToolOptions,
  ): HandlerRegistration {
    return this.#owner.openHandlers(this.id, this.#ttl).add(name, handler, options);
  }

  /** Takes back what {@link handle} has registered; answers whether there was anything. */
  unhandle(name: string): boolean {
    return this.#owner.handlersOf(this.id)?.remove(name) ?? false;
  }

  /** What {@link handle} has registered; empty if the session does not exist. */
  tools(): ToolInfo[] {
    return this.#owner.handlersOf(this.id)?.tools() ?? [];
  }

  /** A value; undefined if there is none. */
  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    return (await this.entries()).get(key) as Value | undefined;
  }

  /** Whether there is a value. */
  async has(key: string): Promise<boolean> {
    return (await this.entries()).has(key);
  }

  /** All values by key; empty if the session does not exist. */
  async entries(): Promise<Map<string, unknown>> {
    const found = await this.#owner.store((store) => store.read(this.id));
    return found ?? new Map<string, unknown>();
  }

  /**
   * Sets a value.
   *
   * @throws SessionError `SESSION_QUOTA_EXCEEDED` if the session would hold too much
   */
  async set(key: string, value: unknown): Promise<void> {
    const set = new Map([[key, value]]);
    await this.#owner.store((store) => store.change(this.id, this.#ttl, set, []));
  }

  /** Removes a value; answers whether there was one. */
  async delete(key: string): Promise<boolean> {
    return this.#owner.store((store) => {
      if (!store.read(this.id)?.has(key)) return false;
      store.change(this.id, this.#ttl, new Map(), [key]);
      return true;
    });
  }

  /**
   * Changes several values at once: `change` gets a draft of all of them, and what it has changed there
   * is taken over as a whole. If it throws, nothing has changed.
   *
   * @param change not async: nothing else happens while it runs
   */
  async update(change: (draft: Map<string, unknown>) => void): Promise<void> {
    await this.#owner.store((store) => store.update(this.id, this.#ttl, change));
  }

  /** Keeps it for another time to live, or makes it; answers whether it was there. */
  async touch(): Promise<boolean> {
    return this.#owner.store((store) => !store.open(this.id, this.#ttl, false));
  }

  /** What is known of it; undefined if it does not exist. Does not touch it. */
  async info(): Promise<SessionInfo | undefined> {
    return this.#owner.store((store) => store.info(this.id));
  }

  /** Forgets it; answers whether it was there. */
  async end(): Promise<boolean> {
    return this.#owner.store((store) => store.delete(this.id));
  }

  /** {@link end}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
