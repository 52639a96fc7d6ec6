/** The option `redact`: no secret comes out of an instance, whichever road it takes. */

import type { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import {
  EnvironmentError,
  PythonError,
  SpawnError,
  type SpawnOptions,
  type Synapse,
  SynapseError,
  ValidationError,
  WorkerExitedError,
} from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule, until } from '../support/modules.js';

const SECRET = 'hunter2/"quoted"';
const options: SpawnOptions = { redact: [SECRET, /sk-[a-z]+/] };

const HANDLERS = `
  import logging, os, sys, warnings
  from synapse import context, handler, host
  SECRET = ${JSON.stringify(SECRET)}

  class Refused(Exception):
      def __init__(self, token):
          super().__init__(f"the token {token} is refused")
          self.token = token
          self.nested = {"list": [token, {token: "sk-abc"}], "bytes": token.encode()}

  @handler
  def fail(token):
      try:
          raise Refused(token)
      except Refused as error:
          if hasattr(error, "add_note"):
              error.add_note(f"noted {token}")
          raise KeyError(token, "sk-abc") from error

  @handler
  def typed(number: int):
      return number

  @handler
  def unencodable(token):
      return {token: object()}

  @handler
  def items(token):
      yield "fine"
      raise Refused(token)

  @handler
  def write(token):
      print("printed", token)
      sys.stderr.write(f"written {token}\\n")
      sys.stderr.flush()
      os.write(2, f"raw {token}\\n".encode())
      logging.getLogger("app").warning("logged %s", token)
      warnings.warn(f"warned {token}")
      context().log.info(f"told {token}")
      context().progress(0.5, f"half of {token}")

  @handler
  def die(token):
      sys.stderr.write(f"last words: {token}\\n")
      sys.stderr.flush()
      os._exit(3)

  @handler
  def ask(name, token):
      return host.call(name, token).result()

  @handler
  def look(name, token):
      try:
          host.call(name, token).result()
      except Exception as error:
          return [str(error), error.stack, repr(error.data)]

  @handler
  def give(value):
      return value
`;

/** Everything that can be seen of a value, hidden fields and causes included. */
function everything(value: unknown): string {
  const seen = inspect(value, {
    depth: Number.POSITIVE_INFINITY,
    showHidden: true,
    maxStringLength: Number.POSITIVE_INFINITY,
    maxArrayLength: Number.POSITIVE_INFINITY,
    breakLength: Number.POSITIVE_INFINITY,
  });
  const error = value instanceof Error ? `${value.message}\n${value.stack}\n` : '';
  const bytes = inspect(value, { depth: 9 }).includes('<Buffer') ? bytesOf(value) : '';
  return `${seen}\n${error}${JSON.stringify(value)}\n${bytes}`;
}

/** The text of all bytes in an error's data, which `inspect` shows as numbers. */
function bytesOf(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value !== 'object' || value === null) return '';
  const fields = Object.getOwnPropertyNames(value).map(
    (name) => (value as Record<string, unknown>)[name],
  );
  return fields.map(bytesOf).join('\n');
}

function expectClean(value: unknown): void {
  const text = everything(value);
  expect(text).toContain('[redacted]');
  expect(text).not.toContain('hunter2');
  expect(text).not.toMatch(/sk-[a-z]/);
}

async function failure(promise: Promise<unknown>): Promise<SynapseError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SynapseError);
  return error as SynapseError;
}

/** Whatever an instance emits, from now on. */
function listen(synapse: Synapse): unknown[] {
  const heard: unknown[] = [];
  const emitter = synapse as unknown as EventEmitter;
  const { emit } = emitter;
  emitter.emit = (name: string, ...values: unknown[]) => {
    heard.push([name, ...values]);
    return emit.call(emitter, name, ...values);
  };
  return heard;
}

describe('errors', () => {
  test('of Python: message, traceback, frames, notes, attributes and causes', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    const error = await failure(synapse.invoke('fail', [SECRET]));
    expect(error).toBeInstanceOf(PythonError);
    const { cause, frames } = error as PythonError;
    expect((error as PythonError).isinstance('KeyError')).toBe(true);
    expect(frames.at(-1)?.text).toContain('raise KeyError(token');
    expect((cause as PythonError).data).toEqual({
      token: '[redacted]',
      nested: {
        list: ['[redacted]', { '[redacted]': '[redacted]' }],
        bytes: Buffer.from('[redacted]'),
      },
    });
    expectClean(error);
  });

  test('without the option show all of it', async () => {
    const synapse = await spawnModule(HANDLERS);
    const error = await failure(synapse.invoke('fail', [SECRET]));
    expect(everything(error)).toContain('hunter2');
    expect(everything(error)).toContain('sk-abc');
  });

  test('of arguments, of results and of names that are refused', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    const misfit = await failure(synapse.invoke('typed', [SECRET]));
    expect(misfit).toBeInstanceOf(ValidationError);
    expect(everything(misfit)).not.toContain('hunter2');
    expectClean(await failure(synapse.invoke('unencodable', [SECRET])));
    expectClean(
      await failure(
        synapse.invoke('give', [{ [SECRET]: () => {}, deep: { [SECRET]: Symbol('x') } }]),
      ),
    );
    expectClean(await failure(synapse.invoke(SECRET)));
  });

  test('of streams, and of the items before nothing is taken away', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    const items: unknown[] = [];
    const stream = synapse.stream('items', [SECRET]);
    const error = await failure(
      (async () => {
        for await (const item of stream) items.push(item);
      })(),
    );
    expect(items).toEqual(['fine']);
    expectClean(error);
    expect(await synapse.invoke('give', [SECRET])).toBe(SECRET);
  });

  test('of a worker that dies: its last words', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    const heard = listen(synapse);
    const error = await failure(synapse.invoke('die', [SECRET]));
    expect(error).toBeInstanceOf(WorkerExitedError);
    expect(error).toMatchObject({ exitCode: 3, stderrTail: 'last words: [redacted]\n' });
    await until(() => everything(heard).includes('worker:exit'));
    expectClean(heard);
  });

  test('of handlers in Node: what Python sees, and what comes back', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    synapse.handle('refuse', (token) => {
      throw Object.assign(new RangeError(`no ${token}`), { token, cause: new Error(`${token}`) });
    });
    const seen = await synapse.invoke<string[]>('look', ['refuse', SECRET]);
    expect(seen[0]).toContain('no [redacted]');
    expectClean(seen);
    expectClean(await failure(synapse.invoke('ask', ['refuse', SECRET])));
    expectClean(await failure(synapse.invoke('ask', [`sk-abc`, 1])));
  });

  test('of a spawn that fails: in the module and in its installer', async () => {
    const broken = createSynapse(options);
    const heard = listen(broken);
    const folder = createFolder({
      'main.py': `
        import sys
        sys.stderr.write("before sk-abc\\n")
        raise RuntimeError("the key is sk-abc")
      `,
    });
    const error = await failure(broken.spawn(folder, 'main'));
    expect(error).toBeInstanceOf(SpawnError);
    expectClean(error);
    expectClean(heard);

    const unmet = createSynapse({ ...options, python: undefined, installer: 'pip', offline: true });
    const heardThere = listen(unmet);
    const requirements =
      'no-such-package-sk-abc==1 --no-index --find-links https://x:sk-abc@localhost:9/';
    const files = { 'main.py': '', 'requirements.txt': requirements };
    const refused = await failure(unmet.spawn(createFolder(files), 'main'));
    expect(refused).toBeInstanceOf(EnvironmentError);
    expect(everything(refused)).not.toMatch(/sk-[a-z]/);
    expect(everything(heardThere)).not.toMatch(/sk-[a-z]/);
  }, 60_000);

  test('of sessions', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    await synapse.sessions.create('sk-abc');
    expectClean(await failure(synapse.sessions.create('sk-abc')));
    expectClean(await failure(synapse.session('one').set('key', { [SECRET]: Symbol('x') })));
  });

  test('a fallback hears no more than a caller', async () => {
    const heard: unknown[] = [];
    const fallback = (error: SynapseError): string => {
      heard.push(error);
      return 'instead';
    };
    const synapse = await spawnModule(HANDLERS, { ...options, fallback });
    expect(await synapse.invoke('fail', [SECRET])).toBe('instead');
    expectClean(heard[0]);
  });
});

describe('logs and events', () => {
  test('of print, logging, warnings, stderr, descriptors and progress', async () => {
    const synapse = await spawnModule(HANDLERS, options);
    const heard = listen(synapse);
    const observed: string[] = [];
    synapse.instanceLogs.subscribe((text) => observed.push(text));
    await synapse.invoke('write', [SECRET]);
    const words = ['printed', 'written', 'raw', 'logged', 'warned', 'told', 'half of'];
    await until(() => words.every((word) => everything(heard).includes(`${word} [redacted]`)));
    expectClean(heard);
    expectClean(observed);
  });

  test('a function decides by field', async () => {
    const fields = new Set<string>();
    const synapse = await spawnModule(HANDLERS, {
      redact(text, field) {
        fields.add(field);
        return field === 'message' ? 'kept back' : text;
      },
    });
    const error = await failure(synapse.invoke('fail', ['x']));
    expect(error).toMatchObject({ message: 'kept back', cause: { message: 'kept back' } });
    for (const field of ['message', 'traceback', 'frames', 'token'])
      expect(fields).toContain(field);
  });
});

describe('a script of version 1.4', () => {
  const script = `
    import sys
    import msgpack
    while head := sys.stdin.buffer.read(4):
        value = msgpack.unpackb(sys.stdin.buffer.read(int.from_bytes(head, "little")))
        if value == "stderr":
            sys.stderr.write("[ERROR] it was sk-abc\\n")
            sys.stderr.flush()
            continue
        reply = msgpack.packb(value)
        sys.stdout.buffer.write(len(reply).to_bytes(4, "little") + reply)
        sys.stdout.buffer.flush()
  `;

  test('its errors and its logs', async () => {
    const synapse = await spawnModule(script, options);
    const observed: string[] = [];
    synapse.instanceLogs.subscribe((text) => observed.push(text));
    await expect(synapse.call({ error: { why: 'sk-abc', code: 7 } })).rejects.toEqual({
      why: '[redacted]',
      code: 7,
    });
    expectClean(await failure(synapse.call('stderr')));
    expect(await synapse.call('sk-abc', true)).toBe('sk-abc');
    await until(() => observed.some((text) => text.includes('forced parsing failed')));
    expectClean(observed);
  });
});
