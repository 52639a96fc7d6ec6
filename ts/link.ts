/**
 * The reading end of a worker's data channel, on Node's own event loop. Bytes are read into one
 * buffer that is used again and again; a frame that does not fit gets a buffer of its own, into
 * which the rest of it is read directly.
 */

import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';

/** What became of the bytes. */
export interface Progress {
  /** Bytes that are done with. */
  readonly consumed: number;
  /** Bytes that the next frame takes, from there on. */
  readonly need: number;
}

/** Who takes what is read. */
export interface LinkReader {
  /** @param owned the buffer will not be used again: values may point into it */
  read(buffer: Buffer, end: number, owned: boolean): Progress;
  /** No more will come. */
  end(): void;
}

/** Bytes of the buffer that is used again. */
const SIZE = 64 * 1024;

/** One channel's reading end. */
export class Link {
  readonly #socket: Socket;
  /** What is read into again and again. */
  readonly shared = Buffer.allocUnsafeSlow(SIZE);
  readonly #reader: LinkReader;
  #buffer = this.shared;
  #filled = 0;
  /** What the socket reads into. */
  #current: Buffer | undefined;
  #ended = false;

  /** @param fd a readable descriptor, which the link closes */
  constructor(fd: number, reader: LinkReader) {
    this.#reader = reader;
    const options: SocketConstructorOpts & ConnectOpts = {
      fd,
      readable: true,
      writable: false,
      onread: {
        buffer: () => this.#next(),
        callback: (count) => this.#read(count),
      },
    };
    this.#socket = new Socket(options);
    this.#socket.once('end', () => this.#end());
    this.#socket.once('close', () => this.#end());
    // A broken pipe is an end like any other: how the worker died is told by its exit.
    this.#socket.on('error', () => this.#end());
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** Stops reading, without a word to the reader. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  /** Where to read next. Nothing tells the socket to go on with what it has. */
  #next(): Buffer {
    const next = this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
    if (next === this.#current) return undefined as unknown as Buffer;
    this.#current = next;
    return next;
  }

  #read(count: number): boolean {
    if (this.#ended) return false;
    const end = this.#filled + count;
    const { consumed, need } = this.#reader.read(this.#buffer, end, this.#buffer !== this.shared);
    const rest = end - consumed;
    if (rest === 0) {
      this.#buffer = this.shared;
    } else if (need > this.shared.length) {
      if (this.#buffer.length < need || consumed > 0) {
        const grown = Buffer.allocUnsafeSlow(need);
        this.#buffer.copy(grown, 0, consumed, end);
        this.#buffer = grown;
      }
    } else if (this.#buffer === this.shared) {
      if (consumed > 0) this.#buffer.copyWithin(0, consumed, end);
    } else {
      this.#buffer.copy(this.shared, 0, consumed, end);
      this.#buffer = this.shared;
    }
    this.#filled = rest;
    return true;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader.end();
  }
}
