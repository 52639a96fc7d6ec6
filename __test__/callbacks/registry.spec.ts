import { describe, expect, test } from '@jest/globals';
import { HostHandlers } from '../../ts/callbacks/index.js';

const nothing = (): void => {};

describe('handlers', () => {
  test('are registered, found and taken back', () => {
    const handlers = new HostHandlers();
    const registration = handlers.add('getUser', nothing);
    expect(handlers.get('getUser')?.run).toBe(nothing);
    expect(handlers.names()).toEqual(['getUser']);
    registration.dispose();
    expect(handlers.get('getUser')).toBeUndefined();
    registration[Symbol.dispose]();
    expect(handlers.remove('getUser')).toBe(false);
  });

  test('a registration that was replaced takes nothing back', () => {
    const handlers = new HostHandlers();
    const first = handlers.add('x', nothing);
    expect(handlers.remove('x')).toBe(true);
    const second = (): number => 2;
    handlers.add('x', second);
    first.dispose();
    expect(handlers.get('x')?.run).toBe(second);
  });

  test('of a module are registered together, with the module as `this`', () => {
    const handlers = new HostHandlers();
    const market = { Fetch: nothing, List: nothing };
    const registration = handlers.add('market', market);
    expect(handlers.names()).toEqual(['market.Fetch', 'market.List']);
    expect(handlers.get('market.List')?.receiver).toBe(market);
    expect(handlers.remove('market')).toBe(true);
    expect(handlers.names()).toEqual([]);
    handlers.add('marketing', nothing);
    registration.dispose();
    expect(handlers.remove('market')).toBe(false);
    expect(handlers.names()).toEqual(['marketing']);
  });

  test('that are registered already are refused, and of a module none remains', () => {
    const handlers = new HostHandlers();
    handlers.add('market.List', nothing);
    expect(() => handlers.add('market.List', nothing)).toThrow('"market.List" already');
    expect(() => handlers.add('market', { Fetch: nothing, List: nothing })).toThrow(TypeError);
    expect(handlers.names()).toEqual(['market.List']);
  });
});

describe('what is refused', () => {
  test.each(['', '.x', '_x', '-x', 'a b', 'ä', 'x\n', 'x'.repeat(65), 7, null, undefined])(
    'the name %p',
    (name) => {
      const handlers = new HostHandlers();
      expect(() => handlers.add(name as string, nothing)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      );
    },
  );

  test('a name that is too long with its module', () => {
    const handlers = new HostHandlers();
    handlers.add('x'.repeat(64), nothing);
    expect(() => handlers.add('x'.repeat(60), { abcd: nothing })).toThrow(TypeError);
  });

  test.each([[undefined], [null], ['text'], [7], [{}], [[]], [{ fetch: 1 }]])(
    '%p as a handler',
    (handler) => {
      expect(() => new HostHandlers().add('x', handler as never)).toThrow(TypeError);
    },
  );
});
