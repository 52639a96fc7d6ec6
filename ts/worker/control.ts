/** The control channel: what the host orders, and what the worker says of itself. */

import { Socket } from 'node:net';
import { CANCEL, type Cut, cutFrames, HEARTBEAT, SHUTDOWN } from './frames.js';
import { Output } from './output.js';

/** Who is told what the host orders. */
export interface ControlListener {
  cancel(call: number): void;
  shutdown(): void;
  /** The host is gone. */
  end(): void;
  /** The host broke the protocol. */
  violation(what: string): void;
}

/** The control channel of this worker. */
export class Control {
  readonly output: Output;
  readonly #listener: ControlListener;
  readonly #greatest: number;
  readonly #cut: Cut = { consumed: 0, need: 0 };
  #rest: Buffer = Buffer.alloc(0);

  constructor(descriptor: number, greatest: number, listener: ControlListener) {
    this.#listener = listener;
    this.#greatest = greatest;
    const socket = new Socket({ fd: descriptor, readable: true, writable: true });
    this.output = new Output(descriptor, socket, {}, () => listener.end());
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.once('end', () => listener.end());
    socket.once('close', () => listener.end());
  }

  /** Says every `interval` ms that the event loop turns. Keeps no process up. */
  beat(interval: number, count: () => number): void {
    let due = performance.now() + interval;
    const timer = setInterval(() => {
      const now = performance.now();
      const lag = Math.max(0, now - due);
      due = now + interval;
      this.output.send(HEARTBEAT, 0, {
        rss: process.memoryUsage.rss(),
        calls: count(),
        lag,
        cpu: processorTime(),
      });
      this.output.flush();
    }, interval);
    timer.unref();
  }

  #receive(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    try {
      cutFrames(all, all.length, this.#greatest, this.#cut, this.#frame);
    } catch (cause) {
      this.#listener.violation(`${(cause as Error).message} on the control channel`);
      return;
    }
    this.#rest = all.subarray(this.#cut.consumed);
  }

  readonly #frame = (kind: number, _flags: number, _handler: number, id: number): void => {
    if (kind === CANCEL) this.#listener.cancel(id);
    else if (kind === SHUTDOWN) this.#listener.shutdown();
    else throw new RangeError(`a frame of kind ${kind}`);
  };
}

/** What the process has used of the processor so far, in seconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
