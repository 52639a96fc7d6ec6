/** The options of a group of pools. */

import { integer } from './checks.js';
import { type GroupHealth, type GroupHealthOption, normalizeGroupHealth } from './groupHealth.js';
import { knownNames } from './names.js';
import { normalizeQueue, type Queue, type QueueOption } from './queue.js';
import { normalizeStrategy, type StrategyOption } from './strategy.js';

/** How a group hands calls to its members. */
export interface GroupOptions {
  /** How the member for a call is chosen; default `least-busy`. */
  readonly strategy?: StrategyOption | undefined;
  /** Calls that the group has under way at once; `Infinity`, the default, for any number. */
  readonly concurrency?: number | undefined;
  /** How calls wait once that many are under way. */
  readonly queue?: QueueOption | undefined;
  /** When a member is passed over because its calls fail; default after 3 in a row, for 30 s. */
  readonly health?: GroupHealthOption | undefined;
}

/** The options with their defaults applied. */
export interface NormalizedGroup {
  readonly strategy: StrategyOption;
  readonly concurrency: number;
  readonly queue: Queue;
  readonly health: GroupHealth;
}

/** @throws TypeError or RangeError that names the option and echoes the value */
export function normalizeGroup(options: unknown = {}): NormalizedGroup {
  const { strategy, concurrency, queue, health } = knownNames('', options, [
    'strategy',
    'concurrency',
    'queue',
    'health',
  ]);
  const unbounded = concurrency === undefined || concurrency === Number.POSITIVE_INFINITY;
  return {
    strategy: normalizeStrategy(strategy),
    concurrency: unbounded
      ? Number.POSITIVE_INFINITY
      : integer('concurrency', concurrency, 1, 0xffff_ffff),
    queue: normalizeQueue(queue),
    health: normalizeGroupHealth(health),
  };
}

/** The weight of a member; default 1. */
export function normalizeWeight(weight: unknown = 1): number {
  return integer('weight', weight, 1, 1_000_000);
}
