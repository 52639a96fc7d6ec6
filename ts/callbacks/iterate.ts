/** Which answers are streams, and how they are walked. */

import { types } from 'node:util';
import { isArrow } from '../arrow.js';
import { NdArray } from '../codec/index.js';

/** A stream on its way: one `next` at a time. */
export interface Walk {
  /** An `IteratorResult`, or a promise of one. */
  next(): unknown;
  return?(): unknown;
  /** Told that the last `next` gave nothing more, or failed. */
  ended?(): void;
}

/**
 * The iterator of an answer that is a stream: an async iterable, or an iterable that is no value of its
 * own, as a generator's object is. Arrays, maps, sets, typed arrays and tables are values.
 */
export function walkOf(answer: unknown): Walk | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const source = answer as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  if (typeof source[Symbol.asyncIterator] === 'function') {
    return (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  }
  if (typeof source[Symbol.iterator] !== 'function' || isValue(answer)) return undefined;
  return (source as Iterable<unknown>)[Symbol.iterator]();
}

function isValue(answer: object): boolean {
  return (
    Array.isArray(answer) ||
    ArrayBuffer.isView(answer) ||
    types.isMap(answer) ||
    types.isSet(answer) ||
    types.isBoxedPrimitive(answer) ||
    answer instanceof NdArray ||
    isArrow(answer)
  );
}

/** The next step, without a turn of the event loop where none is needed. */
export function step(walk: Walk): IteratorResult<unknown> | PromiseLike<IteratorResult<unknown>> {
  const result = walk.next();
  if (isThenable(result)) return result as PromiseLike<IteratorResult<unknown>>;
  const { done, value } = result as IteratorResult<unknown>;
  if (!isThenable(value)) return result as IteratorResult<unknown>;
  return Promise.resolve(value).then((awaited) =>
    done ? { done, value: awaited } : { done: false, value: awaited },
  );
}

/** Ends a stream early: its `finally` runs. What that throws concerns nobody. */
export function abandon(walk: Pick<Walk, 'return'>): void {
  try {
    const ending: unknown = walk.return?.();
    if (isThenable(ending)) Promise.resolve(ending).catch(() => {});
  } catch {
    // As with a generator whose consumer has gone.
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
