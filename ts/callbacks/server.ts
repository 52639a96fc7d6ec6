/**
 * Serves the callbacks of one target: runs handlers and sends what they return. Every callback gets
 * exactly one answer, unless nobody waits for it any more.
 */

import type { SynapseError } from '../errors/index.js';
import { currentOwner, type HandlerContext, LazyContext, runFor } from './context.js';
import { describeRefusal, describeThrown, type HostFailure, withoutData } from './failure.js';
import type { FunctionTable, PassedFunction } from './functions.js';
import { InputWalk } from './input.js';
import { abandon, isThenable, step, type Walk, walkOf } from './iterate.js';
import { TOOLS } from './names.js';
import type { HostHandlers, RegisteredHandler } from './registry.js';
import { route } from './routing.js';
import type { SessionHandlers } from './session-handlers.js';

/** How an answer goes out. */
export interface CallbackLink {
  /** Sends a value in answer to a callback; tells why it cannot cross, if it cannot. */
  send(asked: Asked, kind: AnswerKind, value: unknown): SynapseError | undefined;
  /** Ends the stream that answers a callback. */
  end(asked: Asked): void;
}

/** What an answer with a value is. */
export type AnswerKind = 'response' | 'item' | 'error';

/** Which callback. */
export interface Asked {
  readonly worker: number;
  readonly id: number;
}

/** The same, and who asks. */
export interface Asking extends Asked {
  readonly context: Pick<HandlerContext, 'callId'>;
}

/** A callback that has not been answered. */
interface Served extends Asking {
  readonly server: CallbackServer;
  readonly context: LazyContext;
  /** Items that may be sent; undefined if the caller takes no stream. */
  credit: number | undefined;
  walk: Walk | undefined;
  /** Lets a stream that waits for credit go on. */
  resume: (() => void) | undefined;
}

/** The callbacks of one target. */
export class CallbackServer {
  readonly #handlers: HostHandlers;
  readonly #functions: FunctionTable;
  readonly #link: CallbackLink;
  readonly #sessions: SessionHandlers | undefined;
  readonly #workers = new Map<number, Map<number, Served>>();
  #open = 0;

  /** @param sessions what may be called besides, in sessions */
  constructor(
    handlers: HostHandlers,
    functions: FunctionTable,
    link: CallbackLink,
    sessions?: SessionHandlers,
  ) {
    this.#handlers = handlers;
    this.#functions = functions;
    this.#link = link;
    this.#sessions = sessions;
  }

  /** Callbacks that are not answered. */
  get open(): number {
    return this.#open;
  }

  /** The callback on whose behalf the current code runs, if that still waits. */
  current(): Asking | undefined {
    const owner = currentOwner() as Served | undefined;
    return owner?.server === this && this.#isOpen(owner) ? owner : undefined;
  }

  /**
   * Python calls.
   *
   * @param read decodes the payload; what it throws is told to Python
   */
  begin(worker: number, id: number, read: () => unknown): void {
    let request: CallbackRequest;
    let unreadable: unknown;
    try {
      request = read() as CallbackRequest;
    } catch (cause) {
      [request, unreadable] = [{ args: [] }, cause];
    }
    const { name, function: reference, args, kwargs, call, session, credit } = request;
    const served: Served = {
      server: this,
      worker,
      id,
      context: new LazyContext(worker, call, session, kwargs ?? {}),
      credit,
      walk: undefined,
      resume: undefined,
    };
    this.#add(served);
    let answer: unknown;
    try {
      if (unreadable !== undefined) throw unreadable;
      answer =
        reference === undefined
          ? this.#call(served, String(name), args)
          : this.#callFunction(served, reference, args);
    } catch (thrown) {
      this.#fail(served, describeThrown(thrown));
      return;
    }
    if (isThenable(answer)) {
      answer.then(
        (value) => this.#answer(served, value),
        (thrown: unknown) => this.#fail(served, describeThrown(thrown)),
      );
    } else {
      this.#answer(served, answer);
    }
  }

  /** Python takes more items: as many as `read` decodes. */
  grant(worker: number, id: number, read: () => unknown): void {
    const served = this.#workers.get(worker)?.get(id);
    if (served?.credit === undefined) return;
    served.credit += Number(read());
    served.resume?.();
  }

  /** Python does not want the answer any more. */
  cancel(worker: number, id: number): void {
    const served = this.#workers.get(worker)?.get(id);
    if (served !== undefined) this.#abort(served, undefined);
  }

  /** A worker is gone. */
  exited(worker: number, reason: unknown): void {
    for (const served of this.#workers.get(worker)?.values() ?? []) this.#abort(served, reason);
    this.#workers.delete(worker);
  }

  /** Every worker goes. */
  close(reason: unknown): void {
    for (const worker of this.#workers.keys()) this.exited(worker, reason);
  }

  #call(served: Served, name: string, args: readonly unknown[]): unknown {
    const { session } = served.context;
    const own = session === undefined ? undefined : this.#sessions?.of(session);
    const handler = own?.get(name) ?? this.#handlers.get(name);
    // An exact name is the rule; anything else is looked for among all there are.
    if (handler === undefined && name === TOOLS) return this.#tools(own);
    const { run, receiver } = handler ?? this.#route(own, name);
    // The context comes behind what the handler declares, however few arguments Python gives.
    const given = [...args];
    while (given.length < run.length - 1) given.push(undefined);
    return runFor(served, () => run.apply(receiver, [...given, served.context]));
  }

  /** @param own those of the session, which hide others of the same name */
  #tools(own: HostHandlers | undefined): { name: string; metadata: unknown }[] {
    const all = [...(own?.tools() ?? []), ...this.#handlers.tools()];
    const visible = new Map<string, { name: string; metadata: unknown }>();
    for (const { name, metadata, exposed } of all) {
      if (exposed && !visible.has(name)) visible.set(name, { name, metadata });
    }
    return [...visible.values()];
  }

  #route(own: HostHandlers | undefined, wanted: string): RegisteredHandler {
    const names = this.#tools(own).map(({ name }) => name);
    const found = route(names, wanted);
    return (own?.get(found) ?? this.#handlers.get(found)) as RegisteredHandler;
  }

  #callFunction(served: Served, reference: number, args: readonly unknown[]): unknown {
    const run: PassedFunction | undefined = this.#functions.find(served.worker, reference);
    if (run === undefined) throw new ReferenceError('the function or stream was released');
    const { kwargs } = served.context;
    const given = Object.keys(kwargs).length === 0 ? args : [...args, kwargs];
    return runFor(served, () => run(...given));
  }

  #answer(served: Served, value: unknown): void {
    let walk: Walk | undefined;
    try {
      walk = walkOf(value);
    } catch (thrown) {
      this.#fail(served, describeThrown(thrown));
      return;
    }
    if (walk === undefined) this.#finish(served, value);
    else if (!this.#isOpen(served)) abandon(walk);
    else {
      served.walk = walk;
      if (walk instanceof InputWalk) {
        walk.onClose = (reason) => this.#fail(served, describeThrown(reason));
      }
      const sending =
        served.credit === undefined ? this.#collect(served, walk) : this.#stream(served, walk);
      sending.catch((thrown: unknown) => {
        walk.ended?.();
        this.#fail(served, describeThrown(thrown));
      });
    }
  }

  /** Sends the items of a stream at the pace of its consumer. */
  async #stream(served: Served, walk: Walk): Promise<void> {
    for (;;) {
      while (served.credit === 0) {
        await new Promise<void>((resolve) => {
          served.resume = resolve;
        });
      }
      if (!this.#isOpen(served)) return;
      const next = runFor(served, () => step(walk));
      const { done, value } = isThenable(next) ? await next : next;
      if (!this.#isOpen(served)) return;
      if (done) {
        walk.ended?.();
        this.#remove(served);
        this.#link.end(served);
        return;
      }
      (served.credit as number)--;
      const refusal = this.#link.send(served, 'item', value);
      if (refusal !== undefined) {
        abandon(walk);
        this.#fail(served, describeRefusal(refusal));
        return;
      }
    }
  }

  /** A stream for a caller that wants one value. */
  async #collect(served: Served, walk: Walk): Promise<void> {
    const items: unknown[] = [];
    while (this.#isOpen(served)) {
      const next = runFor(served, () => step(walk));
      const { done, value } = isThenable(next) ? await next : next;
      if (done) {
        walk.ended?.();
        return this.#finish(served, items);
      }
      items.push(value);
    }
  }

  #finish(served: Served, value: unknown): void {
    if (!this.#isOpen(served)) return;
    const refusal = this.#link.send(served, 'response', value);
    if (refusal === undefined) this.#remove(served);
    else this.#fail(served, describeRefusal(refusal));
  }

  #fail(served: Served, failure: HostFailure): void {
    // What fails for nobody goes nowhere.
    if (!this.#isOpen(served)) return;
    this.#remove(served);
    if (this.#link.send(served, 'error', failure) !== undefined) {
      this.#link.send(served, 'error', withoutData(failure));
    }
  }

  #abort(served: Served, reason: unknown): void {
    this.#remove(served);
    served.context.abort(reason);
    if (served.walk !== undefined) abandon(served.walk);
    served.credit = 1;
    served.resume?.();
  }

  #isOpen(served: Served): boolean {
    return this.#workers.get(served.worker)?.get(served.id) === served;
  }

  #add(served: Served): void {
    const { worker, id } = served;
    const known = this.#workers.get(worker);
    if (known === undefined) this.#workers.set(worker, new Map([[id, served]]));
    else known.set(id, served);
    this.#open++;
  }

  #remove(served: Served): void {
    if (this.#workers.get(served.worker)?.delete(served.id)) this.#open--;
  }
}

/** The payload of a callback. See docs/protocol.md. */
interface CallbackRequest {
  readonly name?: string;
  readonly function?: number;
  readonly args: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly call?: number;
  readonly session?: string;
  readonly credit?: number;
}
