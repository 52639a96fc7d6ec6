/** The options of `spawn` and of `new Synapse(defaults)`. */

import { type AdaptiveTimeoutOption, normalizeAdaptiveTimeout } from './adaptiveTimeout.js';
import { type BeforeReadyOption, normalizeBeforeReady } from './beforeReady.js';
import { type BreakerOption, normalizeBreaker } from './breaker.js';
import { type BulkheadOption, normalizeBulkhead } from './bulkhead.js';
import { type CacheOption, normalizeCache } from './cache.js';
import { isPlain } from './checks.js';
import { type ConcurrencyOption, normalizeConcurrency } from './concurrency.js';
import { type CwdOption, normalizeCwd } from './cwd.js';
import { type EnvOption, normalizeEnv } from './env.js';
import type { FallbackOption } from './fallback.js';
import { type GraceOption, normalizeGraceMs } from './graceMs.js';
import { type HeartbeatOption, normalizeHeartbeat } from './heartbeat.js';
import { type HedgeOption, normalizeHedge } from './hedge.js';
import { type InheritEnvOption, normalizeInheritEnv } from './inheritEnv.js';
import { type InstallerOption, normalizeInstaller } from './installer.js';
import { refusal } from './invalid.js';
import { type LimitsOption, normalizeLimits } from './limits.js';
import { type ModeOption, normalizeMode } from './mode.js';
import { knownNames } from './names.js';
import type { NativeConfig } from './native.js';
import { normalizeOffline, type OfflineOption } from './offline.js';
import { normalizeOnProgress, type OnProgressOption } from './onProgress.js';
import { normalizeOutput, type OutputOption } from './output.js';
import { joinPolicies } from './policies.js';
import { normalizeProfile, type ProfileOption, profileOptions } from './profile.js';
import { normalizeProtocol, type ProtocolOption } from './protocol.js';
import { normalizePython, type PythonOption } from './python.js';
import { normalizePythonPath, type PythonPathOption } from './pythonPath.js';
import { normalizeQueue, type QueueOption } from './queue.js';
import { normalizeRateLimit, type RateLimitOption } from './rateLimit.js';
import { normalizeRecycle, type RecycleOption } from './recycle.js';
import { normalizeRedact, type Redact, type RedactOption } from './redact.js';
import { normalizeRequirements, type RequirementsOption } from './requirements.js';
import { normalizeRestart, type RestartOption } from './restart.js';
import { normalizeRetry, type RetryOption } from './retry.js';
import { checkRuntime, normalizeRuntime, type RuntimeOption, runtimeCommand } from './runtime.js';
import { normalizeSessions, type SessionsOption } from './sessions.js';
import { normalizeStartTimeout, type StartTimeoutOption } from './startTimeout.js';
import { normalizeStrategy, type StrategyOption } from './strategy.js';
import { normalizeValidate, type ValidateOption } from './validate.js';
import { normalizeValues, type ValuesOption } from './values.js';
import { normalizeWeights, type WeightsOption } from './weights.js';
import { normalizeWorkers, type WorkersOption } from './workers.js';

/** Options of `spawn`. All may be absent. */
export interface SpawnOptions {
  readonly workers?: WorkersOption | undefined;
  readonly concurrency?: ConcurrencyOption | undefined;
  readonly mode?: ModeOption | undefined;
  readonly protocol?: ProtocolOption | undefined;
  readonly values?: ValuesOption | undefined;
  readonly validate?: ValidateOption | undefined;
  readonly runtime?: RuntimeOption | undefined;
  readonly strategy?: StrategyOption | undefined;
  readonly weights?: WeightsOption | undefined;
  readonly queue?: QueueOption | undefined;
  readonly restart?: RestartOption | undefined;
  readonly recycle?: RecycleOption | undefined;
  readonly heartbeat?: HeartbeatOption | undefined;
  readonly limits?: LimitsOption | undefined;
  readonly retry?: RetryOption | undefined;
  readonly breaker?: BreakerOption | undefined;
  readonly adaptiveTimeout?: AdaptiveTimeoutOption | undefined;
  readonly cache?: CacheOption | undefined;
  readonly fallback?: FallbackOption | undefined;
  readonly bulkhead?: BulkheadOption | undefined;
  readonly rateLimit?: RateLimitOption | undefined;
  readonly hedge?: HedgeOption | undefined;
  readonly python?: PythonOption | undefined;
  readonly pythonPath?: PythonPathOption | undefined;
  readonly installer?: InstallerOption | undefined;
  readonly requirements?: RequirementsOption | undefined;
  readonly offline?: OfflineOption | undefined;
  readonly onProgress?: OnProgressOption | undefined;
  readonly env?: EnvOption | undefined;
  readonly inheritEnv?: InheritEnvOption | undefined;
  readonly cwd?: CwdOption | undefined;
  readonly stdout?: OutputOption | undefined;
  readonly stderr?: OutputOption | undefined;
  readonly startTimeout?: StartTimeoutOption | undefined;
  readonly graceMs?: GraceOption | undefined;
  readonly sessions?: SessionsOption | undefined;
  readonly profile?: ProfileOption | undefined;
  readonly beforeReady?: BeforeReadyOption | undefined;
  readonly redact?: RedactOption | undefined;
}

/** What is spawned, and where the package lies. */
export interface SpawnTarget {
  /** As the user wrote it. */
  readonly directory: string;
  /** As the user wrote it. */
  readonly entrypoint: string;
  /** Absolute path of the package's folder `python`. */
  readonly sdkPath: string;
}

/** One check for each option, in the order of the contract: a missing one does not compile. */
const CHECKS = {
  workers: normalizeWorkers,
  concurrency: normalizeConcurrency,
  mode: normalizeMode,
  protocol: normalizeProtocol,
  values: normalizeValues,
  validate: normalizeValidate,
  runtime: normalizeRuntime,
  strategy: normalizeStrategy,
  weights: normalizeWeights,
  queue: normalizeQueue,
  restart: normalizeRestart,
  recycle: normalizeRecycle,
  heartbeat: normalizeHeartbeat,
  limits: normalizeLimits,
  retry: normalizeRetry,
  breaker: normalizeBreaker,
  adaptiveTimeout: normalizeAdaptiveTimeout,
  cache: normalizeCache,
  fallback: (value: unknown) => value,
  bulkhead: normalizeBulkhead,
  rateLimit: normalizeRateLimit,
  hedge: normalizeHedge,
  python: normalizePython,
  pythonPath: normalizePythonPath,
  installer: normalizeInstaller,
  requirements: normalizeRequirements,
  offline: normalizeOffline,
  onProgress: normalizeOnProgress,
  env: normalizeEnv,
  inheritEnv: normalizeInheritEnv,
  cwd: normalizeCwd,
  stdout: (value: unknown) => normalizeOutput('stdout', value),
  stderr: (value: unknown) => normalizeOutput('stderr', value),
  startTimeout: normalizeStartTimeout,
  graceMs: normalizeGraceMs,
  sessions: normalizeSessions,
  profile: normalizeProfile,
  beforeReady: normalizeBeforeReady,
  redact: normalizeRedact,
} satisfies { readonly [Name in keyof Required<SpawnOptions>]: (value: unknown) => unknown };

type Normalized = { readonly [Name in keyof typeof CHECKS]: ReturnType<(typeof CHECKS)[Name]> };

/**
 * Checks options by themselves, as the constructor does with its defaults.
 *
 * @throws TypeError or RangeError that names the option and echoes the value
 */
export function checkSpawnOptions(options: SpawnOptions | undefined): void {
  normalize(options ?? {});
}

/**
 * Checks the options, applies the defaults, and makes of them what the engine takes. Nothing has
 * happened yet when it throws.
 *
 * @throws TypeError or RangeError that names the option and echoes the value
 */
export function normalizeSpawnOptions(
  defaults: SpawnOptions | undefined,
  options: SpawnOptions | undefined,
  target: SpawnTarget,
): NativeConfig {
  const all = normalizeAll(defaults, options);
  return {
    directory: target.directory,
    entrypoint: target.entrypoint,
    workers: all.workers,
    concurrency: all.concurrency,
    strategy: all.strategy,
    weights: all.weights,
    seed: Math.floor(Math.random() * 2 ** 32),
    mode: all.mode,
    protocol: all.protocol,
    ...runtimeCommand(all.runtime),
    values: all.values,
    validate: all.validate,
    queueMax: all.queue.max,
    queueMaxGiven: all.queue.maxGiven,
    queueTimeoutMs: all.queue.timeoutMs,
    restart: all.restart,
    recycle: all.recycle,
    policies: joinPolicies({
      retry: all.retry,
      breaker: all.breaker,
      adaptiveTimeout: all.adaptiveTimeout,
      cache: all.cache,
      bulkhead: all.bulkhead,
      rateLimit: all.rateLimit,
      hedge: all.hedge,
    }),
    heartbeat: all.heartbeat,
    frameLimit: all.limits.frame,
    depthLimit: all.limits.depth,
    sharedMemory: all.limits.sharedMemory,
    memoryLimit: all.limits.memory,
    cpuLimit: all.limits.cpu,
    filesLimit: all.limits.files,
    callTimeoutMs: all.limits.callTimeoutMs,
    startTimeoutMs: all.startTimeout,
    graceMs: all.graceMs,
    sessions: all.sessions,
    python: all.python,
    installer: all.installer,
    requirements: all.requirements,
    offline: all.offline,
    // Not those of the process: a worker thread has a copy of its own, which it may have changed.
    hostEnv: process.env,
    env: all.env,
    inheritEnv: all.inheritEnv,
    cwd: all.cwd,
    stdout: all.stdout,
    stderr: all.stderr,
    pythonPath: all.pythonPath,
    sdkPath: target.sdkPath,
    nodeParent: process.pid,
  };
}

/** What the facade itself needs to know of the options. */
export interface FacadeConfig {
  /** The limit of streams that give none, in ms; null for none. */
  readonly streamTimeoutMs: number | null;
  readonly beforeReady: BeforeReadyOption;
  /** Hides secrets; null if there are none. */
  readonly redact: Redact | null;
}

/**
 * The options that do not reach the engine.
 *
 * @throws as {@link normalizeSpawnOptions}
 */
export function normalizeFacadeOptions(
  defaults: SpawnOptions | undefined,
  options: SpawnOptions | undefined,
): FacadeConfig {
  const { limits, beforeReady, redact } = normalizeAll(defaults, options);
  return { streamTimeoutMs: limits.streamTimeoutMs, beforeReady, redact };
}

function normalizeAll(
  defaults: SpawnOptions | undefined,
  options: SpawnOptions | undefined,
): Normalized {
  const merged = mergeSpawnOptions(defaults, options);
  return normalize(merge(profileOptions(merged.profile), named(merged)));
}

/**
 * The options of `spawn` over those of the constructor. Where both hold an object it is merged, field
 * by field; undefined overrides nothing.
 */
export function mergeSpawnOptions(
  defaults: SpawnOptions = {},
  options: SpawnOptions = {},
): SpawnOptions {
  return merge(named(defaults), named(options));
}

function normalize(options: SpawnOptions): Normalized {
  const given = named(options);
  const normalized = Object.fromEntries(
    Object.entries(CHECKS).map(([name, check]) => [name, check(given[name])]),
  ) as Normalized;
  checkRuntime(normalized.runtime, normalized.mode, normalized.protocol);
  if (normalized.recycle.rss !== null && normalized.heartbeat === null) {
    const expected = 'absent where heartbeat is false, for heartbeats tell the memory in use';
    throw refusal('recycle.rss', expected, normalized.recycle.rss);
  }
  return normalized;
}

function named(options: SpawnOptions): Readonly<Record<string, unknown>> {
  return knownNames('', options, Object.keys(CHECKS));
}

function merge(
  defaults: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const merged = { ...defaults };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const before = merged[name];
    // A fallback is a value of the user's: two of them are not one.
    const isJoined = name !== 'fallback' && isPlain(before) && isPlain(value);
    merged[name] = isJoined ? merge(before, value) : value;
  }
  return merged;
}
