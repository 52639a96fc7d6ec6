/** The events of {@link Synapse} and what they carry. */

import type { ErrorCode, SynapseError } from './errors/index.js';
import type { SetupProgress } from './options/index.js';

/** A worker's process was started. */
export interface WorkerStart {
  /** The worker's id. */
  readonly worker: number;
  /** Its process. */
  readonly pid: number;
}

/** A worker is ready to take a call. */
export interface WorkerReady {
  /** The worker's id. */
  readonly worker: number;
  /** Its process. */
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
  /** The worker's id. */
  readonly worker: number;
  /** Its exit code; null if a signal ended it. */
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
  /** The worker's id. */
  readonly worker: number;
  /** As `worker:exit` will say. */
  readonly reason: WorkerExit['reason'];
}

/** A worker neither gives signs of life nor computes: it gets no calls. */
export interface WorkerUnhealthy {
  /** The worker's id. */
  readonly worker: number;
  /** Milliseconds since its last sign of life. */
  readonly silent: number;
}

/** A worker gives signs of life again. */
export interface WorkerHealthy {
  /** The worker's id. */
  readonly worker: number;
}

/** A sign of life did not come. */
export interface HeartbeatMissed {
  /** The worker's id. */
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
  /** The worker's id. */
  readonly worker: number;
  /** What it was written to. */
  readonly stream: 'stdout' | 'stderr' | 'logging';
  /** `info` for stdout, `error` for stderr, the record's own for `logging`. */
  readonly level: string;
  /** What was written, a line at most. */
  readonly text: string;
  /** The call that wrote it, where known. */
  readonly callId?: number;
  /** `logging` only: the logger's name. */
  readonly logger?: string;
  /** `logging` only: where the record was made. */
  readonly file?: string;
  /** `logging` only: the line of that file. */
  readonly line?: number;
}

/** A sign of life of a worker's watcher thread. */
export interface HeartbeatEvent {
  /** The worker's id. */
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
  /** The call's id. */
  readonly callId: number;
  /** The handler that was called. */
  readonly handler?: string;
  /** 0 to 1, or null. */
  readonly fraction: number | null;
  /** What the handler said, or null. */
  readonly message: string | null;
}

/** A handler's circuit breaker went into another state. */
export interface BreakerEvent {
  /** Whose breaker it is. */
  readonly handler: string;
  /** The state that it is in now. */
  readonly state: 'closed' | 'open' | 'half-open';
  /** The state that it was in. */
  readonly previous: 'closed' | 'open' | 'half-open';
  /** Failures that were counted. */
  readonly failures: number;
  /** Milliseconds until a call may go; 0 unless open. */
  readonly retryAfter: number;
}

/** An attempt at a call failed, and another will be made. */
export interface RetryEvent {
  /** The call's id. */
  readonly callId: number;
  /** The handler that was called. */
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
  /** The session's id. */
  readonly session: string;
  /** The worker that is gone. */
  readonly worker: number;
}

/** Four fifths of the sessions that `sessions.max` allows are there. */
export interface SessionsHigh {
  /** How many sessions there are. */
  readonly current: number;
}

/** A worker died with a resumable stream, which goes on with another. */
export interface StreamResumed {
  /** The call's id. */
  readonly callId: number;
  /** The worker that died. */
  readonly worker: number;
  /** The number of the last item that its consumer has, or 0. */
  readonly resumeFrom: number;
}

/** Names of events and the arguments of their listeners. */
export interface SynapseEvents {
  /** `spawn` has resolved: calls can be made. */
  ready: [];
  /** Something was printed or logged in Python. */
  log: [LogEvent];
  /** A step of setting the environment up. */
  setup: [SetupProgress];
  /** A worker's process was started. */
  'worker:start': [WorkerStart];
  /** A worker is ready to take a call. */
  'worker:ready': [WorkerReady];
  /** A worker's process is gone. */
  'worker:exit': [WorkerExit];
  /** A replacement of a dead worker will be started. */
  'worker:restart': [WorkerRestart];
  /** A worker takes no new calls and goes. */
  'worker:drain': [WorkerDrain];
  /** A worker neither gives signs of life nor computes. */
  'worker:unhealthy': [WorkerUnhealthy];
  /** It gives signs of life again. */
  'worker:healthy': [WorkerHealthy];
  /** A sign of life of a worker. */
  heartbeat: [HeartbeatEvent];
  /** A sign of life did not come. */
  'heartbeat:missed': [HeartbeatMissed];
  /** A handler says how far its call is. */
  progress: [ProgressEvent];
  /** A handler's circuit breaker went into another state. */
  breaker: [BreakerEvent];
  /** An attempt at a call failed, and another will be made. */
  retry: [RetryEvent];
  /** A fallback answered in place of a call that failed for good. */
  fallback: [FallbackEvent];
  /** The worker that a session was bound to is gone. */
  'session:lost': [SessionLost];
  /** Four fifths of the sessions that there may be are there. */
  'sessions:high': [SessionsHigh];
  /** A stream goes on with another worker. */
  'stream:resumed': [StreamResumed];
  /** No worker is left, and calls fail at once with this. */
  unhealthy: [SynapseError];
  /** A replacement has started after all. */
  healthy: [];
  /** Nothing is in flight or waits, after `drain()`, or after the queue was full. */
  drain: [];
  /** A fault that nobody waits for. As with any emitter, it is thrown where nobody listens. */
  error: [Error];
}
