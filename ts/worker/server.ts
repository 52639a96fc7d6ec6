/** Serves calls: runs handlers and sends what they return. Every request gets exactly one answer. */

import { abandon, isThenable, step, type Walk, walkOf } from '../callbacks/iterate.js';
import { DecodeFailure, Decoder } from '../codec/index.js';
import { RESERVED } from '../reserved.js';
import * as header from '../wire/header.js';
import type { Callbacks } from './callbacks.js';
import { CallContext, CancelledError, type ContextBackend, running } from './context.js';
import { describeError, type Failure, withoutData } from './failure.js';
import {
  CALLBACK_ID,
  CREDIT,
  type Cut,
  cutFrames,
  END,
  ERROR,
  ITEM,
  LOG,
  PROGRESS,
  REQUEST,
  RESPONSE,
  SESSION,
} from './frames.js';
import type { HostFunctions } from './functions.js';
import type { Output } from './output.js';
import type { Handler } from './registry.js';
import { Turns } from './turns.js';

/** Kinds that may come for a call that is over. */
const LATE = new Set([RESPONSE, ERROR, ITEM, END, SESSION]);
/** Milliseconds that a reply may wait for the next ones to be written with it. */
const PATIENCE = 0.5;
/** Milliseconds after which a handler counts as slow. */
const SLOW = 1;
/** Bytes of a read that may have left something in the pipe. */
const FULL_READ = 64 * 1024;

/** A call that has not been answered. */
interface Call {
  readonly id: number;
  readonly handler: Handler;
  readonly args: readonly unknown[];
  readonly context: CallContext;
  /** A callback of this worker waits for it. */
  readonly nested: boolean;
  /** Items that may be sent; undefined if the caller takes no stream. */
  credit: number | undefined;
  /** Counts among the calls that run. */
  started: boolean;
  walk: Walk | undefined;
  /** Lets a stream that waits for credit go on. */
  resume: (() => void) | undefined;
}

/** Limits of one worker. */
export interface ServerLimits {
  readonly concurrency: number;
  readonly frame: number;
  readonly depth: number;
}

/** The calls of one worker. */
export class Server implements ContextBackend {
  readonly #handlers: readonly Handler[];
  readonly #output: Output;
  readonly #callbacks: Callbacks;
  readonly #limits: ServerLimits;
  readonly #decoder: Decoder;
  /** Calls that have not been answered, but for those that return at once. */
  readonly #calls = new Map<number, Call>();
  readonly #turns: Turns<Call>;
  /** Calls that have been started and are not over. */
  #running = 0;
  /** Cancelled before they came, and how often the channel has been found empty since. */
  readonly #early = new Map<number, number>();
  #stopping = false;
  #idle: (() => void) | undefined;
  /** The queue is being gone through, further up on the stack. */
  #filling = false;
  /** When what was collected should be written, though more is to come. */
  #due = 0;
  #owned = false;

  constructor(
    handlers: readonly Handler[],
    output: Output,
    callbacks: Callbacks,
    functions: HostFunctions,
    limits: ServerLimits,
  ) {
    this.#handlers = handlers;
    this.#output = output;
    this.#callbacks = callbacks;
    this.#limits = limits;
    this.#turns = new Turns(limits.concurrency);
    this.#decoder = new Decoder({
      depth: limits.depth,
      extension: (type, data) => functions.decode(type, data),
    });
  }

  /** Calls that have not been answered. */
  get open(): number {
    return this.#calls.size;
  }

  /** Calls that run, also those that return at once. */
  get running(): number {
    return this.#running;
  }

  /**
   * Takes what came over the data channel.
   *
   * @param owned the bytes will not be overwritten: values may point into them
   * @throws RangeError if they break the protocol
   */
  receive(bytes: Buffer, end: number, owned: boolean, cut: Cut): Cut {
    this.#due = performance.now() + PATIENCE;
    this.#owned = owned;
    cutFrames(bytes, end, this.#limits.frame, cut, this.#frame);
    this.#output.flush();
    if (this.#early.size > 0 && end < FULL_READ) this.#forgetEarly();
    return cut;
  }

  readonly #frame = (
    kind: number,
    flags: number,
    number: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void => {
    if (kind === REQUEST) this.#request(flags, number, id, bytes, start, end);
    else if (id >= CALLBACK_ID) {
      this.#callbacks.deliver(kind, id, () => this.#decoder.decode(bytes, start, end, this.#owned));
    } else if (kind === CREDIT) this.#credit(id, this.#decoder.decode(bytes, start, end));
    else if (!LATE.has(kind)) throw new RangeError(`a frame of kind ${kind} on the data channel`);
  };

  /** The host does not want a call any more. */
  cancel(id: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) {
      // Control overtakes data: the request may be on its way.
      this.#early.set(id, 0);
      return;
    }
    this.#abort(call, new CancelledError('the call was cancelled'));
  }

  /**
   * Takes no further calls and resolves when those that run are over.
   *
   * @param urgent they are cancelled
   */
  async stop(urgent: boolean): Promise<void> {
    this.#stopping = true;
    const reason = new CancelledError('the worker stops');
    for (const call of [...this.#calls.values()]) {
      if (urgent || !call.started) this.#abort(call, reason);
    }
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
  }

  sendProgress(call: number, fraction: number | null, message: string | null): void {
    this.#output.send(PROGRESS, call, { fraction, message });
    this.#output.flushSoon();
  }

  sendLog(call: number, level: string, text: string): void {
    this.#output.send(LOG, call, { stream: 'logging', level, logger: 'synapse', text });
    this.#output.flushSoon();
  }

  // ----------------------------------------------------------------------------------- requests

  #request(
    flags: number,
    number: number,
    id: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    let extras: Record<string, unknown> | undefined;
    let given: unknown;
    try {
      let at = start;
      if (flags & header.EXTRAS) {
        extras = this.#decoder.decodeFrom(bytes, at, end) as Record<string, unknown>;
        at = this.#decoder.offset;
      }
      given = this.#decoder.decode(bytes, at, end, this.#owned);
    } catch (cause) {
      if (!(cause instanceof DecodeFailure)) throw cause;
      this.#sendError(id, describeError(cause, 'VALIDATION'));
      return;
    }
    if (this.#early.delete(id)) {
      this.#sendError(id, describeError(new CancelledError('the call was cancelled')));
      return;
    }
    const handler = this.#handlers[number];
    if (handler === undefined) {
      const names = this.#handlers.map(({ name }) => name);
      const available = names.filter((name) => !name.startsWith(RESERVED));
      const message = `there is no handler number ${number}; available: ${available.join(', ')}`;
      const type = 'ReferenceError';
      const data = { available };
      this.#sendError(id, { code: 'HANDLER_NOT_FOUND', type, message, traceback: '', data });
      return;
    }
    const call: Call = {
      id,
      handler,
      args: layOut(flags & 3, given),
      context: new CallContext(id, this, extras),
      nested: (flags & header.NESTED) !== 0,
      credit: flags & header.STREAM ? 0 : undefined,
      started: false,
      walk: undefined,
      resume: undefined,
    };
    if (this.#turns.enter(call)) this.#start(call);
    else this.#calls.set(id, call);
  }

  #start(call: Call): void {
    const { handler, context, args } = call;
    if (handler.slow) this.#output.flush();
    call.started = true;
    this.#running++;
    let result: unknown;
    try {
      result = running.run(context, handler.run, ...args);
    } catch (thrown) {
      this.#calls.delete(call.id);
      this.#sendError(call.id, describeError(thrown));
      this.#leave(call);
      this.#tick(handler);
      return;
    }
    if (isThenable(result)) {
      this.#calls.set(call.id, call);
      result.then(
        (value) => this.#answer(call, value),
        (thrown: unknown) => this.#fail(call, describeError(thrown)),
      );
    } else if (call.credit === undefined && isPlain(result)) {
      // What most handlers return: no stream, and nobody can have cancelled it meanwhile.
      this.#calls.delete(call.id);
      this.#respond(call, result);
      this.#leave(call);
    } else {
      this.#calls.set(call.id, call);
      this.#answer(call, result);
    }
    this.#tick(handler);
  }

  /** No reply waits long for those of later calls. */
  #tick(handler: Handler): void {
    const now = performance.now();
    if (now < this.#due) return;
    handler.slow = now - this.#due > SLOW;
    this.#output.flush();
    this.#due = performance.now() + PATIENCE;
  }

  // ------------------------------------------------------------------------------------ answers

  #answer(call: Call, value: unknown): void {
    if (!this.#isOpen(call)) {
      const walk = walkOf(value);
      if (walk !== undefined) abandon(walk);
      return;
    }
    const walk = walkOf(value);
    if (walk === undefined) {
      if (call.credit === undefined) this.#finish(call, () => this.#respond(call, value));
      else this.#sending(call, this.#sendOnly(call, value));
      return;
    }
    call.walk = walk;
    this.#sending(
      call,
      call.credit === undefined ? this.#collect(call, walk) : this.#stream(call, walk),
    );
  }

  #sending(call: Call, sending: Promise<void>): void {
    sending.catch((thrown: unknown) => {
      if (call.walk !== undefined) abandon(call.walk);
      this.#fail(call, describeError(thrown));
    });
  }

  /** Sends the items of a stream at the pace of its consumer. */
  async #stream(call: Call, walk: Walk): Promise<void> {
    for (;;) {
      if (call.credit === 0) await this.#credited(call);
      if (!this.#isOpen(call)) return;
      const next = running.run(call.context, step, walk);
      const { done, value } = next instanceof Promise ? await next : next;
      if (!this.#isOpen(call)) return;
      if (done) break;
      (call.credit as number)--;
      this.#output.send(ITEM, call.id, value);
      this.#output.flushSoon();
    }
    this.#finish(call, () => this.#end(call));
  }

  /** A stream of one item. */
  async #sendOnly(call: Call, value: unknown): Promise<void> {
    if (call.credit === 0) await this.#credited(call);
    if (!this.#isOpen(call)) return;
    this.#output.send(ITEM, call.id, value);
    this.#finish(call, () => this.#end(call));
  }

  /** A stream for a caller that wants one value. */
  async #collect(call: Call, walk: Walk): Promise<void> {
    const items: unknown[] = [];
    for (;;) {
      const next = running.run(call.context, step, walk);
      const { done, value } = next instanceof Promise ? await next : next;
      if (!this.#isOpen(call)) return;
      if (done) break;
      items.push(value);
    }
    this.#finish(call, () => this.#respond(call, items));
  }

  #credited(call: Call): Promise<void> {
    return new Promise((resolve) => {
      call.resume = resolve;
    });
  }

  #credit(id: number, more: unknown): void {
    if (!(Number.isInteger(more) && (more as number) >= 0)) {
      throw new RangeError(`a credit of ${String(more)}`);
    }
    const call = this.#calls.get(id);
    if (call?.credit === undefined) return;
    call.credit += more as number;
    const { resume } = call;
    call.resume = undefined;
    resume?.();
  }

  #fail(call: Call, failure: Failure): void {
    this.#finish(call, () => this.#sendError(call.id, failure));
  }

  /** Answers a call that is open, and starts the next. */
  #finish(call: Call, send: () => void): void {
    if (!this.#isOpen(call)) return;
    this.#calls.delete(call.id);
    send();
    this.#output.flushSoon();
    if (call.started) this.#leave(call);
  }

  /** A call that was started is over: those that waited for it start. */
  #leave(call: Call): void {
    this.#running--;
    this.#turns.leave(call);
    if (this.#filling) return;
    this.#filling = true;
    let next = this.#stopping ? undefined : this.#turns.next();
    if (next !== undefined) this.#due = performance.now() + PATIENCE;
    while (next !== undefined) {
      if (this.#isOpen(next)) this.#start(next);
      else this.#turns.leave(next);
      next = this.#stopping ? undefined : this.#turns.next();
    }
    this.#filling = false;
    if (this.#running === 0) this.#idle?.();
  }

  /**
   * Answers a call that nobody wants any more, at once: JavaScript cannot be interrupted, so what still
   * runs of it goes on by itself, and what it returns goes nowhere.
   */
  #abort(call: Call, reason: CancelledError): void {
    const { context, walk } = call;
    this.#finish(call, () => this.#sendError(call.id, describeError(reason)));
    // What listens belongs to the call as well.
    running.run(context, () => {
      context.cancel(reason);
      if (walk !== undefined) abandon(walk);
    });
    call.resume?.();
  }

  #respond({ id, context }: Call, value: unknown): void {
    try {
      const changes = context.sessionChanges();
      if (changes !== undefined) {
        // A call that fails after all leaves its session as it was.
        this.#output.check(value);
        this.#output.send(SESSION, id, changes);
      }
      this.#output.send(RESPONSE, id, value);
    } catch (cause) {
      this.#sendError(id, describeRefusal(cause));
    }
  }

  /** The end of a stream. */
  #end({ id, context }: Call): void {
    try {
      const changes = context.sessionChanges();
      if (changes !== undefined) this.#output.send(SESSION, id, changes);
      this.#output.sendBare(END, id);
    } catch (cause) {
      this.#sendError(id, describeRefusal(cause));
    }
  }

  #sendError(id: number, failure: Failure): void {
    try {
      this.#output.send(ERROR, id, failure);
    } catch {
      this.#output.send(ERROR, id, withoutData(failure));
    }
  }

  #isOpen(call: Call): boolean {
    return this.#calls.get(call.id) === call;
  }

  /** What was in the channel when a cancel came has been read once it was found empty twice. */
  #forgetEarly(): void {
    for (const [id, times] of this.#early) {
      if (times > 0) this.#early.delete(id);
      else this.#early.set(id, times + 1);
    }
  }
}

/** The arguments, from the form that the request has. Keyword arguments are one object, the last. */
function layOut(form: number, given: unknown): readonly unknown[] {
  switch (form) {
    case header.ARGUMENTS_POSITIONAL:
      return given as unknown[];
    case header.ARGUMENTS_BOTH: {
      const [args, kwargs] = given as [unknown[], unknown];
      return [...args, kwargs];
    }
    default:
      return [given];
  }
}

/** Whether a result is surely no stream. */
function isPlain(result: unknown): boolean {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return true;
  return (
    Object.getPrototypeOf(result) === Object.prototype &&
    (result as AsyncIterable<unknown>)[Symbol.asyncIterator] === undefined &&
    (result as Iterable<unknown>)[Symbol.iterator] === undefined
  );
}

/** The failure of a result that cannot cross. */
function describeRefusal(cause: unknown): Failure {
  const failure = describeError(cause);
  const { path } = cause as { readonly path?: string };
  return { ...failure, data: path === undefined ? {} : { path } };
}
