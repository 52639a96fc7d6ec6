/** A group of pools: one name, a cap, and a strategy that picks the pool for each call. */

import { DisposedError, HubError } from '../errors/index.js';
import { type NormalizedGroup, normalizeGroup } from '../options/group.js';
import type { CallOptions, StreamOptions } from '../options/index.js';
import type { StrategyOption } from '../options/strategy.js';
import type { PythonStream } from '../stream.js';
import type { Synapse } from '../synapse.js';
import { type Choose, chooser } from './choose.js';
import { Gate } from './gate.js';
import type { Member } from './member.js';

/** What `stats()` says of a group. */
export interface GroupStats {
  /** Worker processes of its members. */
  readonly processes: number;
  /** Calls that members have answered, whoever made them. */
  readonly totalRequests: number;
  /** Calls that the group has under way. */
  readonly requestsActive: number;
  /** Calls that wait for the cap. */
  readonly queued: number;
  readonly strategy: StrategyOption;
  /** Names of its pools, in the order of their registration. */
  readonly members: readonly string[];
}

/** What it is configured with stays when it is empty, and for members that come later. */
export class Group {
  readonly #name: string;
  readonly #members: Member[] = [];
  readonly #gate: Gate;
  #strategy: StrategyOption;
  #choose: Choose;
  #closed = false;

  constructor(name: string) {
    const { strategy, concurrency, queue } = normalizeGroup();
    this.#name = name;
    this.#strategy = strategy;
    this.#choose = chooser(strategy);
    this.#gate = new Gate(`group "${name}"`, concurrency, queue);
  }

  /** New options, which hold from the next call on. */
  configure({ strategy, concurrency, queue }: NormalizedGroup): void {
    this.#strategy = strategy;
    this.#choose = chooser(strategy);
    this.#gate.configure(concurrency, queue);
  }

  add(member: Member): void {
    this.#members.push(member);
  }

  remove(member: Member): void {
    const index = this.#members.indexOf(member);
    if (index !== -1) this.#members.splice(index, 1);
  }

  /** Does a call with one of the members. */
  async run<Result>(
    options: CallOptions | undefined,
    call: (synapse: Synapse, options: CallOptions | undefined) => Promise<Result>,
  ): Promise<Result> {
    const rest = await this.#enter(options);
    try {
      return await this.#pick().run((synapse) => call(synapse, rest));
    } finally {
      this.#gate.leave();
    }
  }

  /** Streams from one of the members. It counts as under way until it is iterated to its end or left. */
  async *stream<Item>(
    options: StreamOptions | undefined,
    open: (synapse: Synapse, options: StreamOptions | undefined) => PythonStream<Item>,
  ): AsyncGenerator<Item, void, undefined> {
    const rest = await this.#enter(options);
    try {
      const member = this.#pick();
      const end = member.begin();
      try {
        yield* open(member.synapse, rest);
      } finally {
        end();
      }
    } finally {
      this.#gate.leave();
    }
  }

  /** Refuses the calls that wait, and others until it is opened again. */
  close(): void {
    this.#closed = true;
    this.#gate.clear(disposed());
  }

  open(): void {
    this.#closed = false;
  }

  stats(): GroupStats {
    const all = this.#members.map(({ synapse }) => synapse.stats());
    return {
      processes: all.reduce((sum, { workers }) => sum + workers.length, 0),
      totalRequests: all.reduce((sum, { requestsHandled }) => sum + requestsHandled, 0),
      requestsActive: this.#gate.inside,
      queued: this.#gate.waiting,
      strategy: this.#strategy,
      members: this.#members.map(({ name }) => name),
    };
  }

  /** Waits for a place; answers the options with what is left of the time. */
  async #enter<Options extends CallOptions>(
    options: Options | undefined,
  ): Promise<Options | undefined> {
    this.#refuseEmpty();
    const timeout = options?.timeout ?? 0;
    const begun = performance.now();
    await this.#gate.enter({ signal: options?.signal, timeout });
    if (options === undefined || timeout === 0) return options;
    return { ...options, timeout: Math.max(1, timeout - (performance.now() - begun)) };
  }

  #pick(): Member {
    // The last member may have gone while the call waited.
    this.#refuseEmpty();
    const healthy = this.#members.filter((member) => member.healthy);
    // If none is, one of them says why.
    return this.#choose(healthy.length === 0 ? this.#members : healthy);
  }

  #refuseEmpty(): void {
    if (this.#closed) throw disposed();
    if (this.#members.length > 0) return;
    const message = `Group ID "${this.#name}" has no associated targets`;
    throw new HubError('GROUP_EMPTY', message);
  }
}

function disposed(): DisposedError {
  return new DisposedError('DISPOSED', 'the hub is being disposed of');
}
