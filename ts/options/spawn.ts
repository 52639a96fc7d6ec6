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
  /**
   * Processes, 1 to 1024, started at the same time; default 1. `auto`: one for each processor
   * that this process may use. An object: a pool that grows and shrinks.
   */
  readonly workers?: WorkersOption | undefined;
  /** Calls that one worker runs at once, for async handlers or threads; default 1. */
  readonly concurrency?: ConcurrencyOption | undefined;
  /**
   * How a worker runs its calls: in turn, on an event loop, or in threads; default `auto`, as
   * the handlers are.
   */
  readonly mode?: ModeOption | undefined;
  /**
   * What the worker speaks; `stdio` is the framing of 1.4. Default `auto`: found out from the
   * script.
   */
  readonly protocol?: ProtocolOption | undefined;
  /**
   * What becomes of a value that cannot cross from Python; default `strict`: the call rejects
   * with an `EncodeError` that names the path. `graceful`: a mark is in its place.
   */
  readonly values?: ValuesOption | undefined;
  /** Whether arguments are checked against the type hints of the handlers; default true. */
  readonly validate?: ValidateOption | undefined;
  /**
   * What runs the entry file: `python` (the default), `node`, or a `command` that speaks
   * docs/protocol.md.
   */
  readonly runtime?: RuntimeOption | undefined;
  /** How the worker for a call is chosen; default `least-busy`. */
  readonly strategy?: StrategyOption | undefined;
  /**
   * Shares of the calls under the strategy `weighted`, one for each place of the pool; default
   * 1 each.
   */
  readonly weights?: WeightsOption | undefined;
  /** How calls wait for a worker: at most `max` (1000) of them, at most `timeout` ms (any time). */
  readonly queue?: QueueOption | undefined;
  /**
   * Whether and how workers that died are replaced; default 5 times in a minute, then with
   * pauses. `false`: not at all.
   */
  readonly restart?: RestartOption | undefined;
  /** When a healthy worker is replaced by a fresh one. Each limit is off unless given. */
  readonly recycle?: RecycleOption | undefined;
  /**
   * Signs of life of a thread of the worker’s own; default every 2000 ms, and 3 that miss are
   * an event. `false`: none.
   */
  readonly heartbeat?: HeartbeatOption | undefined;
  /** Bounds on messages, on processes and on calls. */
  readonly limits?: LimitsOption | undefined;
  /**
   * Attempts after the first, or a policy; default 0. What may have run is repeated only if it
   * is idempotent.
   */
  readonly retry?: RetryOption | undefined;
  /**
   * The circuit breaker of each handler; default `false`: none. `true` for the defaults of its
   * policy.
   */
  readonly breaker?: BreakerOption | undefined;
  /**
   * Timeouts that adapt to how long a handler takes; default `false`. `true` for the defaults
   * of its policy.
   */
  readonly adaptiveTimeout?: AdaptiveTimeoutOption | undefined;
  /**
   * Results that answer the same call again; default `false`. `true` for the defaults of its
   * policy.
   */
  readonly cache?: CacheOption | undefined;
  /**
   * What a call answers when it has failed for good: a value, or a function of the error;
   * default none.
   */
  readonly fallback?: FallbackOption | undefined;
  /** Calls of one handler at once, or a policy; default `false`: no bound. */
  readonly bulkhead?: BulkheadOption | undefined;
  /** Calls of one handler a second, or a policy; default `false`: no limit. */
  readonly rateLimit?: RateLimitOption | undefined;
  /**
   * Copies of slow calls that are idempotent; default `false`: none. A number: after so many
   * ms.
   */
  readonly hedge?: HedgeOption | undefined;
  /**
   * The interpreter: a version (`3.12`), its path, or the path of a virtual environment; or `{
   * managed }`, one that uv installs. Default: searched for.
   */
  readonly python?: PythonOption | undefined;
  /**
   * Directories to add to `sys.path`, behind that of the entry file; relative ones start at
   * `process.cwd()`.
   */
  readonly pythonPath?: PythonPathOption | undefined;
  /**
   * What installs the dependencies; default `auto`: uv if it is on the PATH, else pip. `none`:
   * nothing does.
   */
  readonly installer?: InstallerOption | undefined;
  /** The dependency file, relative to the directory of `spawn`; default as `spawn` finds it. */
  readonly requirements?: RequirementsOption | undefined;
  /** Whether the installer must do without the network; default false. */
  readonly offline?: OfflineOption | undefined;
  /** Told of each step of setting an environment up, as the event `setup` is. */
  readonly onProgress?: OnProgressOption | undefined;
  /**
   * Environment variables of the worker, besides inherited ones. Undefined values count as
   * absent.
   */
  readonly env?: EnvOption | undefined;
  /**
   * Which of Node’s environment variables the worker gets: all (`true`, the default), none, or
   * those named.
   */
  readonly inheritEnv?: InheritEnvOption | undefined;
  /** The worker’s working directory; default that of Node. */
  readonly cwd?: CwdOption | undefined;
  /**
   * What becomes of what a worker prints: `event` (the default), the event `log`; `inherit`,
   * Node’s own stdout; `ignore`.
   */
  readonly stdout?: OutputOption | undefined;
  /**
   * What becomes of a worker’s stderr: `event` (the default), the event `log`; `inherit`,
   * Node’s own stderr; `ignore`.
   */
  readonly stderr?: OutputOption | undefined;
  /** How long a worker may take to get ready, in ms; default 120000. 0 and `Infinity`: any time. */
  readonly startTimeout?: StartTimeoutOption | undefined;
  /**
   * Time between the wish that a worker or a cancelled call ends and SIGKILL, in ms; default
   * 500.
   */
  readonly graceMs?: GraceOption | undefined;
  /**
   * Bounds on sessions (default one hour untouched, 10000 of them, 1 MiB each), and where they
   * are kept.
   */
  readonly sessions?: SessionsOption | undefined;
  /**
   * A preset of time limits by the kind of work; default none. What is given besides goes
   * before it.
   */
  readonly profile?: ProfileOption | undefined;
  /**
   * What becomes of calls while `spawn` is under way: `wait` (the default) for it, or `reject`
   * with `NOT_SPAWNED`.
   */
  readonly beforeReady?: BeforeReadyOption | undefined;
  /**
   * What must not show in errors and logs: texts and patterns, or a function that answers what may be
   * shown of a text; default nothing.
   */
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
  fallback: (value: unknown) => value as FallbackOption | undefined,
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

/** What becomes of the options of `spawn`. */
export interface SpawnConfig {
  /** What the engine takes. */
  readonly native: NativeConfig;
  /** What does not reach it. */
  readonly facade: FacadeConfig;
}

/** What the facade itself needs to know of the options. */
export interface FacadeConfig {
  /** The limit of streams that give none, in ms; null for none. */
  readonly streamTimeoutMs: number | null;
  readonly beforeReady: BeforeReadyOption;
  /** Hides secrets; null if there are none. */
  readonly redact: Redact | null;
  /** What answers a call that has failed for good; undefined if nothing does. */
  readonly fallback: FallbackOption | undefined;
  /** Told of the steps of the set-up; null if nobody is. */
  readonly onProgress: OnProgressOption | null;
}

/**
 * Checks the options and applies the defaults. Nothing has happened yet when it throws.
 *
 * @throws TypeError or RangeError that names the option and echoes the value
 */
export function normalizeSpawnOptions(
  defaults: SpawnOptions | undefined,
  options: SpawnOptions | undefined,
  target: SpawnTarget,
): SpawnConfig {
  const merged = mergeSpawnOptions(defaults, options);
  const all = normalize(merge(profileOptions(merged.profile), named(merged)));
  return { native: nativeConfig(all, target), facade: facadeConfig(all) };
}

function nativeConfig(all: Normalized, target: SpawnTarget): NativeConfig {
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
    frameTimeoutMs: all.limits.frameTimeoutMs,
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

function facadeConfig({
  limits,
  beforeReady,
  redact,
  fallback,
  onProgress,
}: Normalized): FacadeConfig {
  return { streamTimeoutMs: limits.streamTimeoutMs, beforeReady, redact, fallback, onProgress };
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
