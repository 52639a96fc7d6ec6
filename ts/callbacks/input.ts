/**
 * Input streams: what a caller passes that can be iterated. Python pulls it through a reference, as a
 * function that is called once and answers with a stream. So nothing is taken from a source before a
 * handler asks for it, and a call that is sent a second time loses nothing.
 */

import { abandon, type Walk } from './iterate.js';

/** The extension type: the reference, a MessagePack number of 32 bits. */
export const EXTENSION_INPUT = 6;

/** Why a stream that was read once cannot be read again. */
const READ_ALREADY =
  'the input stream was read by a worker that is gone: what it took cannot be taken again';

/** Why a stream ends before its end. */
const CALL_OVER = 'the call that brought the input stream is over';

/** What an argument must look like to be an input stream. */
interface Source {
  [Symbol.asyncIterator]?(): AsyncIterator<unknown>;
  [Symbol.iterator]?(): Iterator<unknown>;
  next?(): unknown;
  return?(): unknown;
  /** A `Readable`. */
  pipe?: unknown;
  destroy?(): unknown;
  on?(event: 'error', listener: () => void): unknown;
  /** A web `ReadableStream`. */
  getReader?(): WebReader;
  cancel?(): Promise<unknown>;
  locked?: unknown;
}

interface WebReader {
  read(): Promise<IteratorResult<unknown>>;
  cancel(): Promise<unknown>;
}

/**
 * Whether an argument is an input stream: an async iterable, or an iterator that can be iterated over,
 * as a generator's object is.
 */
export function isInput(value: object): boolean {
  const { [Symbol.asyncIterator]: walkAsync, [Symbol.iterator]: walk, next } = value as Source;
  return (
    typeof walkAsync === 'function' || (typeof walk === 'function' && typeof next === 'function')
  );
}

/** One input stream of one call. It lives as long as that call, and is read once. */
export class InputStream {
  readonly #source: Source;
  #walk: InputWalk | undefined;
  #closed = false;

  /** @param source what {@link isInput} accepts; it is not touched before `begin` */
  constructor(source: object) {
    this.#source = source;
    watch(source);
  }

  /**
   * Python asks for the first item.
   *
   * @throws Error if the stream was begun before, and whatever the source throws
   */
  begin(): InputWalk {
    if (this.#walk !== undefined) throw new Error(READ_ALREADY);
    this.#walk = new InputWalk(open(this.#source));
    return this.#walk;
  }

  /** The call is over: the source's `finally` runs, unless it is at its end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#walk === undefined) discard(this.#source);
    else this.#walk.close(new Error(CALL_OVER));
  }
}

/** An input stream that is being read. */
export class InputWalk implements Walk {
  readonly #inner: Walk;
  #over = false;
  /** Told why nothing more will come, where the call ends before the stream. */
  onClose: ((reason: Error) => void) | undefined;

  constructor(inner: Walk) {
    this.#inner = inner;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): unknown {
    return this.#over ? { done: true, value: undefined } : this.#inner.next();
  }

  /** Nobody wants the rest. */
  return(): void {
    if (this.#over) return;
    this.#over = true;
    abandon(this.#inner);
  }

  ended(): void {
    this.#over = true;
  }

  /** Nobody may have the rest: whoever reads is told why. */
  close(reason: Error): void {
    if (this.#over) return;
    this.return();
    this.onClose?.(reason);
  }
}

/** Begins to read a source. Streams of Node and of the web end at once, whatever they wait for. */
function open(source: Source): Walk {
  if (isWeb(source)) {
    const reader = source.getReader();
    return { next: () => reader.read(), return: () => reader.cancel() };
  }
  const walk = (source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.()) as Walk;
  if (!isReadable(source)) return walk;
  return {
    next: () => walk.next(),
    return: () => {
      source.destroy();
      return walk.return?.();
    },
  };
}

/**
 * A `Readable` may fail at any time, as one of a missing file does before Python asks for anything. What
 * it failed of is told when it is read; without a listener it would end Node.
 */
function watch(source: Source): void {
  if (isReadable(source)) source.on?.('error', () => {});
}

/** Lets go of a source that was never read. */
function discard(source: Source): void {
  if (isWeb(source)) {
    if (!source.locked) abandon({ return: () => source.cancel() });
  } else if (isReadable(source)) source.destroy();
  else if (typeof source.next === 'function') abandon(source);
}

function isWeb(source: Source): source is Source & Required<Pick<Source, 'getReader' | 'cancel'>> {
  return typeof source.getReader === 'function' && typeof source.cancel === 'function';
}

function isReadable(source: Source): source is Source & Required<Pick<Source, 'destroy'>> {
  return typeof source.pipe === 'function' && typeof source.destroy === 'function';
}
