/** The events of {@link Synapse} and what they carry. */

import type { ErrorCode, SynapseError } from './errors/index.js';
import type { SetupProgress } from './options/index.js';

/** A worker's process was started. */
export interface WorkerStart {
  readonly worker: number;
  readonly pid: number;
}

/** A worker is ready to take a call. */
export interface WorkerReady {
  readonly worker: number;
  readonly pid: number;
  /** Python's version, `3.11.7`. */
  readonly python: string;
  /** Path of the interpreter. */
  readonly executable: string;
  /** `stdio` for a script of version 1.4. */
  readonly protocol: 'synapse' | 'stdio';
}

/** A worker's process is gone. */
export interface WorkerExit {
  readonly worker: number;
  readonly code: number | null;
  /** Name of the signal that ended it, `SIGKILL`. */
  readonly signal: string | null;
  /**
   * `stopped`: it was told to. `exited`: unasked. `protocol`: it sent what is no frame. `hung`: a
   * cancelled call did not yield. `frozen`: it gave no signs of life. `start`: it could not get ready.
   * The others were told to go and first answered what they had. `scaled`: the pool was made smaller.
   * `idle`: an elastic pool had no work for it. `restarted`, `reloaded`: by those methods.
   * `recycle:…`: it reached that limit.
   */
  readonly reason:
    | 'stopped'
    | 'scaled'
    | 'idle'
    | 'restarted'
    | 'reloaded'
    | 'recycle:calls'
    | 'recycle:ttl'
    | 'recycle:idleTtl'
    | 'recycle:rss'
    | 'exited'
    | 'protocol'
    | 'hung'
    | 'frozen'
    | 'start';
  /**
   * `exited` only: what it has probably died of. `oom` is SIGKILL from outside: the system's, for want
   * of memory, or somebody's `kill -9`, which look the same.
   */
  readonly crash?: 'segfault' | 'oom' | 'abort' | 'cpu-limit' | 'signal' | 'exit';
  /** The last lines of its stderr. */
  readonly stderrTail: string;
}

/** A worker takes no new calls and goes when it has answered those that it has. */
export interface WorkerDrain {
  readonly worker: number;
  /** As `worker:exit` will say. */
  readonly reason: WorkerExit['reason'];
}

/** A worker neither gives signs of life nor computes: it gets no calls. */
export interface WorkerUnhealthy {
  readonly worker: number;
  /** Milliseconds since its last sign of life. */
  readonly silent: number;
}

/** A worker gives signs of life again. */
export interface WorkerHealthy {
  readonly worker: number;
}

/** A sign of life did not come. */
export interface HeartbeatMissed {
  readonly worker: number;
  /** How many in a row. */
  readonly missed: number;
  /** Whether its process computes: then it is not taken for frozen, however long it takes. */
  readonly busy: boolean;
  /** Milliseconds since its last sign of life. */
  readonly silent: number;
}

/** A replacement of a dead worker will be started. */
export interface WorkerRestart {
  /** The one that died. */
  readonly worker: number;
  /** Milliseconds until the replacement starts. */
  readonly delay: number;
}

/** Something was printed or logged in Python. */
export interface LogEvent {
  readonly worker: number;
  readonly stream: 'stdout' | 'stderr' | 'logging';
  /** `info` for stdout, `error` for stderr, the record's own for `logging`. */
  readonly level: string;
  readonly text: string;
  /** The call that wrote it, where known. */
  readonly callId?: number;
  /** `logging` only: the logger's name. */
  readonly logger?: string;
  /** `logging` only: where the record was made. */
  readonly file?: string;
  readonly line?: number;
}

/** A sign of life of a worker's watcher thread. */
export interface HeartbeatEvent {
  readonly worker: number;
  /** Resident memory, in bytes. */
  readonly rss: number;
  /** Processor time that it has used, in seconds. */
  readonly cpu: number;
  /** How late the thread that gives it woke, in ms: much, where a handler keeps the lock. */
  readonly lag: number;
  /** Calls that run. */
  readonly calls: number;
}

/** How far a running call is, by `context().progress()`. */
export interface ProgressEvent {
  readonly callId: number;
  readonly handler?: string;
  /** 0 to 1, or null. */
  readonly fraction: number | null;
  readonly message: string | null;
}

/** A handler's circuit breaker went into another state. */
export interface BreakerEvent {
  readonly handler: string;
  readonly state: 'closed' | 'open' | 'half-open';
  readonly previous: 'closed' | 'open' | 'half-open';
  /** Failures that were counted. */
  readonly failures: number;
  /** Milliseconds until a call may go; 0 unless open. */
  readonly retryAfter: number;
}

/** An attempt at a call failed, and another will be made. */
export interface RetryEvent {
  readonly callId: number;
  readonly handler: string;
  /** The number of the next attempt; the first was 1. */
  readonly attempt: number;
  /** Milliseconds until then. */
  readonly delay: number;
  /** How the last one failed. */
  readonly code: ErrorCode;
}

/** A call failed for good and a fallback answered in its place. */
export interface FallbackEvent {
  /** Undefined for `call`. */
  readonly handler: string | undefined;
  /** What the call failed of. */
  readonly error: SynapseError;
}

/** The worker that a session was bound to is gone. What the session holds is not. */
export interface SessionLost {
  readonly session: string;
  readonly worker: number;
}

/** Four fifths of the sessions that `sessions.max` allows are there. */
export interface SessionsHigh {
  readonly current: number;
}

/** A worker died with a resumable stream, which goes on with another. */
export interface StreamResumed {
  readonly callId: number;
  /** The worker that died. */
  readonly worker: number;
  /** The number of the last item that its consumer has, or 0. */
  readonly resumeFrom: number;
}

/** Names of events and the arguments of their listeners. */
export interface SynapseEvents {
  ready: [];
  log: [LogEvent];
  setup: [SetupProgress];
  'worker:start': [WorkerStart];
  'worker:ready': [WorkerReady];
  'worker:exit': [WorkerExit];
  'worker:restart': [WorkerRestart];
  'worker:drain': [WorkerDrain];
  'worker:unhealthy': [WorkerUnhealthy];
  'worker:healthy': [WorkerHealthy];
  heartbeat: [HeartbeatEvent];
  'heartbeat:missed': [HeartbeatMissed];
  progress: [ProgressEvent];
  breaker: [BreakerEvent];
  retry: [RetryEvent];
  fallback: [FallbackEvent];
  'session:lost': [SessionLost];
  'sessions:high': [SessionsHigh];
  'stream:resumed': [StreamResumed];
  unhealthy: [SynapseError];
  healthy: [];
  /** Nothing is in flight or waits, after `drain()`, or after the queue was full. */
  drain: [];
  error: [Error];
}
