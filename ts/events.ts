/** The events of {@link Synapse} and what they carry. */

import type { SynapseError } from './errors/index.js';
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
   * cancelled call did not yield. `start`: it could not get ready.
   */
  readonly reason: 'stopped' | 'exited' | 'protocol' | 'hung' | 'start';
  /** The last lines of its stderr. */
  readonly stderrTail: string;
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
}

/** How far a running call is, by `context().progress()`. */
export interface ProgressEvent {
  readonly callId: number;
  readonly handler?: string;
  /** 0 to 1, or null. */
  readonly fraction: number | null;
  readonly message: string | null;
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
  heartbeat: [HeartbeatEvent];
  progress: [ProgressEvent];
  unhealthy: [SynapseError];
  healthy: [];
  error: [Error];
}
