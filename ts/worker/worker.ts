/** One worker process: brings the user's file up, says hello, serves, and ends. */

import { resolve } from 'node:path';
import { Link } from '../link.js';
import { builtinHandlers, runtime } from './builtin.js';
import { Callbacks } from './callbacks.js';
import type { Config } from './config.js';
import { running } from './context.js';
import { Control } from './control.js';
import { describeError, type Failure, withoutData } from './failure.js';
import { BAD_FRAME, type Cut, FAULT, HELLO, LOG, VERSION } from './frames.js';
import { HostFunctions } from './functions.js';
import { connectHost } from './host.js';
import { load } from './load.js';
import { capture, type LogRecord } from './logs.js';
import { Output } from './output.js';
import { describeHandler, registry } from './registry.js';
import { Server } from './server.js';

/** Milliseconds that a worker which was told to stop has left when the host is gone. */
const LAST_WORDS = 2000;

/** One worker process. */
export class Worker {
  readonly #config: Config;
  readonly #control: Control;
  readonly #data: Output;
  readonly #callbacks: Callbacks;
  readonly #functions: HostFunctions;
  #server: Server | undefined;
  #stopping = false;

  constructor(config: Config) {
    this.#config = config;
    this.#control = new Control(config.control, config.frame, {
      cancel: (call) => this.#server?.cancel(call),
      shutdown: () => void this.#stop(false),
      end: () => this.#hostIsGone(),
      violation: (what) => violation(what),
    });
    const { depth, frame } = config;
    this.#data = new Output(
      config.dataOut,
      undefined,
      { depth, bytes: frame, extension: (value) => this.#functions.encode(value) },
      () => this.#hostIsGone(),
    );
    this.#callbacks = new Callbacks(this.#data);
    this.#functions = new HostFunctions(this.#callbacks);
  }

  /** Runs the user's file, announces what it registered, and serves. */
  async run(): Promise<void> {
    const { parent, entry } = this.#config;
    // The host died while Node started; nobody else would tell us.
    if (parent !== 0 && process.ppid !== parent) killGroup();
    process.on('SIGTERM', () => void this.#stop(true));
    // Ctrl-C in the terminal is for the host.
    process.on('SIGINT', () => {});
    process.on('exit', () => {
      this.#data.flush();
      this.#control.output.flush();
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#config[stream] === 'event') capture(stream, (call, log) => this.#log(call, log));
    }
    process.on('unhandledRejection', (reason) => {
      const { traceback, message } = describeError(reason);
      const text = `unhandled rejection: ${traceback === '' ? message : traceback}`;
      this.#log(0, { stream: 'logging', level: 'ERROR', logger: 'synapse', text });
    });
    if (entry === undefined) throw new Error('the worker has no entry file');
    if (!(await this.#try('import', () => load(resolve(entry))))) return;
    if (registry.handlers.size === 0) {
      const message = `${entry} ended without a handler: register one with handler(function)`;
      this.#fault('bind', { code: 'START_FAILED', type: '', message, traceback: '' });
      return;
    }
    const started = await this.#try('start', async () => {
      for (const hook of registry.startHooks) await hook();
    });
    if (started) this.#serve();
  }

  #serve(): void {
    const { concurrency, frame, depth, heartbeatMs, dataIn } = this.#config;
    const own = [...registry.handlers.values()];
    const handlers = [
      ...own,
      ...builtinHandlers(own, concurrency, () => this.#server?.running ?? 0),
    ];
    registry.sealed = true;
    const limits = { concurrency, frame, depth };
    const server = new Server(handlers, this.#data, this.#callbacks, this.#functions, limits);
    this.#server = server;
    connectHost((name, args, kwargs) => this.#callbacks.call(name, args, kwargs));
    const position = handlers.findIndex((handler) => handler.default);
    this.#control.output.send(HELLO, 0, {
      protocol: VERSION,
      mode: 'synapse',
      pid: process.pid,
      runtime: runtime(),
      executable: process.execPath,
      heartbeat: Math.ceil(heartbeatMs),
      default: position < 0 ? null : position,
      handlers: handlers.map(describeHandler),
    });
    this.#control.output.flush();
    if (heartbeatMs > 0) this.#control.beat(heartbeatMs, () => server.open);
    const cut: Cut = { consumed: 0, need: 0 };
    new Link(dataIn, {
      read: (bytes, end, owned) => {
        try {
          return server.receive(bytes, end, owned, cut);
        } catch (cause) {
          return violation((cause as Error).message);
        }
      },
      end: () => void this.#stop(false),
    });
  }

  /** Runs a part of the start; tells the host why there will be no hello, if there will be none. */
  async #try(phase: string, part: () => Promise<void>): Promise<boolean> {
    try {
      await part();
      return !this.#stopping;
    } catch (thrown) {
      this.#fault(phase, describeError(thrown));
      return false;
    }
  }

  #fault(phase: string, error: Failure): void {
    const runtime = 'Node.js';
    const { output } = this.#control;
    try {
      output.send(FAULT, 0, { phase, runtime, error });
    } catch {
      output.send(FAULT, 0, { phase, runtime, error: withoutData(error) });
    }
    void output.drained().then(() => process.exit(1));
  }

  /** Before hello there is nothing to say on the data channel. */
  #log(call: number, record: LogRecord): void {
    const output = this.#server === undefined ? this.#control.output : this.#data;
    output.send(LOG, call, record);
    output.flushSoon();
  }

  /** Ends in good order. @param urgent what runs is cancelled */
  async #stop(urgent: boolean): Promise<void> {
    const first = !this.#stopping;
    this.#stopping = true;
    this.#callbacks.close();
    // The second time only to hurry what the first has let go on.
    if (!first && !urgent) return;
    const over = this.#server?.stop(urgent);
    if (!first) return;
    await over;
    for (const hook of [...registry.stopHooks].reverse()) {
      try {
        await hook();
      } catch (thrown) {
        const { traceback, message } = describeError(thrown);
        const text = `onStop: ${traceback === '' ? message : traceback}`;
        this.#log(0, { stream: 'logging', level: 'ERROR', logger: 'synapse', text });
      }
    }
    await running.exit(() => this.#data.drained());
    process.exit();
  }

  #hostIsGone(): void {
    if (!this.#stopping) killGroup();
    setTimeout(killGroup, LAST_WORDS).unref();
  }
}

/** Ends the process because the host sent bytes that the protocol does not know. */
function violation(what: string): never {
  process.stderr.write(`synapse: the host sent ${what}; the worker ends\n`);
  process.exit(BAD_FRAME);
}

/** Ends this process and, if it leads a group of its own, everything that it started. */
function killGroup(): never {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // It leads none.
  }
  process.exit(1);
}
