/**
 * Functions and input streams among the arguments of calls. Python gets a number for each and calls it
 * by that. A function is kept until the worker that has it releases it or is gone, or until its call
 * has failed without having been sent to any; an input stream, until its call is over.
 */

import { EncodeFailure, type ExtensionValue } from '../codec/index.js';
import { EXTENSION_INPUT, InputStream, isInput } from './input.js';

/** The extension type: the MessagePack array `[reference, name]`. */
export const EXTENSION_FUNCTION = 5;

/** Set in the numbers of functions, clear in those of calls. */
const MARK = 0x8000_0000;
/** UTF-16 units of a name that Python shows. */
const LONGEST_NAME = 80;

/** A function as a caller passes it. */
export type PassedFunction = (...args: unknown[]) => unknown;

interface Entry {
  readonly run: PassedFunction;
  /** What `run` reads, if this is an input stream. */
  readonly input: InputStream | undefined;
  /** The call that carries it, until that has settled. */
  call: number | undefined;
  /** The worker that it was sent to. */
  worker: number | undefined;
}

/** The functions that Python may call. */
export class FunctionTable {
  readonly #entries = new Map<number, Entry>();
  /** By call, as long as it has not settled. */
  readonly #calls = new Map<number, readonly number[]>();
  /** Those of the call that is being encoded. */
  #collected: number[] = [];
  #next = 0;

  /** Functions that are kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** The hook of the encoder: anything but functions and streams is none of its business. */
  encode(value: object): ExtensionValue | undefined {
    if (typeof value === 'function') {
      const id = this.#collect(value as PassedFunction, undefined);
      return { type: EXTENSION_FUNCTION, data: payload(id, value.name) };
    }
    if (!isInput(value)) return undefined;
    const input = new InputStream(value);
    const id = this.#collect(() => input.begin(), input);
    return { type: EXTENSION_INPUT, data: reference(id) };
  }

  /** Whether the value that has just been encoded holds functions. */
  get hasCollected(): boolean {
    return this.#collected.length > 0;
  }

  /** What was encoded belongs to a call. */
  assign(call: number): void {
    const ids = this.#collected;
    this.#collected = [];
    this.#calls.set(call, ids);
    for (const id of ids) (this.#entries.get(id) as Entry).call = call;
  }

  /** What was encoded is not sent. */
  discard(): void {
    for (const id of this.#collected.splice(0)) this.#delete(id);
  }

  /** The same, for a value that may hold none. */
  refuse(): EncodeFailure {
    const [first] = this.#collected;
    const { run, input } = this.#entries.get(first as number) as Entry;
    this.discard();
    if (input !== undefined) {
      return new EncodeFailure('cannot encode a stream: streams cross in arguments only', '$');
    }
    const what = run.name === '' ? 'function' : `function "${run.name}"`;
    return new EncodeFailure(`cannot encode ${what}: functions cross in arguments only`, '$');
  }

  /** A value inside the one that is being encoded is encoded apart: what was collected waits. */
  apart<Result>(encode: () => Result): Result {
    const outer = this.#collected;
    this.#collected = [];
    try {
      return encode();
    } finally {
      this.#collected = outer;
    }
  }

  /** Whether a call carries functions or streams. */
  carries(call: number): boolean {
    return this.#calls.has(call);
  }

  /** A call was written to a worker, perhaps after another one died with it. */
  placed(call: number, worker: number): void {
    for (const id of this.#calls.get(call) ?? []) {
      const entry = this.#entries.get(id);
      if (entry !== undefined) entry.worker = worker;
    }
  }

  /** A call is over. Python may keep its functions, but not its streams. */
  settled(call: number): void {
    const ids = this.#calls.get(call) ?? [];
    this.#calls.delete(call);
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry?.worker === undefined || entry.input !== undefined) this.#delete(id);
      else entry.call = undefined;
    }
  }

  /** A worker is gone; a call that it had may be sent to another one. */
  exited(worker: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.worker !== worker) continue;
      if (entry.call === undefined) this.#entries.delete(id);
      else entry.worker = undefined;
    }
  }

  /** Python does not need a function any more. */
  release(worker: number, id: number): void {
    if (this.#entries.get(id)?.worker === worker) this.#delete(id);
  }

  /** The function that a worker means. */
  find(worker: number, id: number): PassedFunction | undefined {
    const entry = this.#entries.get(id);
    return entry?.worker === worker ? entry.run : undefined;
  }

  /** The hook of the decoder: Python sends a function back. */
  decode(type: number, data: Buffer): unknown {
    // The array's head and that of a number of 32 bits.
    if (type !== EXTENSION_FUNCTION || data.length < 6 || data.readUInt16BE(0) !== 0x92ce) {
      return undefined;
    }
    return this.#entries.get(data.readUInt32BE(2))?.run;
  }

  #collect(run: PassedFunction, input: InputStream | undefined): number {
    const id = this.#takeId();
    this.#entries.set(id, { run, input, call: undefined, worker: undefined });
    this.#collected.push(id);
    return id;
  }

  #delete(id: number): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    entry?.input?.close();
  }

  #takeId(): number {
    let id: number;
    do {
      this.#next = (this.#next + 1) % MARK;
      id = MARK + this.#next;
    } while (this.#entries.has(id));
    return id;
  }
}

function reference(id: number): Buffer {
  const data = Buffer.allocUnsafe(5);
  data[0] = 0xce;
  data.writeUInt32BE(id, 1);
  return data;
}

function payload(id: number, name: unknown): Buffer {
  const text = typeof name === 'string' ? name.slice(0, LONGEST_NAME) : '';
  const bytes = Buffer.from(text);
  const data = Buffer.allocUnsafe(8 + bytes.length);
  data.writeUInt16BE(0x92ce, 0);
  data.writeUInt32BE(id, 2);
  data[6] = 0xd9;
  data[7] = bytes.length;
  bytes.copy(data, 8);
  return data;
}
