/** What a registered function says of itself, whether Python sees it, and in which session. */

import { describe, expect, test } from '@jest/globals';
import { HostHandlers, SessionHandlers } from '../../ts/callbacks/index.js';

const nothing = (): void => {};

describe('metadata', () => {
  test('is taken as it is now, in every kind of value that can cross', () => {
    const handlers = new HostHandlers();
    const schema = { type: 'object', when: new Date(5), bytes: Buffer.from('x'), tags: ['a'] };
    handlers.add('lookup', nothing, { metadata: schema });
    schema.tags.push('later');
    expect(handlers.tools()).toEqual([
      { name: 'lookup', metadata: { ...schema, tags: ['a'] }, exposed: true },
    ]);
  });

  test('is that of each function of a module, and none unless it is given', () => {
    const handlers = new HostHandlers();
    handlers.add('plain', nothing);
    handlers.add('market', { fetch: nothing, list: nothing }, { metadata: { kind: 'data' } });
    expect(handlers.tools().map(({ name, metadata }) => [name, metadata])).toEqual([
      ['plain', {}],
      ['market.fetch', { kind: 'data' }],
      ['market.list', { kind: 'data' }],
    ]);
  });

  const entries = (count: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
  // The map's head, the key's head and 1 byte, and the string's head of 3 bytes.
  const bytes = (count: number): Record<string, unknown> => ({ k: 'x'.repeat(count - 6) });

  test('may have 32 entries and 4096 bytes', () => {
    const handlers = new HostHandlers();
    handlers.add('many', nothing, { metadata: entries(32) });
    handlers.add('much', nothing, { metadata: bytes(4096) });
    expect(handlers.names()).toEqual(['many', 'much']);
  });

  test.each<[unknown, string]>([
    [entries(33), 'option "metadata" must have at most 32 entries, got 33'],
    [bytes(4097), 'option "metadata" must take at most 4096 bytes, got 4097'],
    [{ deep: { run: Symbol('x') } }, 'option "metadata" cannot encode'],
    ['text', 'option "metadata" must be an object'],
    [['x'], 'option "metadata" must be an object'],
  ])('%p is refused, and nothing is registered', (metadata, message) => {
    const handlers = new HostHandlers();
    expect(() => handlers.add('a', { x: nothing, y: nothing }, { metadata } as never)).toThrow(
      message,
    );
    expect(handlers.names()).toEqual([]);
  });

  test('other options are refused', () => {
    const handlers = new HostHandlers();
    expect(() => handlers.add('x', nothing, { exposed: 1 } as never)).toThrow('"exposed"');
    expect(() => handlers.add('x', nothing, { expose: true } as never)).toThrow(
      'did you mean "exposed"?',
    );
  });
});

describe('what is not exposed', () => {
  test('is registered, and not found by Python until it is exposed', () => {
    const handlers = new HostHandlers();
    const registration = handlers.add('market', { a: nothing, b: nothing }, { exposed: false });
    expect(registration.exposed).toBe(false);
    expect(handlers.get('market.a')).toBeUndefined();
    expect(() => handlers.add('market.a', nothing)).toThrow('already');
    registration.exposed = true;
    expect([registration.exposed, handlers.get('market.a')?.run]).toEqual([true, nothing]);
    registration.exposed = false;
    expect(handlers.tools().map(({ exposed }) => exposed)).toEqual([false, false]);
    registration.dispose();
    expect(handlers.names()).toEqual([]);
  });
});

test.each(['synapse.tools', 'synapse.mine'])('the name %p is kept', (name) => {
  const handlers = new HostHandlers();
  expect(() => handlers.add(name, nothing)).toThrow('must not begin with "synapse."');
  expect(() => handlers.add('synapse', { mine: nothing })).toThrow(TypeError);
  handlers.add('synapses.mine', nothing);
});

describe('of a session', () => {
  test('end with it, and another session of the same id has none', () => {
    const numbers = new Map([['a', 1]]);
    const sessions = new SessionHandlers((id) => numbers.get(id));
    expect(sessions.of('a')).toBeUndefined();
    sessions.open('a').add('mine', nothing);
    expect(sessions.open('a').names()).toEqual(['mine']);
    numbers.delete('a');
    expect([sessions.of('a'), sessions.size]).toEqual([undefined, 0]);
    numbers.set('a', 2);
    sessions.open('a').add('mine', nothing);
    numbers.set('a', 3);
    expect(sessions.open('a').names()).toEqual([]);
    sessions.end('a');
    expect(sessions.size).toBe(0);
  });

  test('are let go of though nobody asks for them any more', () => {
    const live = new Map<string, number>();
    const sessions = new SessionHandlers((id) => live.get(id));
    for (let number = 1; number <= 10_000; number++) {
      const id = `session ${number}`;
      live.set(id, number);
      sessions.open(id).add('mine', nothing);
      if (number > 10) live.delete(`session ${number - 10}`);
      expect(sessions.size).toBeLessThanOrEqual(64);
    }
    sessions.sweep();
    expect(sessions.size).toBe(10);
  });
});
