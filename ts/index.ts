/** The public surface. `index.js`, `index.mjs` and their types re-export it by name. */

export type { Api } from './api.js';
export { ArrowIpc, type ArrowKind } from './arrow.js';
export type { InfoReply, PingReply } from './builtin.js';
export type {
  HandlerContext,
  HandlerRegistration,
  HostHandler,
  HostModule,
  ToolInfo,
  ToolOptions,
} from './callbacks/index.js';
export { NdArray, ndarray } from './codec/index.js';
export * from './errors/index.js';
export type * from './events.js';
export type { HandlerInfo } from './handlers.js';
export {
  type GroupStats,
  type HubEvents,
  type HubStats,
  type PoolOptions,
  SynapseHub,
} from './hub/index.js';
export type { ItemOptions } from './items.js';
export { Kwargs, kwargs } from './kwargs.js';
export type { MapItems, MapOptions } from './map.js';
export type { GroupOptions } from './options/group.js';
export type {
  AdaptiveTimeoutPolicy,
  Affinity,
  BreakerPolicy,
  BulkheadPolicy,
  CachePolicy,
  CallOptions,
  FallbackContext,
  GroupHealthPolicy,
  HeartbeatPolicy,
  HedgePolicy,
  ProfileOption,
  RateLimitPolicy,
  RecycleOption,
  RedactOption,
  RestartPolicy,
  RetryPolicy,
  SessionOptions,
  SessionReference,
  SetupProgress,
  SpawnOptions,
  StreamOptions,
  TaintPolicy,
  WorkersRange,
} from './options/index.js';
export { NativeLoadError } from './platform.js';
export { type ResolvedPython, type ResolvePythonOptions, resolvePython } from './resolve-python.js';
export type { ResumableCounters } from './resumable.js';
export {
  type CreatedProgram,
  type Globals,
  type ProgramCommands,
  type Programs,
  Session,
  type SessionInfo,
  type SessionManager,
  type SessionsStats,
} from './sessions/index.js';
export { disposeOnSignals, type SignalRegistration } from './signals.js';
export type { Counters, PolicyStats, Stats, WorkerInfo, WorkerStats } from './stats.js';
export type { PythonStream } from './stream.js';
export { Synapse } from './synapse.js';
export { isUnserializable, type Unserializable } from './unserializable.js';
export { type WithPoolOptions, withPool } from './with-pool.js';
