/** The calls of the host that are under way. */

import { CancelledError, running } from './context.js';
import {
  CALLBACK,
  CALLBACK_ID,
  CANCEL,
  CREDIT,
  END,
  ERROR,
  ITEM,
  RELEASE,
  RESPONSE,
} from './frames.js';
import type { FunctionOwner } from './functions.js';
import { AHEAD, HostCall, HostError } from './host.js';
import type { Output } from './output.js';

/** Flag of a callback: its caller takes a stream. */
const STREAM = 8;

/** The calls of the host that one worker makes. */
export class Callbacks implements FunctionOwner {
  readonly #output: Output;
  readonly #open = new Map<number, HostCall>();
  #last = 0;
  #closed = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Calls a handler. */
  call(
    name: string,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>> | undefined,
  ): HostCall {
    return this.#start({ name }, args, kwargs);
  }

  callFunction(
    reference: number,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>> | undefined,
  ): HostCall {
    return this.#start({ function: reference }, args, kwargs);
  }

  releaseFunction(reference: number): void {
    if (this.#closed) return;
    this.#output.sendBare(RELEASE, reference);
    this.#output.flushSoon();
  }

  /** An answer, or a part of one. */
  deliver(kind: number, id: number, read: () => unknown): void {
    const known = this.#open.get(id);
    if (known === undefined) return;
    switch (kind) {
      case ITEM:
        known.add(read());
        return;
      case END:
        known.settle('end');
        break;
      case ERROR:
        known.settle({ error: new HostError(read() as Record<string, unknown>) });
        break;
      case RESPONSE:
        known.settle({ value: read() });
        break;
    }
    this.#open.delete(id);
  }

  /** No answer will come any more. */
  close(): void {
    this.#closed = true;
    const error = new CancelledError('the worker stops: the host does not answer any more');
    for (const call of this.#open.values()) call.settle({ error });
    this.#open.clear();
  }

  #start(
    message: Record<string, unknown>,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>> | undefined,
  ): HostCall {
    if (this.#closed) throw new CancelledError('the worker stops: the host cannot be called');
    const parent = running.getStore();
    if (parent?.cancelled) throw new CancelledError('the call was cancelled');
    const id = this.#nextId();
    const session = parent?.sessionId;
    const payload = {
      ...message,
      args,
      ...(kwargs !== undefined && { kwargs }),
      ...(parent !== undefined && { call: parent.callId }),
      ...(session !== undefined && { session }),
      credit: AHEAD,
    };
    this.#output.send(CALLBACK, id, payload, STREAM);
    this.#output.flushSoon();
    const call: HostCall = new HostCall({
      grant: (items) => {
        this.#output.send(CREDIT, id, items);
        this.#output.flushSoon();
      },
      giveUp: () => {
        if (!this.#open.delete(id)) return;
        this.#output.sendBare(CANCEL, id);
        this.#output.flushSoon();
      },
    });
    this.#open.set(id, call);
    // Who is cancelled does not wait any longer.
    parent?.onCancel(() => call.cancel());
    return call;
  }

  #nextId(): number {
    do {
      this.#last = (this.#last % (CALLBACK_ID - 1)) + 1;
    } while (this.#open.has(CALLBACK_ID + this.#last));
    return CALLBACK_ID + this.#last;
  }
}
