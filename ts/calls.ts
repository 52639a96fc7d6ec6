/** Calls that are out: what was called, and where its answer goes. */

import type { Frame } from './errors/index.js';

/** What is to be called, and what becomes of the answer. */
export interface CallTarget {
  /** The handler's number in the engine's table of names. */
  readonly handler: number;
  /** The handler's name for errors. */
  readonly name: string | undefined;
  /** How the value holds the arguments: one of the `ARGUMENT…` flags. */
  readonly form: number;
  /** Items of a stream that may come before more are granted; 0 for one result. */
  readonly credit: number;
  /** Of a stream that goes on: whether it does if its worker dies, and from which item. */
  readonly resume?: { readonly again: boolean; readonly from: number };
  /** Applied to the result before the caller gets it. */
  readonly finish: ((result: unknown) => unknown) | undefined;
}

/** A call that is out: where its answer goes. */
export interface PendingCall extends Answer {
  readonly target: CallTarget;
  /** Takes the abort listener off. */
  release: (() => void) | undefined;
}

/** Where an answer goes: a promise or a stream. */
export interface Answer {
  /** The result, or a stream's only item. */
  resolve(value: unknown): void;
  /** An error that is made when somebody looks at it; its stack begins above `above`. */
  fail(build: (above?: Frame) => unknown): void;
  /** A reason as it is. */
  reject(reason: unknown): void;
  item?(value: unknown, bytes: number): void;
  end?(): void;
  /** The worker died, and the stream goes on with another. */
  resumed?(): void;
}

/** What `new Promise` handed out last; one function for all promises instead of a closure for each. */
let settle: (value: unknown) => void;

/** The second function, which rejects, is let go of: thousands of them would be copied by each scavenge. */
function capture(resolve: (value: unknown) => void): void {
  settle = resolve;
}

/** Makes a promise, and the call that settles it. */
export function promiseCall(target: CallTarget): { promise: Promise<unknown>; call: PromisedCall } {
  const promise = new Promise(capture);
  return { promise, call: new PromisedCall(target, settle) };
}

/** A call whose answer is a promise. */
export class PromisedCall implements PendingCall {
  release: (() => void) | undefined = undefined;

  /** @param resolve takes a value, or a promise to follow */
  constructor(
    readonly target: CallTarget,
    readonly resolve: (value: unknown) => void,
  ) {}

  reject(reason: unknown): void {
    this.resolve(Promise.reject(reason));
  }

  /**
   * Rejects with an error that is made where the awaiting function shows in its stack: inside a
   * reaction of a promise that the call's promise follows. So a stack costs nothing until a call
   * fails. The extra turn lets the call's promise subscribe before the error is made.
   */
  fail(build: (above?: Frame) => unknown): void {
    const turn = Promise.resolve();
    const react = (): never => {
      throw build(react);
    };
    this.resolve(turn.then(noop).then(react));
  }
}

/** A call whose answer is a stream. */
export class StreamedCall implements PendingCall {
  release: (() => void) | undefined = undefined;

  constructor(
    readonly target: CallTarget,
    readonly stream: Answer,
  ) {}

  resolve(value: unknown): void {
    this.stream.resolve(value);
  }

  reject(reason: unknown): void {
    this.stream.reject(reason);
  }

  fail(build: () => unknown): void {
    this.stream.fail(build);
  }

  item(value: unknown, bytes: number): void {
    this.stream.item?.(value, bytes);
  }

  end(): void {
    this.stream.end?.();
  }

  resumed(): void {
    this.stream.resumed?.();
  }
}

function noop(): void {}
