/** What is checked, in the order of the report. */

import { Decoder } from '../../codec/index.js';
import * as header from '../../wire/header.js';
import {
  CALLBACK,
  CANCEL,
  END,
  ERROR,
  HEARTBEAT,
  ITEM,
  RESPONSE,
  SHUTDOWN,
} from '../../worker/frames.js';
import { encoded, FRAME_LIMIT, type Frame, rawFrame, Violation } from './peer.js';
import { failure, result, type Session, show } from './session.js';
import { readVectors } from './vectors.js';

/** One check. What it answers is shown behind its name. */
export interface Check {
  readonly name: string;
  /** Handlers that the worker must offer for it; `echo` and `fail` it must offer anyway. */
  readonly needs?: readonly string[];
  /** The worker is not used again: the check ends it, or wants it configured. */
  readonly alone?: object | true;
  run(session: Session): Promise<string | undefined>;
}

const FORM_VALUE = header.ARGUMENT_VALUE;
/** Milliseconds in which something that must not come would have come. */
const QUIET = 100;
/** Milliseconds of a call that is to be cancelled. */
const LONG = 600_000;

export const CHECKS: readonly Check[] = [
  {
    name: 'values: every golden one is echoed',
    run: echoVectors,
  },
  {
    name: 'arguments: positional and by keyword',
    needs: ['add'],
    async run(session) {
      await session.expect('add', [1, 2], 3);
      await session.expect('add', { a: 1, b: 2 }, 3, header.ARGUMENTS_KEYWORD);
      return undefined;
    },
  },
  {
    name: 'arguments: with extras before them',
    async run(session) {
      const extras = encoded({ remaining: 60_000.5, metadata: { from: 'conformance' } });
      const given = Buffer.concat([extras, encoded(['x'])]);
      await session.expect('echo', given, 'x', header.ARGUMENTS_POSITIONAL | header.EXTRAS);
      return undefined;
    },
  },
  {
    name: 'errors: what a handler raises',
    async run(session) {
      const { message } = failure(await session.call('fail', ['boom']));
      if (!String(message).includes('boom')) throw new Violation(`the message is "${message}"`);
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'errors: an unknown handler',
    async run(session) {
      failure(await session.call(0xfffe, []), 'HANDLER_NOT_FOUND');
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'frames: 500 calls in one write',
    async run(session) {
      const ids = Array.from({ length: 500 }, () => session.nextId());
      await session.peer.send(...ids.map((id) => session.request(id, 'echo', [id])));
      for (const id of ids) result(await session.answer(id), id);
      return undefined;
    },
  },
  {
    name: 'frames: one byte at a time',
    async run(session) {
      const id = session.nextId();
      await session.peer.trickle(session.request(id, 'echo', ['byte by byte']));
      result(await session.answer(id), 'byte by byte');
      return undefined;
    },
  },
  {
    name: 'frames: 1 MiB there and back, and many in flight',
    async run(session) {
      const large = Buffer.alloc(1024 * 1024, 0xa5);
      const ids = [1, 2, 3].map(() => session.nextId());
      await session.peer.send(...ids.map((id) => session.request(id, 'echo', [large])));
      for (const id of ids) {
        const { kind, value } = await session.answer(id);
        if (kind !== RESPONSE || !Buffer.isBuffer(value) || !value.equals(large)) {
          throw new Violation('the bytes came back changed');
        }
      }
      return undefined;
    },
  },
  {
    name: 'frames: what is late is dropped',
    async run(session) {
      const { id } = await session.call('echo', [1]);
      await session.peer.send(
        session.credit(id, 5),
        rawFrame(RESPONSE, 0x8000_7777, encoded(1)),
        rawFrame(ERROR, 0x8000_7778, encoded({ code: 'HOST_ERROR', message: 'late' })),
      );
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'streams: items, credit and end',
    needs: ['count'],
    async run(session) {
      const id = await begin(session, 'count', [10], 3);
      await items(session, id, 0, 3);
      if (!(await session.isQuiet(id, QUIET))) throw new Violation('items beyond the credit');
      await session.peer.send(session.credit(id, 4), session.credit(id, 100));
      await items(session, id, 3, 10);
      ends(await session.part(id));
      return undefined;
    },
  },
  {
    name: 'streams: a plain result is the only item',
    async run(session) {
      const id = await begin(session, 'echo', ['one'], 5);
      const item = await session.part(id);
      if (item.kind !== ITEM || item.value !== 'one')
        throw new Violation(`${show(item)} instead of the item`);
      ends(await session.part(id));
      return undefined;
    },
  },
  {
    name: 'streams: collected for a caller that takes none',
    needs: ['count'],
    async run(session) {
      await session.expect('count', [3], [0, 1, 2]);
      return undefined;
    },
  },
  {
    name: 'streams: cancelled while they wait for credit',
    needs: ['count'],
    async run(session) {
      const id = await begin(session, 'count', [1_000_000], 2);
      await items(session, id, 0, 2);
      await cancel(session, id);
      const last = await session.part(id);
      if (last.kind === ITEM) throw new Violation('an item beyond the credit');
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'cancel: a call that runs',
    needs: ['sleep'],
    async run(session) {
      const id = session.nextId();
      await session.peer.send(session.request(id, 'sleep', [LONG]));
      await new Promise((done) => setTimeout(done, QUIET));
      await cancel(session, id);
      failure(await session.answer(id));
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'cancel: before its call, and after it',
    async run(session) {
      const id = session.nextId();
      await cancel(session, id);
      await new Promise((done) => setTimeout(done, QUIET));
      await session.peer.send(session.request(id, 'echo', ['early']));
      await session.answer(id);
      const { id: over } = await session.call('echo', [1]);
      await cancel(session, over);
      await session.isWell();
      return undefined;
    },
  },
  {
    name: 'callbacks: a result and an error of the host',
    needs: ['ask'],
    async run(session) {
      const first = await asked(session, 'getUser', 7);
      await session.peer.send(rawFrame(RESPONSE, first.callback.id, encoded({ id: 7 })));
      result(await session.answer(first.id), { id: 7 });
      const second = await asked(session, 'getUser', 8);
      const described = { code: 'HOST_ERROR', type: 'RangeError', message: 'no user 8' };
      await session.peer.send(rawFrame(ERROR, second.callback.id, encoded(described)));
      failure(await session.answer(second.id));
      return undefined;
    },
  },
  {
    name: 'concurrency: 1 runs one call after the other',
    needs: ['sleep'],
    alone: { concurrency: 1 },
    async run(session) {
      const [slow, quick] = [session.nextId(), session.nextId()];
      await session.peer.send(
        session.request(slow, 'sleep', [150]),
        session.request(quick, 'echo', [1]),
      );
      const first = await session.peer.take('answer', ({ id }) => id === slow || id === quick);
      if (first.id !== slow) throw new Violation('the second call was answered before the first');
      result(await session.answer(quick), 1);
      return undefined;
    },
  },
  {
    name: 'heartbeats come',
    alone: { heartbeat_ms: 50 },
    async run(session) {
      for (const _ of [1, 2])
        await session.peer.take('heartbeat', ({ kind }) => kind === HEARTBEAT);
      return undefined;
    },
  },
  {
    name: 'nothing comes that nobody asked for',
    run: (session) => {
      session.checkNothingLeft();
      return Promise.resolve(undefined);
    },
  },
  {
    name: 'end: shutdown',
    alone: true,
    async run(session) {
      await session.peer.order(rawFrame(SHUTDOWN, 0));
      const { code, signal } = await session.peer.ended('exit after shutdown');
      if (code !== 0) throw new Violation(`it exited with ${code ?? signal} instead of 0`);
      return undefined;
    },
  },
  {
    name: 'end: the data channel is closed',
    alone: true,
    async run(session) {
      session.peer.close('data');
      await session.peer.ended('exit after the end of the data channel');
      return undefined;
    },
  },
  {
    name: 'end: the control channel is closed',
    alone: true,
    async run(session) {
      session.peer.close('control');
      await session.peer.ended('exit after the end of the control channel');
      return undefined;
    },
  },
  refusal('a length below 8', [Buffer.from('07000000020100000100000090', 'hex')]),
  refusal('a length above the limit', [lengthOf(FRAME_LIMIT + 9)]),
  refusal('bytes that are no frame', [Buffer.alloc(64, 0xff)]),
  refusal('an unknown kind', [rawFrame(0x7f, 1)]),
];

/** After bytes that break a rule the worker exits and answers nothing. */
function refusal(what: string, frames: readonly Buffer[]): Check {
  return {
    name: `broken rules: ${what}`,
    alone: true,
    async run({ peer }) {
      await peer.send(...frames);
      const { code, signal } = await peer.ended(`exit after ${what}`);
      if (code === 0) throw new Violation(`it exited with ${code ?? signal}, as if all were well`);
      const answer = peer.left.find(({ kind }) => kind === RESPONSE || kind === ERROR);
      if (answer !== undefined) throw new Violation(`it answered with ${show(answer)}`);
      return undefined;
    },
  };
}

function lengthOf(length: number): Buffer {
  const frame = rawFrame(2, 1);
  frame.writeUInt32LE(length, 0);
  return frame;
}

async function echoVectors(session: Session): Promise<string> {
  const decoder = new Decoder();
  const refused: string[] = [];
  const vectors = readVectors();
  for (const { name, bytes } of vectors) {
    const frame = await session.call('echo', bytes, FORM_VALUE);
    const { code } = (frame.kind === ERROR ? frame.value : {}) as { code?: string };
    if (code === 'VALIDATION' || code === 'ENCODE') {
      refused.push(name);
      continue;
    }
    try {
      // What is the same value may have several encodings: both are brought into one.
      const wanted = decoder.decode(bytes);
      if (frame.kind !== RESPONSE) throw new Violation(show(frame));
      if (!encoded(decoder.decode(frame.payload)).equals(encoded(wanted))) {
        throw new Violation(`it came back as ${frame.payload.toString('hex').slice(0, 80)}`);
      }
    } catch (cause) {
      throw new Violation(`"${name}": ${(cause as Error).message}`);
    }
  }
  const count = `${vectors.length - refused.length} of ${vectors.length}`;
  return refused.length === 0 ? count : `${count}; refused by an error: ${refused.join(', ')}`;
}

/** Sends a call that takes a stream, and its first credit. */
async function begin(
  session: Session,
  name: string,
  args: unknown,
  credit: number,
): Promise<number> {
  const id = session.nextId();
  const flags = header.ARGUMENTS_POSITIONAL | header.STREAM;
  await session.peer.send(session.request(id, name, args, flags), session.credit(id, credit));
  return id;
}

/** The next items must be the numbers from `from` to before `to`. */
async function items(session: Session, id: number, from: number, to: number): Promise<void> {
  for (let wanted = from; wanted < to; wanted++) {
    const part = await session.part(id);
    if (part.kind !== ITEM || part.value !== wanted) {
      throw new Violation(`${show(part)} instead of the item ${wanted}`);
    }
  }
}

function ends(frame: Frame): void {
  if (frame.kind !== END) throw new Violation(`${show(frame)} instead of the end of the stream`);
}

async function cancel(session: Session, id: number): Promise<void> {
  await session.peer.order(rawFrame(CANCEL, id));
}

/** Has the worker ask the host; answers its call and the callback. */
async function asked(
  session: Session,
  name: string,
  argument: unknown,
): Promise<{ id: number; callback: Frame }> {
  const id = session.nextId();
  await session.peer.send(session.request(id, 'ask', [name, argument]));
  const callback = await session.peer.take('callback', ({ kind }) => kind === CALLBACK);
  const given = callback.value as Record<string, unknown>;
  if (callback.id < 0x8000_0000) throw new Violation(`the id of the callback is ${callback.id}`);
  if (given['name'] !== name || JSON.stringify(given['args']) !== JSON.stringify([argument])) {
    throw new Violation(`the callback is ${JSON.stringify(given)}`);
  }
  if (given['call'] !== undefined && given['call'] !== id) {
    throw new Violation(`the callback is that of call ${String(given['call'])}, not of ${id}`);
  }
  return { id, callback };
}

/** Handlers without which nothing can be checked. */
export const REQUIRED = ['echo', 'fail'];
