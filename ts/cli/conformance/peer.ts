/** The host's side of one worker, frame by frame: a process, its two channels, and what came over them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { Decoder, Writer } from '../../codec/index.js';
import * as header from '../../wire/header.js';
import { type Cut, cutFrames, HEADER } from '../../worker/frames.js';

/** Bytes of stderr that are kept for the report. */
const TAIL = 2000;
/** The greatest payload that is allowed to workers, in bytes. */
export const FRAME_LIMIT = 4 * 1024 * 1024;

/** A frame as it came. */
export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly payload: Buffer;
  /** The payload, decoded; undefined if there is none. */
  readonly value: unknown;
}

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What the worker did, or did not do. */
export class Violation extends Error {}

/** A worker under examination. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #patience: number;
  readonly #frames: Frame[] = [];
  readonly #waiting = new Set<() => void>();
  /** What broke the framing, if something did. */
  #broken: string | undefined;
  #end: End | undefined;
  #stderr = '';

  /**
   * Starts the command as a worker.
   *
   * @param patience milliseconds that anything may take
   * @param settings over the usual configuration
   */
  constructor(command: readonly string[], patience: number, settings: object = {}) {
    this.#patience = patience;
    const [program, ...args] = command;
    const told = {
      data_in: 3,
      data_out: 4,
      control: 5,
      directory: process.cwd(),
      entry: entryOf(args),
      python_path: [],
      protocol: 'synapse',
      mode: 'auto',
      concurrency: 4,
      limits: { frame: FRAME_LIMIT, depth: 512 },
      heartbeat_ms: 0,
      parent: 0,
      stdout: 'event',
      stderr: 'event',
      ...settings,
    };
    this.#child = spawn(program as string, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, SYNAPSE_WORKER: JSON.stringify(told) },
      detached: true,
    });
    this.#child.stdout?.resume();
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-TAIL);
    });
    this.#child.once('error', (error) => {
      this.#broken = error.message;
      this.#look();
    });
    this.#child.once('exit', (code, signal) => {
      this.#end = { code, signal };
      this.#look();
    });
    for (const number of [3, 4, 5]) {
      // A worker that has exited closes its ends: its exit says more.
      this.#channel(number).on('error', () => {});
    }
    this.#read(this.#channel(4), 'data');
    this.#read(this.#channel(5), 'control');
  }

  /** The end of what it wrote to stderr. */
  get stderr(): string {
    return this.#stderr.trim();
  }

  /** Writes frames to the data channel, at once. */
  async send(...frames: readonly Buffer[]): Promise<void> {
    await written(this.#channel(3), Buffer.concat(frames));
  }

  /** Writes bytes to the data channel one by one. */
  async trickle(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      await written(this.#channel(3), Buffer.of(byte));
      // So long that a waiting worker reads each byte by itself.
      await new Promise((next) => setTimeout(next, 2));
    }
  }

  /** Writes a frame to the control channel. */
  async order(frame: Buffer): Promise<void> {
    await written(this.#channel(5), frame);
  }

  /** Closes one of the channels on this side. */
  close(channel: 'data' | 'control'): void {
    this.#channel(channel === 'data' ? 3 : 5).end();
  }

  /** Waits for the first frame that `wanted` accepts, and takes it. */
  async take(what: string, wanted: (frame: Frame) => boolean): Promise<Frame> {
    let found: Frame | undefined;
    await this.#until(what, () => {
      const at = this.#frames.findIndex(wanted);
      if (at >= 0) [found] = this.#frames.splice(at, 1);
      return at >= 0;
    });
    return found as Frame;
  }

  /** Frames that nobody has taken. */
  get left(): readonly Frame[] {
    return this.#frames;
  }

  /** Waits for the process to end. */
  async ended(what: string): Promise<End> {
    await this.#until(what, () => this.#end !== undefined, true);
    return this.#end as End;
  }

  /** Ends the process and whatever it started. */
  async kill(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
    if (this.#end === undefined) await once(this.#child, 'exit');
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  #channel(number: number): Duplex {
    return this.#child.stdio[number] as Duplex;
  }

  #read(stream: Duplex, name: string): void {
    const cut: Cut = { consumed: 0, need: 0 };
    const decoder = new Decoder({ extension: (type, data) => ({ type, data: Buffer.from(data) }) });
    let rest: Buffer = Buffer.alloc(0);
    stream.on('data', (bytes: Buffer) => {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      try {
        cutFrames(
          all,
          all.length,
          FRAME_LIMIT,
          cut,
          (kind, _flags, _handler, id, from, start, end) => {
            const payload = Buffer.from(from.subarray(start, end));
            const value = payload.length === 0 ? undefined : decoder.decode(payload);
            this.#frames.push({ kind, id, payload, value });
          },
        );
        rest = all.subarray(cut.consumed);
      } catch (cause) {
        this.#broken ??= `sent ${(cause as Error).message} over the ${name} channel`;
        stream.destroy();
      }
      this.#look();
    });
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  /** Waits until `holds`, or until it cannot any more. */
  async #until(what: string, holds: () => boolean, end = false): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let listener: (() => void) | undefined;
    try {
      await new Promise<void>((done, fail) => {
        listener = () => {
          if (this.#broken !== undefined) fail(new Violation(this.#broken));
          else if (holds()) done();
          else if (this.#end !== undefined && !end) {
            // What it wrote last may still be on its way.
            setTimeout(() => fail(new Violation(`${this.#obituary()} instead of ${what}`)), 50);
          }
        };
        timer = setTimeout(
          () => fail(new Violation(`no ${what} within ${this.#patience} ms`)),
          this.#patience,
        );
        this.#waiting.add(listener);
        listener();
      });
    } finally {
      clearTimeout(timer);
      if (listener !== undefined) this.#waiting.delete(listener);
    }
  }

  #obituary(): string {
    const { code, signal } = this.#end ?? { code: null, signal: null };
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    const said = this.stderr.split('\n').at(-1) ?? '';
    return `it ended ${how}${said === '' ? '' : ` ("${said}")`}`;
  }
}

/** The file that a command runs, for workers that ask for it: its last word that is no option. */
function entryOf(args: readonly string[]): string | null {
  const file = args.filter((word) => !word.startsWith('-')).at(-1);
  return file === undefined ? null : resolve(file);
}

function written(stream: Duplex, bytes: Buffer): Promise<void> {
  return new Promise((done) => stream.write(bytes, () => done()));
}

const writer = new Writer();

/** A frame around a payload that is encoded already. */
export function rawFrame(
  kind: number,
  id: number,
  payload: Buffer = Buffer.alloc(0),
  { flags = 0, handler = 0 } = {},
): Buffer {
  const frame = Buffer.alloc(HEADER + payload.length);
  header.writeHeader(frame, 0, frame.length, kind, flags, handler, id);
  payload.copy(frame, HEADER);
  return frame;
}

/** A value as MessagePack. */
export function encoded(value: unknown): Buffer {
  writer.clear();
  writer.encode(value);
  return Buffer.from(writer.buffer.subarray(0, writer.position));
}
