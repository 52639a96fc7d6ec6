/** What every worker answers besides the user's handlers: `synapse.ping` and `synapse.info`. */

import { describe, expect, test } from '@jest/globals';
import {
  HandlerNotFoundError,
  type InfoReply,
  type PingReply,
  type SpawnOptions,
  type Synapse,
} from '../../ts/index.js';
import { createFolder, createSynapse, spawnModule } from '../support/modules.js';

const PLAIN = `
  from synapse import handler, unregister

  @handler
  def only(value):
      return {"got": value}
`;
const ASYNC = PLAIN.replace('  def', '  async def');

async function ping(synapse: Synapse): Promise<void> {
  const [worker] = synapse.workers();
  const before = Date.now();
  const echo = { any: ['value', null] };
  const reply = await synapse.invoke<PingReply>('synapse.ping', [echo]);
  expect(reply).toEqual({
    status: 'ok',
    pid: worker?.pid,
    runtime: expect.stringMatching(/^(Python 3|Node\.js \d+)\.\d+/),
    uptime: expect.any(Number),
    timestamp: expect.any(Date),
    echo,
  });
  expect(reply.timestamp.getTime()).toBeGreaterThanOrEqual(before - 1000);
  expect(reply.timestamp.getTime()).toBeLessThanOrEqual(Date.now() + 1000);
}

async function info(synapse: Synapse, mode: string): Promise<void> {
  const reply = await synapse.invoke<InfoReply>('synapse.info', []);
  expect(reply).toMatchObject({ pid: synapse.workers()[0]?.pid, mode, sdk: '2.0.0', calls: 1 });
  expect(reply.handlers.map(({ name }) => name)).toEqual(['only']);
  expect(reply.uptime).toBeGreaterThanOrEqual(0);
  expect(reply.rss).toBeGreaterThan(1_000_000);
}

describe('in Python', () => {
  test.each<[string, string, SpawnOptions]>([
    ['serial', PLAIN, {}],
    ['async', ASYNC, { concurrency: 4 }],
    ['threads', PLAIN, { concurrency: 4, mode: 'threads' }],
  ])('in the mode %s', async (mode, source, options) => {
    const synapse = await spawnModule(source, options);
    await ping(synapse);
    await info(synapse, mode);
    const { concurrency, default: main } = await synapse.invoke<InfoReply>('synapse.info', []);
    expect([concurrency, main]).toEqual([options.concurrency ?? 1, 'only']);
  });

  test('they are in no list, and the only handler stays the default', async () => {
    const synapse = await spawnModule(PLAIN);
    expect(synapse.handlers()).toEqual(['only']);
    expect(await synapse.call(1)).toEqual({ got: 1 });
    const unknown = await synapse.invoke('gone').catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(HandlerNotFoundError);
    expect(unknown).toMatchObject({ available: ['only'] });
    expect((unknown as Error).message).not.toContain('synapse.');
    const misspelt = await synapse.invoke('synapse.pign').catch((error: unknown) => error);
    expect(misspelt).toMatchObject({ available: ['only'], hint: 'did you mean "synapse.ping"?' });
  });

  test('nor in what a call of no default handler is told', async () => {
    const synapse = await spawnModule(`${PLAIN}
  @handler
  def other():
      pass
`);
    const refused = await synapse.call(1).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'HANDLER_NOT_FOUND', available: ['only', 'other'] });
  });

  test('reach one certain worker, through the typed proxy too', async () => {
    const synapse = await spawnModule(PLAIN, { workers: 2 });
    for (const { id, pid } of synapse.workers()) {
      const reply = await synapse.invoke<PingReply>('synapse.ping', [], { worker: id });
      expect(reply.pid).toBe(pid);
    }
    const api = synapse.api<{ synapse: { ping(echo: unknown): PingReply } }>();
    expect(await api.synapse.ping(7)).toMatchObject({ echo: 7 });
  });

  test('a handler of the user cannot take such a name', async () => {
    await expect(spawnModule(`${PLAIN}\n  handler(name="synapse.mine")(only)\n`)).rejects.toThrow(
      'the handler "synapse.mine" at ',
    );
  });

  test('a script of version 1.4 has no names, and says so', async () => {
    const synapse = await spawnModule(`
      import sys
      while head := sys.stdin.buffer.read(4):
          data = sys.stdin.buffer.read(int.from_bytes(head, "little"))
          sys.stdout.buffer.write(head + data)
          sys.stdout.buffer.flush()
    `);
    expect(await synapse.call('on')).toBe('on');
    const refused = await synapse.invoke('synapse.ping').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(HandlerNotFoundError);
    expect(refused).toMatchObject({
      hint: 'a script of version 1.4 has no names: use call(input)',
    });
  });
});

describe('in Node', () => {
  const source = `
    import { handler } from '@himalaya-quant/synapse/worker';
    handler('only', (value) => ({ got: value }), { default: true });
  `;

  test.each<[string, SpawnOptions]>([
    ['serial', {}],
    ['async', { concurrency: 4 }],
  ])('in the mode %s', async (mode, options) => {
    const synapse = createSynapse({ ...options, runtime: 'node' });
    await synapse.spawn(createFolder({ 'worker.mjs': source }), 'worker');
    await ping(synapse);
    await info(synapse, mode);
    expect(synapse.handlers()).toEqual(['only']);
    expect(await synapse.call(1)).toEqual({ got: 1 });
  });

  test('a handler of the user cannot take such a name', async () => {
    const synapse = createSynapse({ runtime: 'node' });
    const taken = `${source}\n handler('synapse.mine', () => 1);`;
    await expect(synapse.spawn(createFolder({ 'worker.mjs': taken }), 'worker')).rejects.toThrow(
      'handler "synapse.mine" needs another name',
    );
  });
});
