/** The options: public types, and what makes checked records of them. */

export type { AdaptiveTimeoutPolicy } from './adaptiveTimeout.js';
export type { BackoffOption } from './backoff.js';
export type { BeforeReadyOption } from './beforeReady.js';
export type { BreakerOption, BreakerPolicy } from './breaker.js';
export type { BulkheadOption, BulkheadPolicy } from './bulkhead.js';
export type { CacheOption, CachePolicy } from './cache.js';
export {
  type CallOptions,
  checkCallNames,
  checkStreamOptions,
  type NormalizedCallOptions,
  normalizeCallOptions,
  type StreamOptions,
} from './call.js';
export { normalizeDirectory } from './directory.js';
export type { FallbackContext, FallbackOption } from './fallback.js';
export type { GroupHealthOption, GroupHealthPolicy } from './groupHealth.js';
export type { HeartbeatPolicy } from './heartbeat.js';
export type { HedgeOption, HedgePolicy } from './hedge.js';
export { normalizeIdleTimeout } from './idleTimeout.js';
export { InvalidOptionError, OptionRangeError, show } from './invalid.js';
export type { LimitsOption } from './limits.js';
export { knownNames, nearest } from './names.js';
export type { NativeConfig } from './native.js';
export type { OnProgressOption, SetupProgress } from './onProgress.js';
export type { ProfileOption } from './profile.js';
export { type ManagedPython, normalizePython, type PythonOption } from './python.js';
export type { QueueOption } from './queue.js';
export type { RateLimitOption, RateLimitPolicy } from './rateLimit.js';
export type { RecycleOption } from './recycle.js';
export type { RedactOption } from './redact.js';
export type { RestartOption, RestartPolicy } from './restart.js';
export { normalizeResume } from './resume.js';
export { normalizeResumeFrom } from './resumeFrom.js';
export type { RetryOption, RetryPolicy } from './retry.js';
export type { Affinity, SessionOptions, SessionReference } from './session.js';
export {
  checkSpawnOptions,
  type FacadeConfig,
  mergeSpawnOptions,
  normalizeSpawnOptions,
  type SpawnOptions,
  type SpawnTarget,
} from './spawn.js';
export type { TaintPolicy } from './taint.js';
export type { WeightsOption } from './weights.js';
export { normalizeWorker } from './worker.js';
export {
  normalizeReady,
  normalizeScale,
  type ScaleRange,
  type StartupBatchOption,
  type WorkersOption,
  type WorkersRange,
} from './workers.js';
