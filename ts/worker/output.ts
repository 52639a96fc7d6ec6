/** The channels as the worker writes them. */

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Writer, type WriterOptions } from '../codec/index.js';
import * as header from '../wire/header.js';

/** The largest outgoing buffer that is kept between writes. */
const KEEP_BYTES = 1024 * 1024;
/** Bytes after which what was collected is written without waiting for more. */
const FLUSH_BYTES = 64 * 1024;

/**
 * Frames are collected and written by one `write(2)`, on this thread and without waiting: the socket
 * around the descriptor has made it non-blocking. What the pipe does not take goes to the socket, and so
 * does all that follows, until the socket has caught up.
 */
export class Output {
  readonly #descriptor: number;
  readonly #socket: Socket;
  readonly #options: WriterOptions;
  readonly #writer: Writer;
  /** Frames that came up while a value was being encoded. */
  readonly #aside: Buffer[] = [];
  #scheduled = false;
  #waiting = 0;
  readonly #flush = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /**
   * @param socket the socket around the descriptor; made here if the channel is for writing only
   * @param onBroken the host has closed its end
   */
  constructor(
    descriptor: number,
    socket: Socket | undefined,
    options: WriterOptions,
    onBroken: () => void,
  ) {
    this.#descriptor = descriptor;
    this.#options = options;
    this.#socket = socket ?? new Socket({ fd: descriptor, readable: false, writable: true });
    this.#socket.on('error', onBroken);
    this.#writer = new Writer(options);
  }

  /**
   * Adds a frame with a value.
   *
   * @throws EncodeFailure if the value cannot cross; nothing is added then
   */
  send(kind: number, id: number, value: unknown, flags = 0): void {
    if (this.#writer.busy) {
      const apart = new Writer(this.#options);
      append(apart, kind, id, value, flags);
      this.#aside.push(apart.buffer.subarray(0, apart.position));
      return;
    }
    append(this.#writer, kind, id, value, flags);
    if (this.#aside.length > 0) this.#addAside();
    if (this.#writer.position >= FLUSH_BYTES) this.flush();
  }

  /** @throws EncodeFailure if the value cannot cross */
  check(value: unknown): void {
    new Writer(this.#options).encode(value);
  }

  /** Adds a frame without a payload. */
  sendBare(kind: number, id: number): void {
    const writer = this.#writer;
    const start = writer.position;
    writer.reserve(header.HEADER_LENGTH);
    writer.position = start + header.HEADER_LENGTH;
    header.writeHeader(writer.buffer, start, writer.position, kind, 0, 0, id);
  }

  /** Has what was added written when the code that runs now, and the promises it settles, are done. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#flush);
  }

  /** Writes what was added. */
  flush(): void {
    const writer = this.#writer;
    const { buffer, position } = writer;
    if (position === 0 || writer.busy) return;
    const written = this.#waiting > 0 ? 0 : this.#write(buffer, position);
    if (written < position) {
      this.#waiting++;
      this.#socket.write(Buffer.from(buffer.subarray(written, position)), () => this.#waiting--);
    }
    writer.clear(KEEP_BYTES);
  }

  /** Resolves when everything is with the kernel. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#waiting === 0) return;
    await new Promise<void>((resolve) => this.#socket.write('', () => resolve()));
  }

  #write(buffer: Buffer, end: number): number {
    try {
      return writeSync(this.#descriptor, buffer, 0, end);
    } catch {
      // The pipe is full, or the host is gone: the socket waits for the one and finds out the other.
      return 0;
    }
  }

  #addAside(): void {
    const writer = this.#writer;
    for (const frame of this.#aside.splice(0)) {
      writer.reserve(frame.length);
      writer.position += frame.copy(writer.buffer, writer.position);
    }
  }
}

function append(writer: Writer, kind: number, id: number, value: unknown, flags: number): void {
  const start = writer.position;
  writer.reserve(header.HEADER_LENGTH);
  writer.position = start + header.HEADER_LENGTH;
  try {
    writer.encode(value);
  } catch (cause) {
    writer.position = start;
    throw cause;
  }
  header.writeHeader(writer.buffer, start, writer.position, kind, flags, 0, id);
}
