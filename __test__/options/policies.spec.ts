/** The options of the policies: defaults, shorthands, presets, and what crosses to the engine. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  type CallOptions,
  normalizeCallOptions,
  normalizeSpawnOptions,
  type SpawnOptions,
} from '../../ts/options/index.js';
import type { Policies } from '../../ts/options/policies.js';

function policies(options: SpawnOptions, defaults?: SpawnOptions): Policies | null {
  const target = { directory: '.', entrypoint: 'main', sdkPath: '/sdk' };
  return normalizeSpawnOptions(defaults, options, target).native.policies;
}

const EXPONENTIAL = { initialMs: 100, factor: 2, maxMs: 30_000 };
const BUDGET = { ratio: 0.1, perSecond: 10 };
const RETRY = { retries: 3, backoff: EXPONENTIAL, jitter: 0.2, codes: null, budget: BUDGET };
const BREAKER = { failures: 5, decay: 1, resetMs: 30_000, probes: 1, successes: 1, codes: null };
const ADAPTIVE = { base: 30_000, min: 5000, max: 120_000, factor: 1.5, samples: 100 };
const CACHE = { ttlMs: 300_000, staleMs: 0, max: 1000, bytes: 64 * 1024 * 1024 };

const cases: readonly [SpawnOptions, Partial<Policies>][] = [
  [{ retry: 2 }, { retry: { ...RETRY, retries: 2 } }],
  [{ retry: {} }, { retry: RETRY }],
  [{ retry: { backoff: 50 } }, { retry: { ...RETRY, backoff: [50] } }],
  [{ retry: { backoff: [1, 2.5] } }, { retry: { ...RETRY, backoff: [1, 3] } }],
  [{ retry: { budget: false } }, { retry: { ...RETRY, budget: null } }],
  [
    { retry: { budget: { perSecond: 0 } } },
    { retry: { ...RETRY, budget: { ...BUDGET, perSecond: 0 } } },
  ],
  [{ breaker: true }, { breaker: BREAKER }],
  [{ breaker: 'decaying' }, { breaker: { ...BREAKER, failures: 3, probes: 3, successes: 2 } }],
  [{ breaker: 'counting' }, { breaker: { ...BREAKER, decay: 0 } }],
  [{ breaker: { decay: Infinity } }, { breaker: { ...BREAKER, decay: 0xffff_ffff } }],
  [{ adaptiveTimeout: true }, { adaptiveTimeout: ADAPTIVE }],
  [
    { adaptiveTimeout: { min: 10, max: 100 } },
    { adaptiveTimeout: { ...ADAPTIVE, base: 100, min: 10, max: 100 } },
  ],
  [{ cache: true }, { cache: CACHE }],
  [{ cache: { ttl: 0 } }, { cache: { ...CACHE, ttlMs: 0 } }],
  [{ bulkhead: 4 }, { bulkhead: { limit: 4, queue: 100, timeoutMs: null } }],
  [
    { bulkhead: { limit: 1, queue: 0, timeout: 5 } },
    { bulkhead: { limit: 1, queue: 0, timeoutMs: 5 } },
  ],
  [{ rateLimit: 50 }, { rateLimit: { calls: 50, intervalMs: 1000, burst: 50 } }],
  [
    { rateLimit: { calls: 3, intervalMs: 60_000, burst: 1 } },
    { rateLimit: { calls: 3, intervalMs: 60_000, burst: 1 } },
  ],
  [{ hedge: true }, { hedge: { afterMs: null, copies: 1 } }],
  [{ hedge: 50 }, { hedge: { afterMs: 50, copies: 1 } }],
  [{ hedge: { after: 'p95', copies: 2 } }, { hedge: { afterMs: null, copies: 2 } }],
];

const NONE: Policies = {
  retry: null,
  breaker: null,
  adaptiveTimeout: null,
  cache: null,
  bulkhead: null,
  rateLimit: null,
  hedge: null,
};

describe('the policies of spawn', () => {
  test.each(cases)('%j', (options, expected) => {
    expect(policies(options)).toEqual({ ...NONE, ...expected });
  });

  test('what asks for nothing is none', () => {
    const nothing = {
      retry: 0,
      breaker: false,
      adaptiveTimeout: false,
      cache: false,
      bulkhead: false,
      rateLimit: false,
      hedge: false,
    } as const;
    expect(policies(nothing)).toBeNull();
  });

  test('have the fields of src/driver/policies.rs, in its order', () => {
    const source = readFileSync(join(__dirname, '../../src/driver/policies.rs'), 'utf8');
    const body = /^pub struct Policies \{$(.*?)^\}$/ms.exec(source)?.[1] ?? '';
    const fields = [...body.matchAll(/^ {4}pub (\w+):/gm)].map(([, name = '']) =>
      name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    );
    expect(fields).toEqual(Object.keys(NONE));
  });

  test('a fallback of spawn is not mixed with that of the constructor', () => {
    expect(() => policies({ fallback: { a: 1 } }, { fallback: { b: 2 } })).not.toThrow();
  });
});

describe('the policies of a call', () => {
  const cases: readonly [CallOptions, Record<string, unknown> | undefined][] = [
    [{}, undefined],
    [{ timeout: 5, idempotent: true }, undefined],
    [{ retry: 0 }, { retry: null }],
    [
      { retry: 1, cache: false },
      { retry: { ...RETRY, retries: 1 }, cache: null },
    ],
    [{ cache: { ttl: 5 } }, { cache: { ...CACHE, ttlMs: 5 } }],
    [{ hedge: 20 }, { hedge: { afterMs: 20, copies: 1 } }],
  ];

  test.each(cases)('%j', (options, expected) => {
    const text = normalizeCallOptions(options).policies;
    expect(text === undefined ? undefined : JSON.parse(text)).toEqual(expected);
  });
});

describe('refused', () => {
  const cases: readonly [SpawnOptions, string][] = [
    [{ retry: { backoff: [] } }, 'option "retry.backoff" must be'],
    [{ retry: { backoff: [1, -1] } }, 'option "retry.backoff[1]" must be'],
    [{ retry: { budget: { ratio: -1 } } }, 'option "retry.budget.ratio" must be'],
    [{ breaker: 'gentle' as 'counting' }, 'true, false, "decaying", "counting" or an object'],
    [{ breaker: { codes: ['NOPE' as 'TIMEOUT'] } }, 'option "breaker.codes[0]" must be'],
    [{ adaptiveTimeout: { base: 1 } }, 'option "adaptiveTimeout.base" must be'],
    [{ cache: { staleIfError: -1 } }, 'option "cache.staleIfError" must be'],
    [{ bulkhead: 0 }, 'option "bulkhead" must be'],
    [{ bulkhead: {} as { limit: number } }, 'option "bulkhead.limit" must be'],
    [{ rateLimit: 0 }, 'option "rateLimit" must be'],
    [{ rateLimit: { calls: 1, burst: 0 } }, 'option "rateLimit.burst" must be'],
    [{ hedge: { after: 'p99' as 'p95' } }, 'option "hedge.after" must be'],
    [{ hedge: { copies: 0 } }, 'option "hedge.copies" must be'],
  ];

  test.each(cases)('%j', (options, message) => {
    expect(() => policies(options)).toThrow(message);
  });
});
