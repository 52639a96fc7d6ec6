/** The options `values` and `validate`, end to end. */

import { describe, expect, test } from '@jest/globals';
import { isUnserializable, kwargs, ValidationError } from '../../ts/index.js';
import { spawnModule } from '../support/modules.js';

const MODULE = `
  from dataclasses import dataclass
  from synapse import handler, host

  class Socket:
      pass

  class Broken(Exception):
      def __init__(self):
          super().__init__("broken")
          self.socket = Socket()

  @dataclass
  class Item:
      name: str
      size: int = 0

  @handler
  def mixed():
      return {"ok": 1, "items": [Socket()]}

  @handler
  def stream():
      yield 1
      yield Socket()

  @handler
  def fail():
      raise Broken()

  @handler
  def ask():
      return host.look(Socket(), 1).result()

  @handler
  def runs():
      return len(totals)

  totals = []

  @handler
  def total(items: list[Item], factor: int = 1) -> int:
      totals.append(factor)
      return sum(item.size for item in items) * factor
`;

const socket = {
  __unserializable__: true,
  type: '__main__.Socket',
  reason: 'type __main__.Socket has no counterpart in Node',
};

describe('values', () => {
  test('strict is the default: nothing of a value crosses if part of it cannot', async () => {
    const synapse = await spawnModule(MODULE);
    const refusal = { code: 'ENCODE', path: '$.items[0]' };
    await expect(synapse.invoke('mixed')).rejects.toMatchObject(refusal);
    const items: unknown[] = [];
    const walk = (async () => {
      for await (const item of synapse.stream('stream')) items.push(item);
    })();
    await expect(walk).rejects.toMatchObject({ code: 'ENCODE', path: '$' });
    expect(items).toEqual([1]);
    await expect(synapse.invoke('fail')).rejects.toMatchObject({ data: {}, omitted: ['socket'] });
    await expect(synapse.invoke('ask')).rejects.toMatchObject({ code: 'ENCODE' });
  });

  test('graceful: a mark is in the place of what cannot cross', async () => {
    const synapse = await spawnModule(MODULE, { values: 'graceful' });
    const mixed = await synapse.invoke<{ items: unknown[] }>('mixed');
    expect(mixed).toEqual({ ok: 1, items: [socket] });
    expect(isUnserializable(mixed.items[0])).toBe(true);
    const items: unknown[] = [];
    for await (const item of synapse.stream('stream')) items.push(item);
    expect(items).toEqual([1, socket]);
    await expect(synapse.invoke('fail')).rejects.toMatchObject({ data: { socket }, omitted: [] });
    synapse.handle('look', (value, one) => [isUnserializable(value), one]);
    expect(await synapse.invoke('ask')).toEqual([true, 1]);
  });

  test('isUnserializable knows marks from other values', () => {
    expect(isUnserializable(socket)).toBe(true);
    for (const other of [null, undefined, 1, 'x', {}, [], { __unserializable__: 1, type: 'x' }]) {
      expect(isUnserializable(other)).toBe(false);
    }
  });
});

describe('validate', () => {
  test('is on by default: the handler does not run, and the path says why', async () => {
    const synapse = await spawnModule(MODULE);
    const items = [{ name: 'a', size: 1 }, { name: 'b' }];
    expect(await synapse.invoke('total', [items, 2])).toBe(2);
    const wrong = synapse.invoke('total', [[...items, { name: 5 }]]);
    const error = await wrong.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({
      code: 'VALIDATION',
      path: '$.items[2].name',
      handler: 'total',
      message: '$.items[2].name: expected str, got int 5',
    });
    await expect(synapse.invoke('total', kwargs({ items, by: 2 }))).rejects.toMatchObject({
      code: 'VALIDATION',
      path: '$.by',
    });
    expect(await synapse.invoke('runs')).toBe(1);
  });

  test('switched off it looks at number and names only', async () => {
    const synapse = await spawnModule(MODULE, { validate: false });
    await expect(synapse.invoke('total', [[{ size: 1 }]])).rejects.toMatchObject({
      pythonType: 'AttributeError',
    });
    await expect(synapse.invoke('total', [])).rejects.toMatchObject({
      code: 'VALIDATION',
      path: '$.items',
    });
  });

  test('a call with hints can still be cut short', async () => {
    const synapse = await spawnModule(`
      from synapse import handler

      @handler
      def spin(count: int):
          while True:
              pass

      @handler
      def echo(value):
          return value
    `);
    const pid = synapse.workers()[0]?.pid;
    const controller = new AbortController();
    const spinning = synapse.invoke('spin', [1], { signal: controller.signal });
    expect(await Promise.race([spinning, new Promise((done) => setTimeout(done, 50, 'on'))])).toBe(
      'on',
    );
    controller.abort(new Error('enough'));
    await expect(spinning).rejects.toThrow('enough');
    expect(await synapse.invoke('echo', [1])).toBe(1);
    expect(synapse.workers()[0]?.pid).toBe(pid);
  });
});
