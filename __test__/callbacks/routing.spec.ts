import { describe, expect, test } from '@jest/globals';
import { RoutingFailure, route } from '../../ts/callbacks/routing.js';

const names = ['getUser', 'market.Fetch', 'market.List', 'news.Fetch', 'text.upper', 'a.b.c'];

describe('a name means', () => {
  test.each([
    ['itself', 'getUser', 'getUser'],
    ['itself, with its module', 'news.Fetch', 'news.Fetch'],
    ['the only one that ends so', 'List', 'market.List'],
    ['the only one that ends so, by several parts', 'b.c', 'a.b.c'],
    ['the only one of its module', 'text', 'text.upper'],
    ['the only one of its module, by several parts', 'a.b', 'a.b.c'],
  ])('%s: %s', (_, wanted, expected) => {
    expect(route(names, wanted)).toBe(expected);
  });

  test('itself, though another one ends so', () => {
    expect(route(['x.echo', 'echo', 'y.echo'], 'echo')).toBe('echo');
  });
});

describe('a name is refused', () => {
  const refusal = (known: readonly string[], wanted: string): RoutingFailure => {
    try {
      route(known, wanted);
    } catch (error) {
      if (error instanceof RoutingFailure) return error;
    }
    throw new Error('it was not refused');
  };

  test('if several end so', () => {
    const { message, candidates } = refusal(names, 'Fetch');
    expect(message).toBe('"Fetch" could be each of these handlers: market.Fetch, news.Fetch');
    expect(candidates).toEqual(['market.Fetch', 'news.Fetch']);
  });

  test('if its module has several', () => {
    expect(refusal(names, 'market').candidates).toEqual(['market.Fetch', 'market.List']);
  });

  test('if it is a part of a part, or of none', () => {
    for (const wanted of ['etch', 'User', 'mark', 'market.', '.Fetch', 'text.lower', '']) {
      expect(refusal(names, wanted).candidates).toEqual(names);
    }
    expect(refusal([], 'x').message).toBe('the host has no handler "x"; available: none');
  });
});
