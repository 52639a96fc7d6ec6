/** What `stats()` and `workers()` answer. */

import type { ResumableCounters } from './resumable.js';

/** A worker. */
export interface WorkerInfo {
  /** The worker's id, as the option `worker` of a call takes it. */
  readonly id: number;
  /** Its process; `NaN` until it is ready, which no signal can be sent to. */
  readonly pid: number;
  /**
   * `restarting`: it starts in place of another. `draining`: it takes no new calls and goes.
   * `unhealthy`: it gives no signs of life. `failed`: it has died and what it had written is read.
   */
  readonly status:
    | 'starting'
    | 'restarting'
    | 'ready'
    | 'busy'
    | 'draining'
    | 'unhealthy'
    | 'stopping'
    | 'stopped'
    | 'failed';
  /** Python's version, empty until it is ready. */
  readonly python: string;
}

/** What is counted. Times are milliseconds. */
export interface Counters {
  /** Calls that were answered, with a result or an exception. */
  readonly requestsHandled: number;
  /** Calls that run. */
  readonly requestsActive: number;
  /** Those of them that were answered with an exception. */
  readonly errors: number;
  /** Calls whose deadline passed. */
  readonly timeouts: number;
  /**
   * Answers, or parts of them, for calls that the worker did not have, or had answered: dropped. Late
   * ones for calls that were cancelled or timed out do not count.
   */
  readonly strayReplies: number;
  /** Moving average, the newest weighing 0.2. */
  readonly averageResponseTime: number;
  /** The median of the time of a call, in ms. */
  readonly p50: number;
  /** The 95th percentile of the time of a call, in ms. */
  readonly p95: number;
  /** The 99th percentile of the time of a call, in ms. */
  readonly p99: number;
}

/** One worker's counters. */
export interface WorkerStats extends WorkerInfo, Counters {
  /** Calls that wait for this worker and no other. */
  readonly queued: number;
  /** Dead workers that this one and those before it have replaced at this place of the pool. */
  readonly restarts: number;
  /** Resident memory in bytes, by the last heartbeat. */
  readonly rss: number;
  /** Share of one processor between the last two heartbeats. */
  readonly cpu: number;
  /** When its last heartbeat came, or it got ready: ms since 1970. */
  readonly lastHeartbeatAt: number;
  /** When it was last written to or read from: ms since 1970. */
  readonly lastActivity: number;
}

/** What the policies have done. Only handlers that were called under a policy are listed. */
export interface PolicyStats {
  /** Repetitions. */
  readonly retry: {
    /** Attempts after a first one. */
    readonly attempts: number;
    /** Calls that succeeded by one. */
    readonly recovered: number;
    /** Attempts that `retry.budget` did not allow. */
    readonly overBudget: number;
  };
  /** Circuit breakers, by handler. */
  readonly breakers: Readonly<
    Record<
      string,
      {
        readonly state: 'closed' | 'open' | 'half-open';
        readonly failures: number;
        /** Calls that were refused. */
        readonly refused: number;
        /** Calls that are let through to find out. */
        readonly probing: number;
        /** Milliseconds until a call may go. */
        readonly retryAfter: number;
      }
    >
  >;
  /** How long the next attempt may take, in ms. */
  readonly timeouts: Readonly<Record<string, number>>;
  /** Results that are kept. */
  readonly cache: {
    readonly hits: number;
    readonly misses: number;
    /** Calls that failed and got an old reply. */
    readonly stale: number;
    readonly entries: number;
    readonly bytes: number;
  };
  /** Calls of handlers that are limited, by handler. */
  readonly bulkheads: Readonly<
    Record<string, { readonly running: number; readonly waiting: number }>
  >;
  /** Calls that a bulkhead refused. */
  readonly bulkheadRefused: number;
  /** Calls that a rate limit refused. */
  readonly rateLimited: number;
  /** Copies of slow calls. */
  readonly hedge: {
    /** Copies that were sent. */
    readonly sent: number;
    /** Copies that were answered first. */
    readonly won: number;
  };
}

/** The instance's counters. */
export interface Stats extends Counters {
  /** Calls that wait for a worker. */
  readonly queued: number;
  /** Workers that can take a call at once. */
  readonly available: number;
  /** Workers that have calls. */
  readonly busy: number;
  /** Calls that were refused because the queue was full. */
  readonly queueRefusals: number;
  /** Calls whose time was over before a worker had them. */
  readonly queueTimeouts: number;
  /** Workers that died and were replaced. */
  readonly restarts: number;
  /** Resident memory of all workers in bytes, by their last heartbeats. */
  readonly rss: number;
  /** Processors that they use, by their last heartbeats. */
  readonly cpu: number;
  /** When a worker was last written to or read from: ms since 1970; 0 without workers. */
  readonly lastActivity: number;
  /** Workers that are always kept. */
  readonly min: number;
  /** Workers that there may be. */
  readonly max: number;
  /** How the pool as a whole is; `unhealthy`: calls fail at once. */
  readonly status: 'idle' | 'starting' | 'ready' | 'unhealthy' | 'stopping';
  /** Absent unless there are policies. */
  readonly policies?: PolicyStats;
  /** Streams with the option `resume`, since the instance was made. */
  readonly resumable: ResumableCounters;
  /** The same for each worker. */
  readonly workers: readonly WorkerStats[];
}

const NOTHING: Omit<Stats, 'resumable'> = {
  requestsHandled: 0,
  requestsActive: 0,
  queued: 0,
  available: 0,
  busy: 0,
  queueRefusals: 0,
  queueTimeouts: 0,
  rss: 0,
  cpu: 0,
  lastActivity: 0,
  min: 0,
  max: 0,
  errors: 0,
  timeouts: 0,
  strayReplies: 0,
  restarts: 0,
  averageResponseTime: 0,
  p50: 0,
  p95: 0,
  p99: 0,
  status: 'idle',
  workers: [],
};

/** Reads the engine's counters; without an engine all are zero. */
export function readStats(json: string | undefined, resumable: ResumableCounters): Stats {
  const stats = json === undefined ? null : (JSON.parse(json) as NativeStats | null);
  if (stats === null) return { ...NOTHING, resumable };
  const now = Date.now();
  const workers = stats.workers.map(({ idleFor, silentFor, ...worker }) => ({
    ...withoutZero(worker),
    lastActivity: now - idleFor,
    lastHeartbeatAt: now - silentFor,
  }));
  const lastActivity = Math.max(0, ...workers.map((worker) => worker.lastActivity));
  return { ...stats, lastActivity, resumable, workers };
}

/** Whether there is no worker and none will come: the last has died, and none is replaced. */
export function isOver(json: string): boolean {
  return (JSON.parse(json) as NativeStats | null)?.max === 0;
}

/** Reads the engine's list of workers. */
export function readWorkers(json: string | undefined): WorkerInfo[] {
  return (JSON.parse(json ?? '[]') as WorkerInfo[]).map(withoutZero);
}

/** To `process.kill`, 0 is the caller's own process group: a worker without a process is not that. */
function withoutZero<Info extends { readonly pid: number }>(worker: Info): Info {
  return worker.pid === 0 ? { ...worker, pid: Number.NaN } : worker;
}

type NativeStats = Omit<Stats, 'workers' | 'lastActivity' | 'resumable'> & {
  readonly workers: readonly NativeWorker[];
};

/** The engine knows no clock of the world: it tells how long ago things were. */
type NativeWorker = Omit<WorkerStats, 'lastActivity' | 'lastHeartbeatAt'> & {
  readonly idleFor: number;
  readonly silentFor: number;
};
