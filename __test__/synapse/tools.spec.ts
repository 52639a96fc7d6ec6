/** What Python may call is told of by metadata, hidden from it, and registered for one session. */

import { describe, expect, test } from '@jest/globals';
import {
  type HandlerContext,
  PythonError,
  type SpawnOptions,
  type Synapse,
} from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule, until } from '../support/modules.js';

const SYNC = `
  import threading
  from synapse import handler, host

  @handler
  def ask(name, *args):
      return host.call(name, *args).result()

  @handler
  def tools():
      return host.synapse.tools().result()

  @handler
  def items(name):
      for item in host.call(name):
          yield item
          yield from host.call(name)

  @handler
  def in_thread(name):
      found = []
      def run():
          try:
              found.append(host.call(name).result())
          except Exception as error:
              found.append(type(error).__name__)
      thread = threading.Thread(target=run)
      thread.start()
      thread.join()
      return found
`;
const ASYNC = `
  from synapse import handler, host

  @handler
  async def ask(name, *args):
      return await host.call(name, *args)

  @handler
  async def tools():
      return await host.synapse.tools()

  @handler
  async def items(name):
      async for item in host.call(name):
          yield item
          for again in await host.call(name):
              yield again
`;

type Spawn = (options?: SpawnOptions) => Promise<Synapse>;
const worker: Spawn = async (options = {}) => {
  const synapse = createSynapse({ ...options, runtime: 'node' });
  const source = `
    import { handler, host } from '@himalaya-quant/synapse/worker';
    handler('ask', (name, ...args) => host.call(name, ...args));
    handler('tools', () => host.synapse.tools());
    handler('items', async function* items(name) {
      for await (const item of host.call(name)) {
        yield item;
        yield* host.call(name);
      }
    });
  `;
  await synapse.spawn(createFolder({ 'worker.mjs': source }), 'worker');
  return synapse;
};

const MODES: readonly [string, Spawn][] = [
  ['serial', (options) => spawnModule(SYNC, options)],
  ['async', (options) => spawnModule(ASYNC, { concurrency: 4, ...options })],
  ['threads', (options) => spawnModule(SYNC, { concurrency: 4, mode: 'threads', ...options })],
  ['Node', worker],
];

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PythonError);
  return (error as Error).message;
}

describe.each(MODES)('in a worker of the kind %s', (_, spawn) => {
  test('a tool of a session is found in its calls and in no other', async () => {
    const synapse = await spawn();
    const ada = synapse.session('ada');
    const bob = synapse.session('bob');
    synapse.handle('shared', () => 'everybody’s');
    ada.handle('notes.read', (ctx: HandlerContext) => `notes of ${ctx.session}`);
    bob.handle('shared', () => 'bob’s own');

    expect(await ada.invoke('ask', ['notes.read'])).toBe('notes of ada');
    expect(await ada.invoke('ask', ['read'])).toBe('notes of ada');
    expect(await ada.invoke('ask', ['shared'])).toBe('everybody’s');
    expect(await bob.invoke('ask', ['shared'])).toBe('bob’s own');
    expect(await synapse.invoke('ask', ['shared'])).toBe('everybody’s');
    for (const caller of [bob, synapse]) {
      const message = await refusal(caller.invoke('ask', ['notes.read']));
      expect(message).toContain('no handler "notes.read"; available: ');
      expect(message).not.toContain('available: notes.read');
    }
  });

  test('streams ask for it too, at every item', async () => {
    const synapse = await spawn();
    const ada = synapse.session('ada');
    ada.handle('two', function* two() {
      yield 1;
      yield 2;
    });
    const items: unknown[] = [];
    for await (const item of ada.stream('items', ['two'])) items.push(item);
    expect(items).toEqual([1, 1, 2, 2, 1, 2]);
  });

  test('what is listed is what can be called: names and metadata', async () => {
    const synapse = await spawn();
    const ada = synapse.session('ada');
    const hidden = synapse.handle('hidden', () => 1, { exposed: false, metadata: { secret: 1 } });
    synapse.handle('search', () => 1, { metadata: { description: 'of everybody' } });
    ada.handle('search', () => 2, { metadata: { description: 'of Ada' } });
    ada.handle('pay', { invoice: () => 3 }, { exposed: false });
    const search = (description: string) => ({ name: 'search', metadata: { description } });
    expect(await ada.invoke('tools')).toEqual([search('of Ada')]);
    expect(await synapse.invoke('tools')).toEqual([search('of everybody')]);

    for (const name of ['hidden', 'pay.invoice', 'invoice', 'pay']) {
      expect(await refusal(ada.invoke('ask', [name]))).toContain(`no handler "${name}"`);
    }
    hidden.exposed = true;
    expect(await ada.invoke('ask', ['hidden'])).toBe(1);
    expect(await ada.invoke('tools')).toEqual([
      search('of Ada'),
      { name: 'hidden', metadata: { secret: 1 } },
    ]);
  });

  test('a call that is made again, under policies, is in its session still', async () => {
    const synapse = await spawn({ retry: { retries: 2, codes: ['PYTHON_ERROR'], backoff: 1 } });
    const ada = synapse.session('ada');
    let times = 0;
    ada.handle('flaky', () => {
      times++;
      if (times < 3) throw new Error('not yet');
      return times;
    });
    expect(await ada.invoke('ask', ['flaky'], { idempotent: true })).toBe(3);
  });
});

describe('the tools of a session', () => {
  test('are listed in Node, refused twice, and taken back', async () => {
    const synapse = await spawnModule(SYNC);
    const ada = synapse.session('ada');
    expect(ada.tools()).toEqual([]);
    const registration = ada.handle('a', () => 1, { metadata: { x: 1 } });
    expect(() => ada.handle('a', () => 2)).toThrow('there is a handler "a" already');
    synapse.handle('a', () => 3, { exposed: false });
    expect(ada.tools()).toEqual([{ name: 'a', metadata: { x: 1 }, exposed: true }]);
    expect(synapse.tools()).toEqual([{ name: 'a', metadata: {}, exposed: false }]);
    registration.dispose();
    expect([ada.tools(), ada.unhandle('a')]).toEqual([[], false]);
    ada.handle('m', { x: () => 1, y: () => 2 });
    expect([ada.unhandle('m'), ada.tools()]).toEqual([true, []]);
  });

  test('make the session, and need a spawned instance', async () => {
    const synapse = createSynapse();
    expect(() => synapse.session('ada').handle('a', () => 1)).toThrow(
      expect.objectContaining({ code: 'NOT_SPAWNED' }),
    );
    await synapse.spawn(createFolder({ 'main.py': SYNC }), 'main');
    synapse.session('ada').handle('a', () => 1);
    expect(await synapse.sessions.list()).toEqual(['ada']);
  });

  test('end with it: by end, by delete, by its time, and with the workers', async () => {
    const synapse = await spawnModule(SYNC);
    const ada = synapse.session('ada');
    const tool = (): number => 1;
    for (const end of [() => ada.end(), () => synapse.sessions.delete('ada')]) {
      ada.handle('a', tool);
      await end();
      expect(ada.tools()).toEqual([]);
      expect(await refusal(ada.invoke('ask', ['a']))).toContain('no handler "a"');
    }
    const brief = synapse.session('brief', { ttl: 30 });
    brief.handle('a', tool);
    await until(() => brief.tools().length === 0);
    expect(await refusal(brief.invoke('ask', ['a']))).toContain('no handler "a"');

    ada.handle('a', tool);
    await synapse.dispose();
    await synapse.spawn(createFolder({ 'main.py': SYNC }), 'main');
    expect(ada.tools()).toEqual([]);
  });

  test('outlive the worker that asked for them', async () => {
    const synapse = await spawnModule(SYNC);
    const ada = synapse.session('ada');
    ada.handle('a', () => 'still');
    expect(await ada.invoke('ask', ['a'])).toBe('still');
    await synapse.restart();
    expect(await ada.invoke('ask', ['a'])).toBe('still');
  });

  test('are not those of threads that work for no call', async () => {
    const synapse = await spawnModule(SYNC);
    const ada = synapse.session('ada');
    ada.handle('a', () => 1);
    synapse.handle('b', () => 2);
    expect(await ada.invoke('in_thread', ['a'])).toEqual(['HandlerNotFound']);
    expect(await ada.invoke('in_thread', ['b'])).toEqual([2]);
  });
});
