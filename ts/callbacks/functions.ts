/**
 * Functions among the arguments of calls. Python gets a number for each and calls it by that. A
 * function is kept until the worker that has it releases it or is gone, or until its call has failed
 * without having been sent to any.
 */

import { EncodeFailure, type ExtensionValue } from '../codec/index.js';

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

  /** The hook of the encoder: anything but a function is none of its business. */
  encode(value: object): ExtensionValue | undefined {
    if (typeof value !== 'function') return undefined;
    const id = this.#takeId();
    this.#entries.set(id, { run: value as PassedFunction, call: undefined, worker: undefined });
    this.#collected.push(id);
    return { type: EXTENSION_FUNCTION, data: payload(id, value.name) };
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
    for (const id of this.#collected.splice(0)) this.#entries.delete(id);
  }

  /** The same, for a value that may hold none. */
  refuse(): EncodeFailure {
    const [first] = this.#collected;
    const name = this.#entries.get(first as number)?.run.name;
    this.discard();
    const what = name === undefined || name === '' ? 'function' : `function "${name}"`;
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

  /** Whether a call carries functions. */
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

  /** A call is over. Python may keep its functions. */
  settled(call: number): void {
    for (const id of this.#calls.get(call) ?? []) {
      const entry = this.#entries.get(id);
      if (entry?.worker === undefined) this.#entries.delete(id);
      else entry.call = undefined;
    }
    this.#calls.delete(call);
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
    if (this.#entries.get(id)?.worker === worker) this.#entries.delete(id);
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

  #takeId(): number {
    let id: number;
    do {
      this.#next = (this.#next + 1) % MARK;
      id = MARK + this.#next;
    } while (this.#entries.has(id));
    return id;
  }
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
