/** The policies of `spawn` together, as they cross to the engine. */

import type { AdaptiveTimeout } from './adaptiveTimeout.js';
import type { Breaker } from './breaker.js';
import type { Bulkhead } from './bulkhead.js';
import { type Cache, type CacheOption, normalizeCache } from './cache.js';
import { type Hedge, type HedgeOption, normalizeHedge } from './hedge.js';
import type { RateLimit } from './rateLimit.js';
import { normalizeRetry, type Retry, type RetryOption } from './retry.js';

/** In the order of `src/driver/policies.rs`; null is none. */
export interface Policies {
  readonly retry: Retry | null;
  readonly breaker: Breaker | null;
  readonly adaptiveTimeout: AdaptiveTimeout | null;
  readonly cache: Cache | null;
  readonly bulkhead: Bulkhead | null;
  readonly rateLimit: RateLimit | null;
  readonly hedge: Hedge | null;
}

/** @returns null where no policy is asked for */
export function joinPolicies(policies: Policies): Policies | null {
  const retry = policies.retry?.retries === 0 ? null : policies.retry;
  const asked = { ...policies, retry };
  return Object.values(asked).some((policy) => policy !== null) ? asked : null;
}

/**
 * What one call says for itself, as it crosses to the engine; undefined where it says nothing. A number
 * of retries keeps nothing of the policy of `spawn`: it is a policy of its own.
 */
export function callPolicies(
  retry: RetryOption | undefined,
  cache: CacheOption | undefined,
  hedge: HedgeOption | undefined,
): string | undefined {
  if (retry === undefined && cache === undefined && hedge === undefined) return undefined;
  const policies: Record<string, unknown> = {};
  if (retry !== undefined) {
    const own = normalizeRetry(retry);
    policies['retry'] = own.retries === 0 ? null : own;
  }
  if (cache !== undefined) policies['cache'] = normalizeCache(cache);
  if (hedge !== undefined) policies['hedge'] = normalizeHedge(hedge);
  return JSON.stringify(policies);
}
