/** Sessions and globals as the engine keeps them: values are encoded here, and stay bytes there. */

import { Decoder, EncodeFailure, Writer } from '../codec/index.js';
import { fromCodec, fromFailure, type NativeFailure, type SynapseError } from '../errors/index.js';
import type { NativeEngine } from '../native.js';

/** What is known of a session beside its values. */
export interface SessionInfo {
  /** Which of the sessions that were ever made it is: a later one of the same id has another number. */
  readonly number: number;
  /** How long ago it was made, in ms. */
  readonly age: number;
  /** How long ago it was last touched, in ms. */
  readonly idle: number;
  /** How long it lives untouched, in ms; null for ever. */
  readonly ttl: number | null;
  /** Its keys and encoded values, in bytes. */
  readonly bytes: number;
  /** Keys. */
  readonly size: number;
  /** The worker that ran its last call; null before the first. */
  readonly lastWorker: number | null;
}

/** What is counted of sessions. */
export interface SessionsStats {
  /** Sessions that were begun. */
  readonly created: number;
  /** Those that were ended by hand. */
  readonly deleted: number;
  /** Those whose time ran out. */
  readonly expired: number;
  /** How often what had expired was swept away. */
  readonly cleanupRuns: number;
  /** Sessions there are. */
  readonly current: number;
  /** What they hold, in bytes. */
  readonly bytes: number;
  /** The same of globals. */
  readonly globals: {
    readonly stored: number;
    readonly deleted: number;
    readonly expired: number;
    readonly current: number;
  };
}

/** How an instance is reached by its sessions. */
export interface Settings {
  readonly depth: number;
  /** Called after what may have led to events. */
  readonly settle: () => void;
  /** What may be shown of an error. */
  readonly show: (error: SynapseError) => SynapseError;
  /** Told of each session that was deleted. */
  readonly ended: (id: string) => void;
}

/** One engine's sessions and globals. */
export class SessionStore {
  readonly #native: NativeEngine;
  readonly #settle: () => void;
  readonly #show: (error: SynapseError) => SynapseError;
  readonly #ended: (id: string) => void;
  readonly #writer: Writer;
  readonly #decoder: Decoder;

  constructor(native: NativeEngine, { depth, settle, show, ended }: Settings) {
    this.#native = native;
    this.#settle = settle;
    this.#show = show;
    this.#ended = ended;
    this.#writer = new Writer({ depth });
    this.#decoder = new Decoder({ depth });
  }

  /**
   * Makes a session; answers false if it is there already.
   *
   * @param ttl in ms; 0 leaves it, infinity is for ever
   * @throws SessionError
   */
  open(id: string, ttl: number, mustBeNew: boolean): boolean {
    return this.#ask(() => this.#native.openSession(id, ttl, mustBeNew));
  }

  /** The values, by key; undefined if there is no such session. Touches it. */
  read(id: string): Map<string, unknown> | undefined {
    const found = this.#raw(id);
    if (found === undefined) return undefined;
    return new Map([...found].map(([key, bytes]) => [key, this.#decoder.decode(bytes)]));
  }

  /**
   * Sets and deletes keys: all of it or, if anything is wrong, nothing.
   *
   * @throws SessionError `SESSION_QUOTA_EXCEEDED`, or EncodeError
   */
  change(
    id: string,
    ttl: number,
    set: ReadonlyMap<string, unknown>,
    remove: readonly string[],
  ): void {
    const ends = this.#encode([...set.values()]);
    const { buffer, position } = this.#writer;
    this.#ask(() =>
      this.#native.changeSession(id, ttl, [...set.keys()], buffer.subarray(0, position), ends, [
        ...remove,
      ]),
    );
  }

  /**
   * Hands a draft of the values to a function and takes over what it has changed. Nothing else
   * happens in between, and nothing changes if it throws. A value that it leaves alone stays as it was
   * to the byte: Python's `1.0`, which is a `1` here, is still a float there.
   */
  update(id: string, ttl: number, change: (draft: Map<string, unknown>) => unknown): void {
    const draft = this.read(id) ?? new Map<string, unknown>();
    const before = new Map([...draft].map(([key, value]) => [key, this.#bytesOf(value)]));
    const answer = change(draft);
    if (answer instanceof Promise) {
      // What it does later would not be part of the change.
      answer.catch(() => {});
      throw new TypeError('the function given to update must not be async');
    }
    const removed = [...before.keys()].filter((key) => !draft.has(key));
    const isChanged = ([key, value]: [string, unknown]): boolean =>
      before.get(key)?.equals(this.#bytesOf(value)) !== true;
    this.change(id, ttl, new Map([...draft].filter(isChanged)), removed);
  }

  /** Forgets a session; answers whether there was one. */
  delete(id: string): boolean {
    this.#ended(id);
    return this.#ask(() => this.#native.deleteSession(id));
  }

  /** Forgets sessions whose time is over; answers how many. */
  sweep(): number {
    return this.#ask(() => this.#native.sweepSessions());
  }

  /** Not touched by it. */
  info(id: string): SessionInfo | undefined {
    return (JSON.parse(this.#native.describeSessions(id)) as SessionInfo | null) ?? undefined;
  }

  /** Ids, in order, and counters. */
  describe(): { readonly ids: string[]; readonly stats: SessionsStats } {
    const { ids, stats, globals } = JSON.parse(this.#native.describeSessions()) as {
      ids: string[];
      stats: Omit<SessionsStats, 'globals'>;
      globals: SessionsStats['globals'];
    };
    return { ids, stats: { ...stats, globals } };
  }

  /** @param ttl in ms; infinity is for ever */
  putGlobal(key: string, value: unknown, ttl: number): void {
    this.#encode([value]);
    const { buffer, position } = this.#writer;
    this.#native.putGlobal(key, buffer.subarray(0, position), ttl);
    this.#settle();
  }

  getGlobal(key: string): unknown {
    const bytes = this.#native.getGlobal(key);
    return bytes == null ? undefined : this.#decoder.decode(bytes);
  }

  deleteGlobal(key: string): boolean {
    return this.#native.deleteGlobal(key);
  }

  #raw(id: string): Map<string, Buffer> | undefined {
    const found = this.#native.readSession(id);
    if (found == null) return undefined;
    return new Map(found.keys.map((key, index) => [key, found.values[index] as Buffer]));
  }

  /** A value as it would be kept. */
  #bytesOf(value: unknown): Buffer {
    this.#encode([value]);
    const { buffer, position } = this.#writer;
    return Buffer.from(buffer.subarray(0, position));
  }

  /** Encodes values one after the other; answers where each ends. */
  #encode(values: readonly unknown[]): number[] {
    const writer = this.#writer;
    writer.clear();
    try {
      return values.map((value) => {
        writer.encode(value);
        return writer.position;
      });
    } catch (cause) {
      if (cause instanceof EncodeFailure) throw this.#show(fromCodec(cause, {}));
      throw cause;
    }
  }

  /** A native call whose error, if it throws, is a failure as JSON. */
  #ask<Answer>(call: () => Answer): Answer {
    try {
      return call();
    } catch (cause) {
      throw this.#show(fromFailure(JSON.parse((cause as Error).message) as NativeFailure));
    } finally {
      this.#settle();
    }
  }
}
