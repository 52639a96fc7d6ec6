/** What every worker answers besides the user's handlers. See "Built-in handlers" in docs/handlers.md. */

import type { HandlerInfo } from './handlers.js';

/** What `synapse.invoke<PingReply>('synapse.ping', [echo])` answers. */
export interface PingReply<Echo = unknown> {
  /** Always `ok`: a worker that is not does not answer. */
  readonly status: 'ok';
  /** The worker's process. */
  readonly pid: number;
  /** `Python 3.11.7`, `Node.js 20.19.1`. */
  readonly runtime: string;
  /** How long the worker has been ready, in seconds. */
  readonly uptime: number;
  /** The worker's clock. */
  readonly timestamp: Date;
  /** What it was given; null if nothing. */
  readonly echo: Echo;
}

/** What `synapse.invoke<InfoReply>('synapse.info', [])` answers. */
export interface InfoReply {
  /** The worker's process. */
  readonly pid: number;
  /** `Python 3.11.7`, `Node.js 20.19.1`. */
  readonly runtime: string;
  /** Path of the interpreter. */
  readonly executable: string;
  /** `linux`, `darwin`. */
  readonly platform: string;
  /** The version of the SDK that serves. */
  readonly sdk: string;
  /** How it runs calls: `serial`, `async` or `threads`. */
  readonly mode: 'serial' | 'async' | 'threads';
  /**
   * Whether threads take turns in running Python: false in a free-threaded interpreter, unless a
   * package that was imported has brought the global interpreter lock back. Absent in other workers.
   */
  readonly gil?: boolean;
  /** Calls that it runs at once. */
  readonly concurrency: number;
  /** How long it has been ready, in seconds. */
  readonly uptime: number;
  /** Resident memory, in bytes. */
  readonly rss: number;
  /** Calls that it runs, this one included. */
  readonly calls: number;
  /** The handler that `call(input)` reaches. */
  readonly default: string | null;
  /** The user's handlers, with their parameters. */
  readonly handlers: readonly HandlerInfo[];
}
