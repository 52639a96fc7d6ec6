/** Named handlers: how they are called, what they return, how they fail. */

import { describe, expect, test } from '@jest/globals';
import { HandlerNotFoundError, kwargs, PythonError, SynapseError } from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const HANDLERS = `
  import asyncio
  from synapse import context, handler, handlers, unregister

  @handler
  def add(a, b=10, *more, scale=1):
      return (a + b + sum(more)) * scale

  @handler(name="text.upper")
  async def upper(text):
      await asyncio.sleep(0)
      return text.upper()

  @handler(default=True)
  def main(payload):
      return {"got": payload}

  @handler
  def fail(kind):
      if kind == "custom":
          raise Custom("it broke", 42)
      try:
          {}["missing"]
      except KeyError as error:
          raise ValueError("no such thing") from error

  @handler
  def names():
      return [handlers(), unregister("gone"), unregister("gone"), handlers()]

  @handler
  def gone():
      pass

  @handler
  def call_id():
      return context().call_id

  class Custom(RuntimeError):
      def __init__(self, message, level):
          super().__init__(message)
          self.level = level
`;

describe('invoke', () => {
  test('an array is positional arguments, kwargs() keyword arguments, anything else one', async () => {
    const synapse = await spawnModule(HANDLERS);
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
    expect(await synapse.invoke('add', [1, 2, 3, 4])).toBe(10);
    expect(await synapse.invoke('add', kwargs({ a: 1, b: 2, scale: 3 }))).toBe(9);
    expect(await synapse.invoke('add', [1, kwargs({ scale: 2 })])).toBe(22);
    expect(await synapse.invoke('add', 5)).toBe(15);
    expect(await synapse.invoke('main', { any: 'value' })).toEqual({ got: { any: 'value' } });
    expect(await synapse.invoke('main', [[1, 2]])).toEqual({ got: [1, 2] });
  });

  test('without arguments the handler gets none', async () => {
    const synapse = await spawnModule(HANDLERS);
    expect(await synapse.invoke('call_id')).toEqual(expect.any(Number));
  });

  test('reaches async handlers and dotted names, also through the typed proxy', async () => {
    const synapse = await spawnModule(HANDLERS);
    expect(await synapse.invoke('text.upper', ['snake'])).toBe('SNAKE');
    const python = synapse.api<{
      add(a: number, b: number): number;
      text: { upper(text: string): string };
    }>();
    expect(await python.text.upper('snake')).toBe('SNAKE');
    expect(await python.add(1, 2)).toBe(3);
  });

  test('the calls of a typed proxy have its options', async () => {
    const synapse = await spawnModule(`
      import time
      from synapse import context, handler

      @handler
      def tag(text):
          return [text, context().metadata["tag"]]

      @handler
      def tags():
          yield context().metadata["tag"]

      @handler(name="deep.sleep")
      def sleep(seconds):
          time.sleep(seconds)
`);
    type Module = {
      tag(text: string): string[];
      tags(): Generator<string>;
      deep: { sleep(seconds: number): void };
    };
    const python = synapse.api<Module>({ metadata: { tag: 'x' } });
    expect(await python.tag('a')).toEqual(['a', 'x']);
    expect(await python.tags().next()).toEqual({ done: false, value: 'x' });
    const session = synapse.session('s').api<Module>({ metadata: { tag: 'y' } });
    expect(await session.tag('a')).toEqual(['a', 'y']);
    expect(await session.tags().next()).toEqual({ done: false, value: 'y' });
    await expect(synapse.api<Module>({ timeout: 20 }).deep.sleep(5)).rejects.toMatchObject({
      code: 'TIMEOUT',
    });
    const controller = new AbortController();
    const aborted = synapse.api<Module>({ signal: controller.signal }).deep.sleep(5);
    controller.abort();
    await expect(aborted).rejects.toBe(controller.signal.reason);
    expect(() => synapse.api<Module>({ timeout: -1 })).toThrow('option "timeout"');
    expect(() => synapse.api<Module>({ timeouts: 1 } as object)).toThrow('timeouts');
  });

  test('a generator is a stream through the typed proxy', async () => {
    const synapse = await spawnModule(`
from synapse import handler

@handler
def tokens(prompt):
    yield from prompt.split()

@handler
async def pages():
    yield 1
    yield 2
`);
    const python = synapse.api<{
      tokens(prompt: string): Generator<string>;
      pages(): AsyncGenerator<number>;
    }>();
    const seen: unknown[] = [];
    for await (const token of python.tokens('a b c')) seen.push(token);
    for await (const page of python.pages()) seen.push(page);
    expect(seen).toEqual(['a', 'b', 'c', 1, 2]);
  });

  test('call reaches the default handler', async () => {
    const synapse = await spawnModule(HANDLERS);
    expect(await synapse.call([1])).toEqual({ got: [1] });
  });

  test('an unknown name is refused with the names there are', async () => {
    const synapse = await spawnModule(HANDLERS);
    const error = await synapse.invoke('nope').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HandlerNotFoundError);
    expect(error).toMatchObject({
      code: 'HANDLER_NOT_FOUND',
      handler: 'nope',
      available: expect.arrayContaining(['add', 'text.upper', 'main']),
    });
  });

  test('a name that was forgotten is a misuse, and the message says of what', async () => {
    const synapse = await spawnModule(HANDLERS);
    const invoke = synapse.invoke.bind(synapse) as (...args: unknown[]) => Promise<unknown>;
    await expect(invoke()).rejects.toThrow(
      new TypeError('the name of a handler must be a string, got undefined'),
    );
    await expect(invoke(7, [1])).rejects.toThrow('must be a string, got 7');
  });

  test('handlers are listed and unregistered on both sides', async () => {
    const synapse = await spawnModule(HANDLERS);
    expect(synapse.handlers()).toEqual(
      expect.arrayContaining(['add', 'text.upper', 'main', 'fail', 'names', 'gone', 'call_id']),
    );
    const [before, first, second, after] =
      await synapse.invoke<[string[], boolean, boolean, string[]]>('names');
    expect([first, second]).toEqual([true, false]);
    expect(before).toContain('gone');
    expect(after).not.toContain('gone');
  });

  test('a call that is made while spawn is under way waits for it', async () => {
    const synapse = createSynapse();
    const spawned = synapse.spawn(createFolder({ 'main.py': HANDLERS }), 'main');
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
    await spawned;
  });

  test('or is refused where that is asked for, and taken once it is ready', async () => {
    const synapse = createSynapse({ beforeReady: 'reject' });
    const spawned = synapse.spawn(createFolder({ 'main.py': HANDLERS }), 'main');
    const early = { code: 'NOT_SPAWNED', message: expect.stringContaining('is starting') };
    await expect(synapse.invoke('add', [1, 2])).rejects.toMatchObject(early);
    await expect(synapse.call('x')).rejects.toMatchObject(early);
    await expect(synapse.map('add', [[1, 2]])).rejects.toMatchObject(early);
    await expect(synapse.stream('count', [3]).next()).rejects.toMatchObject(early);
    await spawned;
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
  });
});

describe('an exception', () => {
  test('arrives as an error of JavaScript with both stacks', async () => {
    const synapse = await spawnModule(HANDLERS);
    async function caller(): Promise<unknown> {
      return await synapse.invoke('fail', ['plain']);
    }
    const error = await caller().catch((reason: unknown) => reason as PythonError);
    expect(error).toBeInstanceOf(PythonError);
    expect(error).toBeInstanceOf(SynapseError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'PythonError',
      code: 'PYTHON_ERROR',
      message: 'no such thing',
      pythonType: 'ValueError',
      handler: 'fail',
    });
    const { stack, traceback, frames, cause } = error as PythonError;
    expect(stack).toContain('caller');
    expect(stack).toContain('handlers.spec.ts');
    expect(stack).toContain('raise ValueError("no such thing") from error');
    expect(traceback).toContain('main.py');
    expect(traceback).not.toContain('_worker');
    expect(frames.at(-1)).toMatchObject({ name: 'fail' });
    expect(cause).toMatchObject({ pythonType: 'KeyError' });
  });

  test('a class of the user keeps its name, its bases and what it carries', async () => {
    const synapse = await spawnModule(HANDLERS);
    const error = await synapse.invoke('fail', ['custom']).catch((reason: PythonError) => reason);
    expect(error).toMatchObject({ message: 'it broke', data: { level: 42 } });
    expect((error as PythonError).pythonType).toMatch(/Custom$/);
    expect((error as PythonError).isinstance('RuntimeError')).toBe(true);
    expect((error as PythonError).isinstance('ValueError')).toBe(false);
  });

  test('arguments that do not fit are the caller’s error, and the worker goes on', async () => {
    const synapse = await spawnModule(HANDLERS);
    await expect(synapse.invoke('add', [])).rejects.toMatchObject({
      code: 'VALIDATION',
      path: '$.a',
      message: "add() missing 1 required positional argument: 'a'",
    });
    expect(await synapse.invoke('add', [1])).toBe(11);
  });

  test('a value that cannot cross is refused with its path, in either direction', async () => {
    const synapse = await spawnModule(`
      from synapse import handler

      @handler(default=True)
      def main(payload):
          return {"items": [1, object()]} if payload == "bad" else payload
    `);
    await expect(synapse.call({ items: [1, { when: Symbol('now') }] })).rejects.toMatchObject({
      code: 'ENCODE',
      path: '$.items[1].when',
    });
    await expect(synapse.call('bad')).rejects.toMatchObject({ code: 'ENCODE', path: '$.items[1]' });
    expect(await synapse.call('good')).toBe('good');
  });
});

describe('module:function', () => {
  const MODULE =
    'def greet(message):\n    return "hello " + message\n\nasync def later(message):\n    return message\n';

  test('one function gets every message, sync or async', async () => {
    const folder = createFolder({ 'greeter.py': MODULE });
    const synapse = createSynapse();
    await synapse.spawn(folder, 'greeter:greet');
    expect(await synapse.call('you')).toBe('hello you');
    await synapse.dispose();
    await synapse.spawn(folder, 'greeter:later');
    expect(await synapse.call('you')).toBe('you');
  });

  test('a missing module and a missing function are told apart, at once', async () => {
    const folder = createFolder({ 'greeter.py': MODULE });
    const synapse = createSynapse();
    await expect(synapse.spawn(folder, 'nowhere:greet')).rejects.toMatchObject({
      code: 'MODULE_NOT_FOUND',
    });
    await expect(synapse.spawn(folder, 'greeter:nothing')).rejects.toMatchObject({
      code: 'FUNCTION_NOT_FOUND',
    });
    await synapse.spawn(folder, 'greeter:greet');
    expect(await synapse.call('you')).toBe('hello you');
  });
});
