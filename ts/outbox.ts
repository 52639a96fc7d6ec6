/**
 * When frames go out: those of a tick together, much at once, and an answer that Python waits for as
 * soon as what has been read is looked through. On the hot path.
 */

import type { Writer } from './codec/index.js';
import type { NativeEngine } from './native.js';

/** Bytes after which a tick's calls are handed over without waiting for its end. */
const FLUSH_BYTES = 64 * 1024;
/** The largest outgoing buffer that is kept between ticks. */
const KEEP_BYTES = 1024 * 1024;

/** Runs once no reaction of a promise is left to run. */
const { nextTick } = process;

/** The frames of one engine that have not been submitted. */
export class Outbox {
  readonly #native: NativeEngine;
  readonly #createWriter: () => Writer;
  readonly #submitted: () => void;
  /** What the frames of this tick are written to. */
  writer: Writer;
  /** The buffer that {@link #submitBytes} submits. */
  #buffer: Buffer | undefined;
  #submitBytes: (end: number) => void = () => {};
  #flushing = false;
  /** Whether what was read is being looked through. */
  #reading = false;
  /** Whether callbacks that were just read have been answered already. */
  #answered = false;
  readonly #flush = (): void => this.submit();
  /** Its `then` costs a third of `queueMicrotask`, which makes an async resource of each task. */
  readonly #turn = Promise.resolve();

  /** @param submitted called after each submission: it may have settled calls */
  constructor(native: NativeEngine, createWriter: () => Writer, submitted: () => void) {
    this.#native = native;
    this.#createWriter = createWriter;
    this.#submitted = submitted;
    this.writer = createWriter();
  }

  /** Sends what has been written, now. */
  submit(): void {
    this.#flushing = false;
    const { writer } = this;
    if (writer.position === 0) return;
    const { buffer, position } = writer;
    if (buffer !== this.#buffer && buffer.length <= KEEP_BYTES) {
      this.#buffer = buffer;
      this.#submitBytes = this.#native.submitter(buffer);
    }
    if (buffer === this.#buffer) this.#submitBytes(position);
    else this.#native.submit(buffer, position);
    writer.clear(KEEP_BYTES);
    this.#submitted();
  }

  /**
   * Has a frame written while another is: to a writer of its own, which is sent at once.
   *
   * @param write answers why there is nothing to send, or undefined
   */
  apart<Failure>(write: () => Failure | undefined): Failure | undefined {
    const outer = this.writer;
    this.writer = this.#createWriter();
    try {
      const failure = write();
      if (failure === undefined) {
        this.#native.submit(this.writer.buffer, this.writer.position);
        // What that settled is taken with the next answer: this code may run inside a value.
        void this.#turn.then(this.#submitted);
      }
      return failure;
    } finally {
      this.writer = outer;
    }
  }

  /** What has been written goes out when this tick ends, or now if it is much. */
  sendSoon(): void {
    if (this.writer.position >= FLUSH_BYTES) this.submit();
    else if (!this.#flushing) {
      this.#flushing = true;
      void this.#turn.then(this.#flush);
    }
  }

  /** The same for an item: what its stream has ready goes out with it. */
  sendWithOthers(): void {
    if (this.writer.position >= FLUSH_BYTES) this.submit();
    else if (!this.#flushing) {
      this.#flushing = true;
      nextTick(this.#flush);
    }
  }

  /**
   * As {@link sendSoon}, but an answer that a handler gives at once waits for what has been read
   * only: Python waits for it, and nothing else has been woken that could send with it.
   */
  answerSoon(): void {
    if (this.#reading) this.#answered = true;
    else this.sendSoon();
  }

  /** What was read is looked through from now on. */
  beginReading(): void {
    this.#reading = true;
  }

  /**
   * What was read has been looked through: sends what was answered at once.
   *
   * @param alone whether no call was settled by it, whose caller might send more
   */
  endReading(alone: boolean): void {
    this.#reading = false;
    if (!this.#answered) return;
    this.#answered = false;
    if (alone) this.submit();
    else this.sendSoon();
  }
}
