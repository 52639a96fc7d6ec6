/** All sessions of an instance, and values that belong to none. */

import { knownNames } from '../options/names.js';
import {
  checkId,
  normalizeSessionOptions,
  type SessionOptions,
  timeToLive,
} from '../options/session.js';
import { Session, type SessionOwner } from './session.js';
import type { SessionsStats } from './store.js';

/** How long a global lives unless told otherwise, in ms. */
const GLOBAL_TTL_MS = 3_600_000;

/** The sessions of one instance. */
export class SessionManager {
  readonly #owner: SessionOwner;

  constructor(owner: SessionOwner) {
    this.#owner = owner;
  }

  /** A session by its id, whether it exists or not; its first call or value makes it. */
  open(id: string, options: SessionOptions = {}): Session {
    const { ttl } = normalizeSessionOptions('session', options);
    return new Session(this.#owner, { ...options, id: checkId('session.id', id) }, ttl);
  }

  /**
   * Makes a session.
   *
   * @param options with `ifExists: 'return'` one that is there is no error
   * @throws SessionError `SESSION_EXISTS`, or `SESSION_QUOTA_EXCEEDED` if there are too many
   */
  async create(
    id: string,
    options: SessionOptions & { readonly ifExists?: 'error' | 'return' } = {},
  ): Promise<Session> {
    const { ifExists = 'error', ...rest } = options;
    const session = this.open(id, rest);
    const { ttl } = normalizeSessionOptions('session', rest);
    await this.#owner.store((store) => store.open(id, ttl, ifExists === 'error'));
    return session;
  }

  /** Whether a session exists. Does not touch it. */
  async exists(id: string): Promise<boolean> {
    return this.#owner.store((store) => store.info(id) !== undefined);
  }

  /** Ids of the sessions that exist, in order. Touches none. */
  async list(): Promise<string[]> {
    return this.#owner.store((store) => store.describe().ids);
  }

  /** Forgets a session; answers whether it was there. Twice is harmless. */
  async delete(id: string): Promise<boolean> {
    return this.#owner.store((store) => store.delete(id));
  }

  /** Frees the memory of sessions whose time is over, which happens by itself too; answers how many. */
  async cleanup(): Promise<number> {
    return this.#owner.store((store) => store.sweep());
  }

  /** Counters. */
  async stats(): Promise<SessionsStats> {
    return this.#owner.store((store) => store.describe().stats);
  }
}

/** Values of one instance that belong to no session. */
export class Globals {
  readonly #owner: SessionOwner;

  constructor(owner: SessionOwner) {
    this.#owner = owner;
  }

  /**
   * Stores a value.
   *
   * @param options `ttl`: how long from now on, read or not, in ms; default one hour; `Infinity`: for ever
   */
  async put(key: string, value: unknown, options: { readonly ttl?: number } = {}): Promise<void> {
    const { ttl } = knownNames('', options, ['ttl']);
    const limit = timeToLive('ttl', ttl ?? GLOBAL_TTL_MS);
    const name = checkId('key', key);
    await this.#owner.store((store) => store.putGlobal(name, value, limit));
  }

  /** A value; undefined if there is none, or its time is over. */
  async get<Value = unknown>(key: string): Promise<Value | undefined> {
    return this.#owner.store((store) => store.getGlobal(key) as Value | undefined);
  }

  /** Forgets a value; answers whether there was one. */
  async delete(key: string): Promise<boolean> {
    return this.#owner.store((store) => store.deleteGlobal(key));
  }
}
