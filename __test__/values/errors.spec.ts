/** Exceptions of Python, as callers in Node see them; and errors of Node, on their way there and back. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { HandlerNotFoundError, PythonError, type Synapse } from '../../ts/index.js';
import { keepModule } from '../support/modules.js';

const MODULE = `
  import asyncio
  import sys
  from synapse import HostError, handler, host

  class Base(Exception):
      pass

  class Mine(Base):
      def __init__(self, message):
          super().__init__(message)
          self.status = 404
          self.socket = object()
          self.large = bytes(300_000)
          self._private = 1

  @handler
  def own():
      raise Mine("mine")

  @handler
  def caused():
      try:
          try:
              {}["missing"]
          except KeyError as error:
              raise LookupError("middle") from error
      except LookupError:
          raise ValueError("outer")

  @handler
  def suppressed():
      try:
          {}["missing"]
      except KeyError:
          raise ValueError("outer") from None

  @handler
  def noted():
      error = ValueError("noted")
      error.__notes__ = ["while reading line 3"]
      raise error

  @handler
  def grouped():
      def part(text):
          try:
              raise OSError(text)
          except OSError as error:
              return error
      if sys.version_info < (3, 11):
          from exceptiongroup import ExceptionGroup as Group
      else:
          Group = ExceptionGroup
      raise Group("several", [part("one"), Group("inner", [Mine("two")])])

  @handler
  async def deep():
      async def inner():
          await asyncio.sleep(0)
          raise Mine("deep")
      await inner()

  @handler
  def returns_error():
      return {"error": "just data", "ok": False}

  @handler
  def passes_on(name):
      return getattr(host, name)().result()

  @handler
  def catches(name):
      try:
          getattr(host, name)().result()
      except HostError as error:
          return [type(error).__name__, error.name, error.message, str(error), error.data]

  @handler
  def wraps(name):
      try:
          getattr(host, name)().result()
      except HostError as error:
          raise RuntimeError("could not ask") from error

  @handler
  def hands_over():
      return host.echo([1, {"a": object()}]).result()
`;

let synapse: Synapse;
const kept = keepModule();

beforeAll(async () => {
  synapse = await kept.spawn(MODULE);
});

afterAll(() => kept.dispose());

async function failure(name: string, args: unknown[] = []): Promise<PythonError> {
  const error = await synapse.invoke(name, args).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PythonError);
  return error as PythonError;
}

describe('an exception', () => {
  test('of a class of the user is told by its bases and carries its attributes', async () => {
    const error = await failure('own');
    expect(error).toMatchObject({ message: 'mine', pythonType: '__main__.Mine' });
    expect(error.data).toEqual({ status: 404 });
    for (const name of ['Mine', '__main__.Mine', 'Base', 'Exception', 'builtins.Exception']) {
      expect(error.isinstance(name)).toBe(true);
    }
    expect(error.isinstance('ValueError')).toBe(false);
  });

  test('says which attributes did not come along', async () => {
    expect((await failure('own')).omitted).toEqual(['socket', 'large']);
    expect((await failure('noted')).omitted).toEqual([]);
  });

  test('has its causes, from `from` and from the context', async () => {
    const error = await failure('caused');
    expect(error).toMatchObject({
      pythonType: 'ValueError',
      cause: { pythonType: 'LookupError', message: 'middle', cause: { pythonType: 'KeyError' } },
    });
    const { traceback } = error;
    expect(traceback.indexOf('KeyError')).toBeLessThan(traceback.indexOf('LookupError'));
    expect(traceback).toContain('The above exception was the direct cause');
    expect(traceback).toContain('During handling of the above exception');
  });

  test('whose context is suppressed has no cause', async () => {
    const error = await failure('suppressed');
    expect(error.cause).toBeUndefined();
    expect(error.traceback).not.toContain('KeyError');
  });

  test('has its notes, also in the traceback', async () => {
    const error = await failure('noted');
    expect(error.notes).toEqual(['while reading line 3']);
  });

  test('that is a group has its members, which may be groups', async () => {
    const error = await failure('grouped');
    expect(error.isinstance('ExceptionGroup')).toBe(true);
    expect(error.message).toContain('several');
    const [first, second] = error.exceptions;
    expect(first).toMatchObject({ pythonType: 'OSError', message: 'one' });
    expect(first).toBeInstanceOf(PythonError);
    expect(first?.frames.map(({ name }) => name)).toEqual(['part']);
    expect(second?.exceptions).toMatchObject([{ message: 'two', data: { status: 404 } }]);
    expect((await failure('own')).exceptions).toEqual([]);
  });

  test('has one stack: first the caller in Node, then Python, none of it ours', async () => {
    async function caller(): Promise<void> {
      await synapse.invoke('deep');
    }
    const error = await caller().catch((reason: PythonError) => reason);
    const { stack = '', frames, traceback } = error as PythonError;
    expect(stack.indexOf('caller')).toBeGreaterThan(0);
    // Between the message and the caller there is nothing.
    expect(stack.split('\n')[1]).toMatch(/^ +at (?:async )?caller .*errors\.spec\.ts/);
    expect(stack.indexOf('errors.spec.ts')).toBeLessThan(stack.indexOf('Python traceback'));
    expect(stack).toContain('raise Mine("deep")');
    expect(frames.map(({ name }) => name)).toEqual(['deep', 'inner']);
    expect(frames[1]).toMatchObject({ text: 'raise Mine("deep")', line: expect.any(Number) });
    expect(traceback).not.toMatch(/python\/synapse|asyncio/);
  });

  test('is never seen in data: an error key is a key', async () => {
    expect(await synapse.invoke('returns_error')).toEqual({ error: 'just data', ok: false });
  });
});

describe('an error of a handler in Node', () => {
  class TooMany extends Error {
    override readonly name = 'TooMany';
    readonly limit = 5;
  }

  beforeAll(() => {
    synapse.handle('fails', () => {
      throw new TooMany('too many', { cause: new RangeError('six') });
    });
    synapse.handle('throwsText', () => {
      throw 'only text';
    });
    synapse.handle('throwsNothing', () => Promise.reject());
    synapse.handle('echo', (value) => value);
    synapse.handle('again', () => synapse.invoke('own'));
  });

  test('is a HostError in Python, with name, message and properties', async () => {
    expect(await synapse.invoke('catches', ['fails'])).toEqual([
      'HostError',
      'TooMany',
      'too many',
      'TooMany: too many',
      { limit: 5, cause: { name: 'RangeError', message: 'six' } },
    ]);
    expect(await synapse.invoke('catches', ['throwsText'])).toMatchObject({ 2: 'only text' });
    expect(await synapse.invoke('catches', ['throwsNothing'])).toMatchObject({
      2: 'a handler threw undefined',
    });
    expect(await synapse.invoke('catches', ['nowhere'])).toMatchObject({ 0: 'HandlerNotFound' });
  });

  test('survives the way back, as the cause', async () => {
    const error = await failure('passes_on', ['fails']);
    expect(error.pythonType).toBe('synapse.HostError');
    const cause = error.cause as Error & { limit: number };
    expect(cause).toMatchObject({ name: 'TooMany', message: 'too many', limit: 5 });
    expect(cause.stack).toContain('errors.spec.ts');
    expect(cause.cause).toMatchObject({ name: 'RangeError', message: 'six' });
    expect(error.frames.map(({ name }) => name)).toEqual(['passes_on']);
    expect(error.traceback).not.toContain('_host_call');
  });

  test('is the cause of what Python made of it', async () => {
    const error = await failure('wraps', ['fails']);
    expect(error).toMatchObject({ pythonType: 'RuntimeError', message: 'could not ask' });
    expect(error.cause).toMatchObject({
      pythonType: 'synapse.HostError',
      cause: { name: 'TooMany', limit: 5 },
    });
  });

  test('may be an exception of Python itself', async () => {
    const error = await failure('passes_on', ['again']);
    expect(error.cause).toMatchObject({
      name: 'PythonError',
      pythonType: '__main__.Mine',
      data: { status: 404 },
    });
    expect((error.cause as Error).stack).toContain('raise Mine("mine")');
  });

  test('that does not exist is told by name', async () => {
    await expect(synapse.invoke('nowhere')).rejects.toBeInstanceOf(HandlerNotFoundError);
    const error = await failure('passes_on', ['nowhere']);
    expect(error.pythonType).toBe('synapse.HandlerNotFound');
  });

  test('is an EncodeError where an argument cannot cross, at the line of the user', async () => {
    const error = await synapse.invoke('hands_over').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENCODE', path: expect.stringContaining('[1].a') });
    const { frames } = (error as { cause: PythonError }).cause;
    expect(frames.map(({ name }) => name)).toEqual(['hands_over']);
  });
});
