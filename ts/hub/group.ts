/** A group of pools: one name, a cap, and a strategy that picks the pool for each call. */

import { whenAborted } from '../abort.js';
import { holdsInputs, waitWithInputs } from '../callbacks/index.js';
import { DisposedError, HubError } from '../errors/index.js';
import { type NormalizedGroup, normalizeGroup } from '../options/group.js';
import type { GroupHealth } from '../options/groupHealth.js';
import type { CallOptions, StreamOptions } from '../options/index.js';
import type { StrategyOption } from '../options/strategy.js';
import type { PythonStream } from '../stream.js';
import type { Synapse } from '../synapse.js';
import { type Choose, chooser } from './choose.js';
import { Gate, type Wait } from './gate.js';
import { Health, type Outcome, outcomeOf } from './health.js';
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
  /** How it picks a pool. */
  readonly strategy: StrategyOption;
  /** Names of its pools, in the order of their registration. */
  readonly members: readonly string[];
  /** Those of them that get no calls at present, because they cannot serve or their calls failed. */
  readonly passedOver: readonly string[];
}

/** What it is configured with stays when it is empty, and for members that come later. */
export class Group {
  readonly #name: string;
  readonly #members = new Map<Member, Health>();
  readonly #gate: Gate;
  #strategy: StrategyOption;
  #choose: Choose;
  #health: GroupHealth;
  #closed = false;

  constructor(name: string) {
    const { strategy, concurrency, queue, health } = normalizeGroup();
    this.#name = name;
    this.#strategy = strategy;
    this.#choose = chooser(strategy);
    this.#health = health;
    this.#gate = new Gate(`group "${name}"`, concurrency, queue);
  }

  /** New options, which hold from the next call on. */
  configure({ strategy, concurrency, queue, health }: NormalizedGroup): void {
    this.#strategy = strategy;
    this.#choose = chooser(strategy);
    this.#gate.configure(concurrency, queue);
    this.#health = health;
    for (const member of this.#members.values()) member.configure(health);
  }

  add(member: Member): void {
    this.#members.set(member, new Health(this.#health));
  }

  remove(member: Member): void {
    this.#members.delete(member);
  }

  /**
   * Does a call with one of the members.
   *
   * @param input what the call carries
   */
  async run<Result>(
    input: unknown,
    options: CallOptions | undefined,
    call: (synapse: Synapse, options: CallOptions | undefined) => Promise<Result>,
  ): Promise<Result> {
    const rest = await this.#enter(input, options);
    try {
      const { member, end } = this.#pick();
      let outcome: Outcome = 'unknown';
      try {
        const result = await member.run((synapse) => call(synapse, rest));
        outcome = 'works';
        return result;
      } catch (reason) {
        outcome = outcomeOf(reason);
        throw reason;
      } finally {
        end(outcome);
      }
    } finally {
      this.#gate.leave();
    }
  }

  /**
   * Streams from one of the members. It counts as under way until it is iterated to its end or left.
   *
   * @param input what the call carries
   */
  async *stream<Item>(
    input: unknown,
    options: StreamOptions | undefined,
    open: (synapse: Synapse, options: StreamOptions | undefined) => PythonStream<Item>,
  ): AsyncGenerator<Item, void, undefined> {
    const rest = await this.#enter(input, options);
    try {
      const { member, end } = this.#pick();
      const leave = member.begin();
      // That of one which is left early.
      let outcome: Outcome = 'unknown';
      try {
        yield* open(member.synapse, rest);
        outcome = 'works';
      } catch (reason) {
        outcome = outcomeOf(reason);
        throw reason;
      } finally {
        end(outcome);
        leave();
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
    const members = [...this.#members.keys()];
    const fit = this.#fit();
    const all = members.map(({ synapse }) => synapse.stats());
    return {
      processes: all.reduce((sum, { workers }) => sum + workers.length, 0),
      totalRequests: all.reduce((sum, { requestsHandled }) => sum + requestsHandled, 0),
      requestsActive: this.#gate.inside,
      queued: this.#gate.waiting,
      strategy: this.#strategy,
      members: members.map(({ name }) => name),
      passedOver: members.filter((member) => !fit.includes(member)).map(({ name }) => name),
    };
  }

  /** Waits for a place; answers the options with what is left of the time. */
  async #enter<Options extends CallOptions>(
    input: unknown,
    options: Options | undefined,
  ): Promise<Options | undefined> {
    this.#refuseEmpty();
    const timeout = options?.timeout ?? 0;
    const begun = performance.now();
    await this.#admit(input, { signal: options?.signal, timeout });
    if (options === undefined || timeout === 0) return options;
    return { ...options, timeout: Math.max(1, timeout - (performance.now() - begun)) };
  }

  /** Waits at the gate, for no longer than the call's input streams last. */
  async #admit(input: unknown, wait: Wait): Promise<void> {
    const { signal } = wait;
    if (this.#gate.isOpen || signal?.aborted || !holdsInputs(input)) return this.#gate.enter(wait);
    const withdrawal = new AbortController();
    const release = signal && whenAborted(signal, () => withdrawal.abort(signal.reason));
    const admission = this.#gate.enter({ ...wait, signal: withdrawal.signal });
    try {
      await waitWithInputs(input, admission);
    } catch (cause) {
      withdrawal.abort(cause);
      // It may have been let in at the very moment at which its stream failed.
      admission.then(
        () => this.#gate.leave(),
        () => {},
      );
      throw cause;
    } finally {
      release?.();
    }
  }

  /** Chooses who gets a call; `end` is to be told what that call says of it. */
  #pick(): { readonly member: Member; readonly end: (outcome: Outcome) => void } {
    // The last member may have gone while the call waited.
    this.#refuseEmpty();
    const fit = this.#fit();
    // If none is, one of them says why.
    const member = this.#choose(fit.length === 0 ? [...this.#members.keys()] : fit);
    const end = this.#members.get(member)?.begin() ?? (() => {});
    return { member, end };
  }

  /** The members that may get a call. */
  #fit(): Member[] {
    return [...this.#members]
      .filter(([member, health]) => member.healthy && health.isFit)
      .map(([member]) => member);
  }

  #refuseEmpty(): void {
    if (this.#closed) throw disposed();
    if (this.#members.size > 0) return;
    const message = `Group ID "${this.#name}" has no associated targets`;
    throw new HubError('GROUP_EMPTY', message);
  }
}

function disposed(): DisposedError {
  return new DisposedError('DISPOSED', 'the hub is being disposed of');
}
