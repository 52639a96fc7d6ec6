/** Calls of a worker under examination. */

import {
  CREDIT,
  END,
  ERROR,
  HELLO,
  ITEM,
  LOG,
  PROGRESS,
  REQUEST,
  RESPONSE,
} from '../../worker/frames.js';
import { encoded, type Frame, type Peer, rawFrame, Violation } from './peer.js';

/** What may come at any time. */
const ASIDE = new Set([LOG, PROGRESS]);
/** What ends a call. */
const FINAL = new Set([RESPONSE, ERROR, END]);

/** A worker that has said hello. */
export class Session {
  readonly peer: Peer;
  readonly #numbers: ReadonlyMap<string, number>;
  #last = 0;

  private constructor(peer: Peer, names: readonly string[]) {
    this.peer = peer;
    this.#numbers = new Map(names.map((name, number) => [name, number]));
  }

  /** Waits for the hello and checks it. */
  static async open(peer: Peer): Promise<Session> {
    const { value } = await peer.take('hello', ({ kind }) => kind === HELLO || !ASIDE.has(kind));
    const hello = value as Record<string, unknown>;
    const wanted: readonly [string, boolean][] = [
      ['protocol', hello?.['protocol'] === 1],
      ['mode', hello?.['mode'] === 'synapse'],
      ['pid', Number.isInteger(hello?.['pid'])],
      ['handlers', Array.isArray(hello?.['handlers'])],
    ];
    for (const [key, right] of wanted) {
      if (!right) throw new Violation(`the hello has ${key}: ${JSON.stringify(hello?.[key])}`);
    }
    const names = (hello['handlers'] as { name?: unknown }[]).map(({ name }) => name);
    const wrong = names.findIndex((name) => typeof name !== 'string');
    if (wrong >= 0) throw new Violation(`handler ${wrong} of the hello has no name`);
    return new Session(peer, names as string[]);
  }

  has(name: string): boolean {
    return this.#numbers.has(name);
  }

  /** The id of a new call. */
  nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  /** The frame of a call; its arguments are encoded already if they are bytes. */
  request(id: number, name: string | number, args: unknown, flags = 1): Buffer {
    const handler = typeof name === 'number' ? name : (this.#numbers.get(name) as number);
    const payload = Buffer.isBuffer(args) ? args : encoded(args);
    return rawFrame(REQUEST, id, payload, { flags, handler });
  }

  credit(id: number, items: number): Buffer {
    return rawFrame(CREDIT, id, encoded(items));
  }

  /** Calls a handler; answers the frame that answers it. */
  async call(name: string | number, args: unknown, flags = 1): Promise<Frame> {
    const id = this.nextId();
    await this.peer.send(this.request(id, name, args, flags));
    return this.answer(id);
  }

  /** The frame that answers a call. */
  answer(id: number): Promise<Frame> {
    return this.peer.take(
      `answer to call ${id}`,
      (frame) => frame.id === id && FINAL.has(frame.kind),
    );
  }

  /** The next item of a stream, or what ends it. */
  part(id: number): Promise<Frame> {
    return this.peer.take(
      `item or end of stream ${id}`,
      (frame) => frame.id === id && (frame.kind === ITEM || FINAL.has(frame.kind)),
    );
  }

  /** A call whose result must be this value. */
  async expect(name: string, args: unknown, wanted: unknown, flags = 1): Promise<void> {
    result(await this.call(name, args, flags), wanted);
  }

  /** The worker answers as if nothing had been. */
  async isWell(): Promise<void> {
    await this.expect('echo', ['still there'], 'still there');
  }

  /** Whether nothing of a call comes for a while. */
  async isQuiet(id: number, ms: number): Promise<boolean> {
    await new Promise((done) => setTimeout(done, ms));
    return !this.peer.left.some((frame) => frame.id === id && !ASIDE.has(frame.kind));
  }

  /** Nothing has come that nobody asked for. */
  checkNothingLeft(): void {
    const stray = this.peer.left.find(({ kind }) => !ASIDE.has(kind));
    if (stray !== undefined) {
      throw new Violation(`a frame of kind ${stray.kind} for ${stray.id} that nobody asked for`);
    }
  }
}

/** Checks that a frame is a response of this value. */
export function result(frame: Frame, wanted: unknown): void {
  if (frame.kind !== RESPONSE) throw new Violation(`${show(frame)} instead of a response`);
  if (!encoded(frame.value).equals(encoded(wanted))) {
    throw new Violation(`${JSON.stringify(frame.value)} instead of ${JSON.stringify(wanted)}`);
  }
}

/** Checks that a frame is an error, with this code if one is given. */
export function failure(frame: Frame, code?: string): Readonly<Record<string, unknown>> {
  const value = frame.value as Record<string, unknown> | undefined;
  if (frame.kind !== ERROR) throw new Violation(`${show(frame)} instead of an error`);
  for (const key of ['code', 'message']) {
    if (typeof value?.[key] !== 'string') throw new Violation(`an error without ${key}`);
  }
  if (code !== undefined && value?.['code'] !== code) {
    throw new Violation(`an error with the code ${String(value?.['code'])} instead of ${code}`);
  }
  return value as Record<string, unknown>;
}

/** A frame in a few words. */
export function show({ kind, value }: Frame): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)?.slice(0, 120);
  const names: Record<number, string> = {
    [RESPONSE]: 'response',
    [ERROR]: 'error',
    [ITEM]: 'item',
    [END]: 'end',
  };
  return `${names[kind] ?? `frame of kind ${kind}`} (${text})`;
}
