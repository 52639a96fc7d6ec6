import { describe, expect, test } from '@jest/globals';
import {
  type AnswerKind,
  type Asked,
  CallbackServer,
  FunctionTable,
  type HandlerContext,
  HostHandlers,
} from '../../ts/callbacks/index.js';
import { EncodeError, type SynapseError } from '../../ts/errors/index.js';

interface Sent {
  readonly worker: number;
  readonly id: number;
  readonly kind: AnswerKind | 'end';
  readonly value?: unknown;
}

/** A server whose answers are kept. */
function create(): { server: CallbackServer; handlers: HostHandlers; sent: Sent[] } {
  const sent: Sent[] = [];
  const handlers = new HostHandlers();
  const refuses = (value: unknown): boolean => JSON.stringify(value)?.includes('refused') ?? false;
  const server = new CallbackServer(handlers, new FunctionTable(), {
    send({ worker, id }: Asked, kind, value): SynapseError | undefined {
      if (refuses(value)) return new EncodeError('no', { path: '$' });
      sent.push({ worker, id, kind, value });
      return undefined;
    },
    end: ({ worker, id }) => sent.push({ worker, id, kind: 'end' }),
  });
  return { server, handlers, sent };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ask = (name: string, args: unknown[] = [], credit = 32): (() => unknown) => {
  return () => ({ name, args, credit });
};

describe('an answer', () => {
  test('is sent at once if the handler knows it at once', () => {
    const { server, handlers, sent } = create();
    handlers.add('add', (a: number, b: number) => a + b);
    server.begin(1, 7, ask('add', [1, 2]));
    expect(sent).toEqual([{ worker: 1, id: 7, kind: 'response', value: 3 }]);
    expect(server.open).toBe(0);
  });

  test('goes to the worker that asked, though another one uses the same number', async () => {
    const { server, handlers, sent } = create();
    handlers.add('who', async (ctx: HandlerContext) => ctx.worker);
    server.begin(1, 7, ask('who'));
    server.begin(2, 7, ask('who'));
    expect(server.open).toBe(2);
    await turn();
    expect(sent.map(({ worker, value }) => [worker, value])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(server.open).toBe(0);
  });

  test('of a handler with fewer arguments than it declares has the context in its place', () => {
    const { server, handlers, sent } = create();
    handlers.add('f', (a: unknown, b: unknown, ctx: HandlerContext) => [a, b, ctx.worker]);
    server.begin(1, 7, ask('f', ['x']));
    expect(sent[0]?.value).toEqual(['x', undefined, 1]);
  });

  test('that cannot cross is an error, and an error whose data cannot cross has none', () => {
    const { server, handlers, sent } = create();
    handlers.add('f', () => 'refused');
    handlers.add('g', () => {
      throw Object.assign(new Error('no'), { own: 'refused' });
    });
    server.begin(1, 7, ask('f'));
    server.begin(1, 8, ask('g'));
    expect(sent).toMatchObject([
      { kind: 'error', value: { code: 'ENCODE', data: { path: '$' } } },
      { kind: 'error', value: { code: 'HOST_ERROR', message: 'no' } },
    ]);
    expect(sent[1]?.value).not.toHaveProperty('data');
  });

  test.each([
    ['text', 'text'],
    [undefined, 'a handler threw undefined'],
    [Object.create(null), 'a handler threw [object Object]'],
    [{ name: 'Odd', message: 'x' }, 'a handler threw [object Object]'],
  ])('of a handler that throws %p says so', async (thrown, message) => {
    const { server, handlers, sent } = create();
    handlers.add('f', async () => {
      throw thrown;
    });
    server.begin(1, 7, ask('f'));
    await turn();
    expect(sent).toMatchObject([{ kind: 'error', value: { code: 'HOST_ERROR', message } }]);
  });

  test('to what cannot be decoded is an error', () => {
    const { server, sent } = create();
    server.begin(1, 7, () => {
      throw new Error('no map');
    });
    expect(sent).toMatchObject([{ id: 7, kind: 'error', value: { message: 'no map' } }]);
  });
});

describe('a stream', () => {
  test.each(['sync', 'async'])('stops where the credit ends (%s)', async (kind) => {
    const { server, handlers, sent } = create();
    function* numbers(): Generator<number> {
      for (let index = 0; ; index++) yield index;
    }
    handlers.add('numbers', () => {
      if (kind === 'sync') return numbers();
      return (async function* () {
        yield* numbers();
      })();
    });
    server.begin(1, 7, ask('numbers', [], 2));
    await turn();
    expect(sent.map(({ value }) => value)).toEqual([0, 1]);
    server.grant(1, 7, () => 3);
    await turn();
    expect(sent.map(({ value }) => value)).toEqual([0, 1, 2, 3, 4]);
    server.grant(2, 7, () => 3);
    server.grant(1, 8, () => 3);
    await turn();
    expect(sent).toHaveLength(5);
    server.cancel(1, 7);
    await turn();
    expect(server.open).toBe(0);
  });

  test('that waits for credit is closed when it is given up', async () => {
    const { server, handlers, sent } = create();
    let closed = false;
    handlers.add('numbers', async function* () {
      try {
        yield 1;
        yield 2;
      } finally {
        closed = true;
      }
    });
    server.begin(1, 7, ask('numbers', [], 1));
    await turn();
    server.cancel(1, 7);
    await turn();
    expect(closed).toBe(true);
    expect(sent).toHaveLength(1);
  });

  test('is an array for who takes none', async () => {
    const { server, handlers, sent } = create();
    handlers.add('numbers', function* () {
      yield 1;
      yield Promise.resolve(2);
    });
    server.begin(1, 7, () => ({ name: 'numbers', args: [] }));
    await turn();
    expect(sent).toEqual([{ worker: 1, id: 7, kind: 'response', value: [1, 2] }]);
  });

  test('of something that cannot be iterated over is an error', async () => {
    const { server, handlers, sent } = create();
    handlers.add('bad', () => ({
      [Symbol.asyncIterator]() {
        throw new Error('no iterator');
      },
    }));
    server.begin(1, 7, ask('bad'));
    await turn();
    expect(sent).toMatchObject([{ kind: 'error', value: { message: 'no iterator' } }]);
  });
});

describe('what nobody waits for', () => {
  test('is not sent, and its failure goes nowhere', async () => {
    const { server, handlers, sent } = create();
    const signals: AbortSignal[] = [];
    handlers.add('late', async (fails: boolean, ctx: HandlerContext) => {
      signals.push(ctx.signal);
      await turn();
      if (fails) throw new Error('late');
    });
    server.begin(1, 7, ask('late', [true]));
    server.begin(1, 8, ask('late', [false]));
    server.begin(2, 7, ask('late', [false]));
    server.cancel(1, 7);
    server.exited(2, new Error('gone'));
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, true]);
    expect(signals[0]?.reason).toHaveProperty('name', 'AbortError');
    expect(signals[2]?.reason).toHaveProperty('message', 'gone');
    await turn();
    await turn();
    expect(sent.map(({ worker, id }) => [worker, id])).toEqual([[1, 8]]);
  });

  test('a signal that is looked at late is aborted already', async () => {
    const { server, handlers } = create();
    let seen: AbortSignal | undefined;
    handlers.add('late', async (ctx: HandlerContext) => {
      await turn();
      seen = ctx.signal;
    });
    server.begin(1, 7, ask('late'));
    server.close(new Error('over'));
    await turn();
    await turn();
    expect(seen?.aborted).toBe(true);
    expect(seen?.reason).toHaveProperty('message', 'over');
  });
});

test('code of a handler knows on whose behalf it runs, as long as it is waited for', async () => {
  const { server, handlers } = create();
  const other = create().server;
  const seen: unknown[] = [];
  handlers.add('f', async () => {
    await turn();
    seen.push(server.current()?.id, other.current()?.id);
    setTimeout(() => seen.push(server.current()?.id), 5);
  });
  expect(server.current()).toBeUndefined();
  server.begin(1, 7, ask('f'));
  expect(server.current()).toBeUndefined();
  while (seen.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(seen).toEqual([7, undefined, undefined]);
});
