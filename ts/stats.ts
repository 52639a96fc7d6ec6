/** What `stats()` and `workers()` answer. */

/** A worker. */
export interface WorkerInfo {
  readonly id: number;
  /** Its process; 0 until it is ready. */
  readonly pid: number;
  readonly status: 'starting' | 'ready' | 'busy' | 'stopping' | 'failed';
  /** Python's version, empty until it is ready. */
  readonly python: string;
}

/** What is counted. Times are milliseconds. */
export interface Counters {
  readonly requestsHandled: number;
  readonly requestsActive: number;
  readonly errors: number;
  readonly timeouts: number;
  /** Moving average, the newest weighing 0.2. */
  readonly averageResponseTime: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** One worker's counters. */
export interface WorkerStats extends WorkerInfo, Counters {
  /** Resident memory in bytes, by the last heartbeat. */
  readonly rss: number;
  /** When it was last written to or read from: ms since 1970. */
  readonly lastActivity: number;
}

/** What the policies have done. Only handlers that were called under a policy are listed. */
export interface PolicyStats {
  readonly retry: {
    /** Attempts after a first one. */
    readonly attempts: number;
    /** Calls that succeeded by one. */
    readonly recovered: number;
    /** Attempts that `retry.budget` did not allow. */
    readonly overBudget: number;
  };
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
  readonly cache: {
    readonly hits: number;
    readonly misses: number;
    /** Calls that failed and got an old reply. */
    readonly stale: number;
    readonly entries: number;
    readonly bytes: number;
  };
  readonly bulkheads: Readonly<
    Record<string, { readonly running: number; readonly waiting: number }>
  >;
  /** Calls that a bulkhead refused. */
  readonly bulkheadRefused: number;
  /** Calls that a rate limit refused. */
  readonly rateLimited: number;
  readonly hedge: {
    /** Copies that were sent. */
    readonly sent: number;
    /** Copies that were answered first. */
    readonly won: number;
  };
}

/** The instance's counters. */
export interface Stats extends Counters {
  readonly queued: number;
  readonly restarts: number;
  readonly status: 'idle' | 'starting' | 'ready' | 'unhealthy' | 'stopping';
  /** Absent unless there are policies. */
  readonly policies?: PolicyStats;
  readonly workers: readonly WorkerStats[];
}

const NOTHING: Stats = {
  requestsHandled: 0,
  requestsActive: 0,
  queued: 0,
  errors: 0,
  timeouts: 0,
  restarts: 0,
  averageResponseTime: 0,
  p50: 0,
  p95: 0,
  p99: 0,
  status: 'idle',
  workers: [],
};

/** Reads the engine's counters; without an engine all are zero. */
export function readStats(json: string | undefined): Stats {
  const stats = json === undefined ? null : (JSON.parse(json) as NativeStats | null);
  if (stats === null) return NOTHING;
  const now = Date.now();
  const workers = stats.workers.map(({ idleFor, ...worker }) => ({
    ...worker,
    lastActivity: now - idleFor,
  }));
  return { ...stats, workers };
}

type NativeStats = Omit<Stats, 'workers'> & {
  readonly workers: readonly (Omit<WorkerStats, 'lastActivity'> & { readonly idleFor: number })[];
};
