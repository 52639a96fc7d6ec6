/**
 * The hot path: calls go out as frames (`requests.ts`), and answers become values. One native call
 * carries all calls of a tick (`outbox.ts`); answers come back as numbers in a table
 * (`wire/table.ts`). Callbacks, which go the other way, take the same road (`callbacks/server.ts`).
 */

import { whenAborted } from './abort.js';
import { decodeArrow } from './arrow.js';
import {
  type CallbackLink,
  CallbackServer,
  FunctionTable,
  type HostFailure,
  type HostHandlers,
  SessionHandlers,
  writeAnswer,
  writeEnd,
} from './callbacks/index.js';
import {
  type Answer,
  type CallTarget,
  type PendingCall,
  promiseCall,
  StreamedCall,
} from './calls.js';
import { Decoder } from './codec/index.js';
import {
  DisposedError,
  fromFailure,
  fromPython,
  type NativeFailure,
  ProtocolError,
  type PythonErrorMap,
  type SynapseError,
  WorkerExitedError,
} from './errors/index.js';
import type { WorkerExit } from './events.js';
import { guardExit, releaseExit } from './exit.js';
import { Link } from './link.js';
import { createEngine, type NativeEngine } from './native.js';
import { type OperationDone, Operations, type PoolRequest } from './operations.js';
import type { NativeConfig, NormalizedCallOptions } from './options/index.js';
import { Outbox } from './outbox.js';
import { PendingCalls } from './pending.js';
import type { Redactor } from './redaction.js';
import { RequestEncoder } from './requests.js';
import { SessionStore } from './sessions/store.js';
import { SharedMemory } from './shared-memory.js';
import type { StreamLink } from './stream.js';
import { WholeLines } from './whole-lines.js';
import * as header from './wire/header.js';
import * as table from './wire/table.js';

/** What the engine tells besides answers. The `type`s are those of `src/engine/action.rs`. */
export interface EngineEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

// Jest's fake timers must not stop deadlines.
const { setTimeout, clearTimeout } = globalThis;

/** One spawned target: its native engine, its links, and the calls that are out. */
export class Engine {
  readonly #native: NativeEngine;
  readonly #observer: (event: EngineEvent) => void;
  readonly #table = table.createTable();
  readonly #pending = new PendingCalls<PendingCall>();
  readonly #links = new Map<number, Link>();
  readonly #config: NativeConfig;
  readonly #decoder: Decoder;
  readonly #functions = new FunctionTable();
  readonly #operations = new Operations();
  readonly #memory = new SharedMemory(() => this.#native);
  readonly #requests: RequestEncoder;
  readonly #callbacks: CallbackServer;
  readonly #outbox: Outbox;
  /** Hides secrets in what is told; undefined if there are none. */
  readonly #redactor: Redactor | undefined;
  /** What was written, for the {@link Redactor} to see it uncut; undefined without one. */
  readonly #lines: WholeLines | undefined;
  /** What is kept between calls. */
  readonly sessions: SessionStore;
  /** What Python may call in one session only. */
  readonly sessionHandlers = new SessionHandlers((id) => this.sessions.info(id)?.number);
  #wakeAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the user wants Node to stay up for idle workers. */
  #referenced = true;

  /**
   * @param handlers what Python may call
   * @param redactor hides secrets in all that fails and is observed
   * @param observer told of everything but answers; called on this thread, never during a call
   */
  constructor(
    config: NativeConfig,
    handlers: HostHandlers,
    redactor: Redactor | undefined,
    observer: (event: EngineEvent) => void,
  ) {
    this.#config = config;
    this.#redactor = redactor;
    this.#observer = observer;
    if (redactor !== undefined) {
      this.#lines = new WholeLines((event) => this.#observer(redactor.report(event)));
    }
    this.#decoder = new Decoder({
      depth: config.depthLimit,
      extension: (type, data) => this.#functions.decode(type, data) ?? decodeArrow(type, data),
      borrow: this.#memory.borrow,
    });
    const parts = { functions: this.#functions, memory: this.#memory };
    this.#requests = new RequestEncoder(config, parts);
    const link: CallbackLink = {
      send: (asked, kind, answer) => {
        const value = kind === 'error' ? this.#reported(answer as HostFailure) : answer;
        const refusal = writeAnswer(this.#outbox.writer, parts, asked, kind, value);
        if (refusal !== undefined) return refusal;
        if (kind === 'item') this.#outbox.sendWithOthers();
        else this.#outbox.answerSoon();
        return undefined;
      },
      end: (asked) => {
        writeEnd(this.#outbox.writer, asked);
        this.#outbox.answerSoon();
      },
    };
    this.#callbacks = new CallbackServer(handlers, this.#functions, link, this.sessionHandlers);
    this.#native = createEngine(this.#table, () => {
      this.#native.poll();
      this.#settle(undefined, false);
    });
    this.#outbox = new Outbox(
      this.#native,
      () => this.#requests.createWriter(),
      () => this.#settle(undefined, false),
    );
    this.sessions = new SessionStore(this.#native, {
      depth: config.depthLimit,
      settle: () => this.#settle(undefined, false),
      show: (error) => this.#shown(error),
      ended: (id) => this.sessionHandlers.end(id),
    });
  }

  /** Prepares the environment and starts the workers; `spawned` or `spawn-failed` follows. */
  start(): void {
    guardExit(this.#native);
    this.#native.start(JSON.stringify(this.#config));
  }

  /** Sends a call. Rejects with a `SynapseError`, or with `signal.reason` on abort. */
  call(
    target: CallTarget,
    value: unknown,
    options: NormalizedCallOptions | undefined,
  ): Promise<unknown> {
    const { signal } = options ?? {};
    if (signal?.aborted) return Promise.reject(signal.reason);
    const id = this.#pending.nextId();
    const failure = this.#encode(id, target, value, options);
    if (failure !== undefined) return Promise.reject(failure);
    const { promise, call } = promiseCall(target);
    this.#expect(id, call, signal);
    return promise;
  }

  /** Sends a call whose answer is a stream. What fails, fails when the stream is consumed. */
  stream(
    target: CallTarget,
    value: unknown,
    options: NormalizedCallOptions,
    answer: Answer,
  ): StreamLink {
    const { signal } = options;
    const id = this.#pending.nextId();
    if (signal?.aborted) answer.reject(signal.reason);
    else {
      const failure = this.#encode(id, target, value, options);
      if (failure !== undefined) answer.fail(() => failure);
      else this.#expect(id, new StreamedCall(target, answer), signal);
    }
    return {
      grant: (items) => {
        if (this.#pending.get(id) === undefined) return;
        this.#native.grant(id, items);
        this.#settle(undefined, false);
      },
      cancel: () => this.#giveUp(id),
    };
  }

  /** Does something to the pool as a whole; settles when that is over. */
  operate(request: PoolRequest): Promise<void> {
    return this.#operations.start((ticket) => {
      this.#outbox.submit();
      this.#native.operate(ticket, JSON.stringify(request));
      this.#settle(undefined, false);
    });
  }

  /** Rejects all calls and stops all workers; `stopped` follows. */
  stop(): void {
    this.#callbacks.close(new DisposedError('DISPOSED', 'the instance was disposed of'));
    this.#outbox.submit();
    this.#native.stop();
    this.#settle(undefined, false);
  }

  /** Lets go of everything. Only after `stopped`. */
  release(): void {
    clearTimeout(this.#timer);
    for (const link of this.#links.values()) link.destroy();
    this.#links.clear();
    releaseExit(this.#native);
    this.#native.release();
  }

  /** Whether idle workers keep Node up. Calls that are out always do. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.#hold();
  }

  stats(): string {
    return this.#native.stats();
  }

  workers(): string {
    return this.#native.workers();
  }

  /** Closes circuit breakers: that of a handler, or all. */
  resetBreaker(handler: string | undefined): void {
    this.#native.resetBreaker(handler);
    this.#settle(undefined, false);
  }

  /** Forgets kept replies: those of a handler, or all. */
  clearCache(handler: string | undefined): void {
    this.#native.clearCache(handler);
  }

  /** Appends the call to this tick's frames; answers why it cannot, if it cannot. */
  #encode(
    id: number,
    target: CallTarget,
    value: unknown,
    options: NormalizedCallOptions | undefined,
  ): SynapseError | undefined {
    // A getter inside a value may itself call Python: that call gets a writer of its own.
    const { writer } = this.#outbox;
    if (writer.busy) return this.#encodeApart(id, target, value, options);
    const asked = this.#callbacks.open === 0 ? undefined : this.#callbacks.current();
    const failure = this.#requests.encode(writer, id, target, value, options, asked);
    return failure && this.#shown(failure);
  }

  #encodeApart(
    id: number,
    target: CallTarget,
    value: unknown,
    options: NormalizedCallOptions | undefined,
  ): SynapseError | undefined {
    return this.#outbox.apart(() => {
      const encode = () => this.#encode(id, target, value, options);
      return this.#functions.apart(() => this.#memory.apart(encode));
    });
  }

  /** The call is among this tick's frames: its answer will be waited for. */
  #expect(id: number, call: PendingCall, signal: AbortSignal | undefined): void {
    if (signal) {
      call.release = whenAborted(signal, () => {
        call.reject(signal.reason);
        this.#giveUp(id);
      });
    }
    if (this.#functions.size > 0 && this.#functions.carries(id)) {
      const unlisten = call.release;
      call.release = () => {
        unlisten?.();
        this.#functions.settled(id);
      };
    }
    this.#pending.add(id, call);
    if (this.#pending.size === 1 && !this.#referenced) this.#hold();
    this.#outbox.sendSoon();
  }

  /** Nobody wants the answer any more. */
  #giveUp(id: number): void {
    if (this.#take(id) === undefined) return;
    this.#outbox.submit();
    this.#native.cancel(id);
    this.#settle(undefined, false);
  }

  #take(id: number): PendingCall | undefined {
    const call = this.#pending.take(id);
    if (call === undefined) return undefined;
    call.release?.();
    if (this.#pending.size === 0 && !this.#referenced) this.#hold();
    return call;
  }

  /** Takes what the last native call put into the table. */
  #settle(bytes: Buffer | undefined, owned: boolean): void {
    const entries = this.#table;
    const count = entries[table.SETTLED] as number;
    const flags = entries[table.FLAGS] as number;
    const wake = entries[table.WAKE] as number;
    entries[table.SETTLED] = 0;
    entries[table.FLAGS] = 0;
    entries[table.WAKE] = 0;
    if (bytes !== undefined) {
      const last = table.ENTRIES + count * table.ENTRY;
      for (let at = table.ENTRIES; at < last; at += table.ENTRY) {
        this.#answer(
          entries[at] as number,
          entries[at + 1] as number,
          bytes,
          entries[at + 2] as number,
          entries[at + 3] as number,
          owned,
        );
      }
    }
    this.#schedule(wake);
    if (flags & table.HAS_EVENTS) this.#takeEvents();
    if (flags & table.HAS_KEPT) this.#takeKept();
    this.#lines?.settle();
  }

  #answer(
    id: number,
    kind: number,
    bytes: Buffer,
    start: number,
    end: number,
    owned: boolean,
  ): void {
    const isPart = kind === table.ITEM || kind === table.PROGRESS;
    const call = isPart ? this.#pending.get(id) : this.#take(id);
    if (call === undefined) {
      if (kind >= table.CALLBACK) this.#ask(id, kind, bytes, start, end, owned);
      // Given up in this very tick.
      else if (kind !== table.REPLY && header.isShared(bytes, start))
        this.#discard(bytes, start, end);
      return;
    }
    if (!isPart) this.#lines?.answered(id);
    const { target } = call;
    if (kind === table.END) {
      call.end?.();
      return;
    }
    let value: unknown;
    try {
      value = this.#decoder.decode(bytes, start, end, owned);
      if (kind === table.RESPONSE) {
        call.resolve(target.finish === undefined ? value : target.finish(value));
        return;
      }
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      const text = `the reply is no valid value: ${message}`;
      call.fail(() => this.#shown(new ProtocolError(text, { cause })));
      if (isPart) this.#giveUp(id);
      return;
    }
    switch (kind) {
      case table.ITEM:
        call.item?.(value, end - start);
        break;
      case table.PROGRESS:
        this.#observer({
          type: 'progress',
          callId: id,
          handler: target.name,
          ...this.#reported(value as object),
        });
        break;
      case table.ERROR:
        call.fail((above) => {
          const failure = this.#reported(value as PythonErrorMap);
          return fromPython(failure, { callId: id, handler: target.name, above });
        });
        break;
      default: {
        // Version 1.4: a truthy `error` key is a rejection with that very value.
        const error = (value as { error?: unknown } | null)?.error;
        if (error) call.reject(this.#redactor?.value(error, 'error') ?? error);
        else call.resolve(target.finish === undefined ? value : target.finish(value));
      }
    }
  }

  /** Something about a callback. */
  #ask(id: number, kind: number, bytes: Buffer, start: number, end: number, owned: boolean): void {
    const worker = this.#memory.reading;
    const read = (): unknown => this.#decoder.decode(bytes, start, end, owned);
    switch (kind) {
      case table.CALLBACK:
        this.#callbacks.begin(worker, id, read);
        break;
      case table.GRANT:
        this.#callbacks.grant(worker, id, read);
        break;
      case table.CANCEL:
        this.#callbacks.cancel(worker, id);
        break;
      case table.RELEASE:
        this.#functions.release(worker, id);
        break;
      case table.UNWANTED:
        this.#discard(bytes, start, end);
        break;
    }
  }

  /** Lets go of the shared memory that a payload refers to. */
  #discard(bytes: Buffer, start: number, end: number): void {
    this.#memory.discard(() => this.#decoder.decode(bytes, start, end));
  }

  #schedule(wake: number): void {
    if (wake === 0) return;
    const at = performance.now() + wake - 1;
    if (this.#timer !== undefined && this.#wakeAt <= at) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#native.poll();
      this.#settle(undefined, false);
    }, wake - 1);
    if (!this.#referenced && this.#pending.size === 0) this.#timer.unref();
  }

  /** Calls that the replies to earlier ones answer. */
  #takeKept(): void {
    const kept = this.#native.takeKept();
    for (let at = 0; at < kept.length; ) {
      const start = at + 8;
      const end = start + kept.readUInt32LE(at + 4);
      this.#answer(kept.readUInt32LE(at), table.RESPONSE, kept, start, end, true);
      at = end;
    }
  }

  #takeEvents(): void {
    const events = JSON.parse(this.#native.takeEvents()) as EngineEvent[];
    for (const told of events) {
      if (told.type === 'log' && this.#lines !== undefined) {
        this.#lines.take(told);
        continue;
      }
      // Those of handlers are what calls are made by.
      const event = told.type === 'handlers' ? told : this.#reported(told);
      switch (event.type) {
        case 'failed': {
          this.#lines?.answered(event['id'] as number);
          const call = this.#take(event['id'] as number);
          call?.fail((above) => fromFailure(event['failure'] as NativeFailure, { above }));
          break;
        }
        case 'worker:start':
          this.#open(event['worker'] as number, event['fd'] as number);
          break;
        case 'worker:exit':
          this.#links.get(event['worker'] as number)?.destroy();
          this.#links.delete(event['worker'] as number);
          this.#callbacks.exited(event['worker'] as number, workerExited(event));
          this.#functions.exited(event['worker'] as number);
          this.#lines?.exited(event['worker'] as number);
          break;
        case 'stopped':
          this.#lines?.finish();
          break;
        case 'done': {
          const { ticket, failure } = event as unknown as OperationDone;
          this.#operations.done(ticket, failure);
          break;
        }
        case 'worker:ready':
          if (event['shared']) this.#memory.enable();
          break;
        case 'resumed':
          this.#pending.get(event['id'] as number)?.resumed?.();
          break;
        case 'placed':
          this.#functions.placed(event['id'] as number, event['worker'] as number);
          break;
      }
      this.#observer(event);
    }
  }

  /** What is told, without secrets. */
  #reported<Report extends object>(report: Report): Report {
    return this.#redactor === undefined ? report : this.#redactor.report(report);
  }

  #shown(error: SynapseError): SynapseError {
    return this.#redactor?.error(error) ?? error;
  }

  #open(worker: number, fd: number): void {
    const progress = { consumed: 0, need: 0 };
    const link = new Link(fd, {
      read: (buffer, end, owned) => {
        let start = 0;
        do {
          const rest = start === 0 ? buffer : buffer.subarray(start);
          if (rest === link.shared) receivedBytes(end);
          else this.#native.received(worker, rest, end - start);
          this.#memory.reading = worker;
          progress.consumed = this.#table[table.CONSUMED] as number;
          progress.need = this.#table[table.NEED] as number;
          const before = this.#pending.size;
          this.#outbox.beginReading();
          try {
            this.#settle(rest, owned);
          } finally {
            this.#outbox.endReading(this.#pending.size === before);
          }
          start += progress.consumed;
        } while (progress.need === 0);
        progress.consumed = start;
        return progress;
      },
      end: () => {
        this.#native.closed(worker);
        this.#settle(undefined, false);
      },
    });
    const receivedBytes = this.#native.receiver(worker, link.shared);
    this.#links.set(worker, link);
    this.#hold();
  }

  /** Keeps Node up, or lets it go, as things stand. */
  #hold(): void {
    const hold = this.#referenced || this.#pending.size > 0;
    for (const link of this.#links.values()) {
      if (hold) link.ref();
      else link.unref();
    }
    if (hold) this.#timer?.ref();
    else this.#timer?.unref();
  }
}

/** Why the answer to a callback has nowhere to go. */
function workerExited(event: EngineEvent): WorkerExitedError {
  const { worker, code, signal } = event as unknown as WorkerExit;
  const message = `worker ${worker} is gone: nobody waits for the answer`;
  return new WorkerExitedError(message, { worker, exitCode: code, signal });
}
