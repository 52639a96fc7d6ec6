/** The options of `spawn`: defaults, merging, and what the engine gets. */

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  mergeSpawnOptions,
  type NativeConfig,
  normalizeSpawnOptions,
  type SpawnOptions,
} from '../../ts/options/index.js';

const target = { directory: './module', entrypoint: 'main', sdkPath: '/sdk' };

function normalized(options?: SpawnOptions, defaults?: SpawnOptions): NativeConfig {
  // Drawn anew for every spawn.
  return { ...normalizeSpawnOptions(defaults, options, target).native, seed: 0 };
}

/** What a spawn without options is. */
const DEFAULTS: NativeConfig = {
  directory: './module',
  entrypoint: 'main',
  workers: { min: 1, max: 1, idleTtl: null, minReady: null, startupBatch: null },
  concurrency: 1,
  strategy: 'least-busy',
  weights: [],
  seed: 0,
  mode: 'auto',
  protocol: 'auto',
  runtime: 'python',
  command: [],
  values: 'strict',
  validate: true,
  queueMax: 1000,
  queueMaxGiven: false,
  queueTimeoutMs: null,
  restart: {
    max: 5,
    windowMs: 60_000,
    backoff: { initialMs: 100, factor: 2, maxMs: 30_000 },
    callDeaths: 5,
    taint: null,
  },
  recycle: { calls: null, ttl: null, idleTtl: null, rss: null, jitter: 0 },
  policies: null,
  heartbeat: { intervalMs: 2000, misses: 3, action: 'event' },
  frameLimit: 256 * 1024 * 1024,
  depthLimit: 512,
  sharedMemory: 134_217_728,
  memoryLimit: null,
  cpuLimit: null,
  filesLimit: null,
  frameTimeoutMs: 30_000,
  callTimeoutMs: null,
  startTimeoutMs: 120_000,
  graceMs: 500,
  sessions: { max: 10_000, bytes: 1024 * 1024, ttlMs: 3_600_000, store: null },
  python: null,
  installer: 'auto',
  requirements: null,
  offline: false,
  hostEnv: process.env,
  env: {},
  inheritEnv: true,
  cwd: null,
  stdout: 'event',
  stderr: 'event',
  pythonPath: [],
  sdkPath: '/sdk',
  nodeParent: process.pid,
};

/** The fields of a struct of `src/driver/options.rs`, as JSON spells them. */
function rustFields(struct: string): string[] {
  const source = readFileSync(join(__dirname, '..', '..', 'src', 'driver', 'options.rs'), 'utf8');
  const body = new RegExp(`^pub struct ${struct} \\{$(.*?)^\\}$`, 'ms').exec(source)?.[1] ?? '';
  return [...body.matchAll(/^\s*pub (\w+):/gm)].map(([, name = '']) =>
    name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
  );
}

describe('without options', () => {
  test('the defaults apply', () => {
    expect(normalized()).toEqual(DEFAULTS);
    expect(normalized({}, {})).toEqual(DEFAULTS);
  });

  test('undefined counts as absent', () => {
    expect(
      normalized({ workers: undefined, queue: { max: undefined }, env: { A: undefined } }),
    ).toEqual(DEFAULTS);
  });
});

describe('what the engine gets', () => {
  test('has the fields of src/driver/options.rs, in its order', () => {
    expect(Object.keys(normalized())).toEqual(rustFields('SpawnOptions'));
    expect(Object.keys(DEFAULTS.restart ?? {})).toEqual(rustFields('Restart'));
    expect(Object.keys(DEFAULTS.restart?.backoff ?? {})).toEqual(rustFields('RestartBackoff'));
    expect(Object.keys(DEFAULTS.workers)).toEqual(rustFields('Workers'));
    expect(Object.keys(DEFAULTS.recycle)).toEqual(rustFields('Recycle'));
    expect(Object.keys(DEFAULTS.heartbeat ?? {})).toEqual(rustFields('Heartbeat'));
  });

  test('survives JSON as it is, whatever the options', () => {
    const config = normalized({
      queue: { max: Number.POSITIVE_INFINITY, timeout: 0 },
      startTimeout: Number.POSITIVE_INFINITY,
      restart: false,
      heartbeat: false,
    });
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });
});

/** What a number of workers is. */
function fixed(count: number): NativeConfig['workers'] {
  return { min: count, max: count, idleTtl: null, minReady: null, startupBatch: null };
}

/** The default of `restart` with this in it. */
function tainted(taint: NonNullable<NativeConfig['restart']>['taint']): Partial<NativeConfig> {
  return { restart: DEFAULTS.restart && { ...DEFAULTS.restart, taint } };
}

const accepted: [SpawnOptions, Partial<NativeConfig>][] = [
  [
    { limits: { memory: 2 ** 30, cpu: 1.5, files: 64 } },
    { memoryLimit: 2 ** 30, cpuLimit: 2, filesLimit: 64 },
  ],
  [{ workers: 4 }, { workers: fixed(4) }],
  [{ workers: { min: 3, max: 3 } }, { workers: fixed(3) }],
  [
    {
      workers: {
        min: 2,
        max: 8,
        idleTtl: 500,
        minReady: 1,
        startupBatch: { size: 2 },
      },
    },
    {
      workers: {
        min: 2,
        max: 8,
        idleTtl: 500,
        minReady: 1,
        startupBatch: { size: 2, delayMs: 500 },
      },
    },
  ],
  [
    { strategy: 'weighted', weights: [3, 0.5] },
    { strategy: 'weighted', weights: [3000, 500] },
  ],
  [
    { recycle: { calls: 100, ttl: 5000, idleTtl: 50, rss: 1e9, jitter: 0.1 } },
    { recycle: { calls: 100, ttl: 5000, idleTtl: 50, rss: 1e9, jitter: 0.1 } },
  ],
  [{ concurrency: 16 }, { concurrency: 16 }],
  [{ mode: 'threads' }, { mode: 'threads' }],
  [{ protocol: 'stdio' }, { protocol: 'stdio' }],
  [
    { runtime: { command: ['ruby', 'worker.rb'] } },
    { runtime: 'command', command: ['ruby', 'worker.rb'] },
  ],
  [
    { runtime: 'node' },
    {
      runtime: 'node',
      command: [process.execPath, join(__dirname, '..', '..', 'dist', 'worker', 'launch.js')],
    },
  ],
  [{ values: 'graceful' }, { values: 'graceful' }],
  [{ validate: false }, { validate: false }],
  [{ queue: { max: 5 } }, { queueMax: 5, queueMaxGiven: true }],
  [{ queue: { max: 0 } }, { queueMax: 0, queueMaxGiven: true }],
  [{ queue: { max: Number.POSITIVE_INFINITY } }, { queueMax: null, queueMaxGiven: true }],
  [{ queue: { timeout: 250 } }, { queueTimeoutMs: 250, queueMax: 1000, queueMaxGiven: false }],
  [{ restart: false }, { restart: null }],
  [{ restart: { enabled: false } }, { restart: null }],
  [{ restart: true }, { restart: DEFAULTS.restart }],
  [
    { restart: { max: 1, backoff: { initialMs: 5, factor: 3, maxMs: 50 } } },
    {
      restart: {
        max: 1,
        windowMs: 60_000,
        backoff: { initialMs: 5, factor: 3, maxMs: 50 },
        callDeaths: 5,
        taint: null,
      },
    },
  ],
  [{ restart: { taint: 500 } }, tainted({ ms: 500, on: ['segfault', 'oom', 'abort'] })],
  [{ restart: { taint: { on: ['exit'] } } }, tainted({ ms: 60_000, on: ['exit'] })],
  [{ workers: 'auto' }, { workers: fixed(Math.min(availableParallelism(), 1024)) }],
  [{ profile: 'strict' }, { callTimeoutMs: 60_000, queueTimeoutMs: 5000 }],
  [{ profile: 'production' }, { callTimeoutMs: 300_000, queueTimeoutMs: 10_000 }],
  [{ profile: 'development' }, { callTimeoutMs: 900_000, queueTimeoutMs: 60_000 }],
  [{ profile: 'batch' }, { callTimeoutMs: 3_600_000, queueTimeoutMs: 300_000 }],
  [
    { profile: 'strict', limits: { callTimeout: 50 }, queue: { max: 3, timeout: 0 } },
    { callTimeoutMs: 50, queueTimeoutMs: null, queueMax: 3, queueMaxGiven: true },
  ],
  [{ beforeReady: 'reject', limits: { streamTimeout: 9 } }, {}],
  [{ heartbeat: false }, { heartbeat: null }],
  [
    { heartbeat: { interval: 100 } },
    { heartbeat: { intervalMs: 100, misses: 3, action: 'event' } },
  ],
  [
    { heartbeat: { misses: 1, action: 'restart' } },
    { heartbeat: { intervalMs: 2000, misses: 1, action: 'restart' } },
  ],
  [
    { limits: { frame: 65_536, depth: 2048, callTimeout: 50 } },
    { frameLimit: 65_536, depthLimit: 2048, callTimeoutMs: 50 },
  ],
  [{ limits: { callTimeout: 0 } }, { callTimeoutMs: null }],
  [{ limits: { frameTimeout: 0 } }, { frameTimeoutMs: null }],
  [{ limits: { frameTimeout: 1500 } }, { frameTimeoutMs: 1500 }],
  [{ startTimeout: 0 }, { startTimeoutMs: null }],
  [{ startTimeout: 1000.2 }, { startTimeoutMs: 1001 }],
  [{ graceMs: 0 }, { graceMs: 0 }],
  [{ python: '3.12' }, { python: '3.12' }],
  [{ python: { managed: '3.12' } }, { python: 'managed:3.12' }],
  [{ python: { managed: '3.12.4' } }, { python: 'managed:3.12.4' }],
  [{ python: { managed: '3.13t' } }, { python: 'managed:3.13t' }],
  [
    { installer: 'uv', offline: true },
    { installer: 'uv', offline: true },
  ],
  [{ requirements: 'dev.txt' }, { requirements: 'dev.txt' }],
  [{ env: { A: '1', EMPTY: '' } }, { env: { A: '1', EMPTY: '' } }],
  [{ inheritEnv: false }, { inheritEnv: false }],
  [{ inheritEnv: ['PATH'] }, { inheritEnv: ['PATH'] }],
  [{ cwd: '/srv' }, { cwd: '/srv' }],
  [
    { stdout: 'ignore', stderr: 'inherit' },
    { stdout: 'ignore', stderr: 'inherit' },
  ],
  [{ pythonPath: ['/lib', 'src'] }, { pythonPath: ['/lib', resolve('src')] }],
  [{ runtime: 'python', strategy: 'least-busy', retry: 0, breaker: false, cache: false }, {}],
];

test.each(accepted)('%j is understood', (options, expected) => {
  expect(normalized(options)).toEqual({ ...DEFAULTS, ...expected });
  expect(normalized(undefined, options)).toEqual({ ...DEFAULTS, ...expected });
});

describe('what stays with the facade', () => {
  const streamTimeout = (defaults?: SpawnOptions, options?: SpawnOptions): number | null =>
    normalizeSpawnOptions(defaults, options, target).facade.streamTimeoutMs;

  test('streams have the limit of calls unless they have one of their own', () => {
    expect(streamTimeout({}, {})).toBeNull();
    expect(streamTimeout({ limits: { callTimeout: 50 } }, {})).toBe(50);
    expect(
      streamTimeout({ limits: { callTimeout: 50 } }, { limits: { streamTimeout: 0 } }),
    ).toBeNull();
    expect(streamTimeout({ limits: { streamTimeout: 70 } }, { limits: { callTimeout: 50 } })).toBe(
      70,
    );
  });

  test('a profile has one for streams, and what is given goes before it', () => {
    expect(streamTimeout({ profile: 'strict' }, undefined)).toBe(300_000);
    expect(streamTimeout({ profile: 'strict' }, { profile: 'batch' })).toBeNull();
    expect(streamTimeout({ limits: { streamTimeout: 1 } }, { profile: 'production' })).toBe(1);
  });

  test('calls wait for spawn unless told otherwise', () => {
    expect(normalizeSpawnOptions({}, {}, target).facade.beforeReady).toBe('wait');
    expect(normalizeSpawnOptions({ beforeReady: 'reject' }, {}, target).facade.beforeReady).toBe(
      'reject',
    );
  });
});

describe('defaults of the constructor and options of spawn', () => {
  test('spawn wins, and undefined overrides nothing', () => {
    expect(normalized({ workers: 2 }, { workers: 4, concurrency: 3 })).toMatchObject({
      workers: fixed(2),
      concurrency: 3,
    });
    expect(normalized({ workers: undefined }, { workers: 4 }).workers).toEqual(fixed(4));
  });

  test('objects are merged field by field', () => {
    expect(
      mergeSpawnOptions(
        { queue: { max: 5 }, env: { A: '1', B: '1' }, restart: { backoff: { initialMs: 1 } } },
        { queue: { timeout: 9 }, env: { B: '2' }, restart: { backoff: { factor: 3 } } },
      ),
    ).toEqual({
      queue: { max: 5, timeout: 9 },
      env: { A: '1', B: '2' },
      restart: { backoff: { initialMs: 1, factor: 3 } },
    });
  });

  test('what is no object replaces what is one', () => {
    expect(normalized({ restart: false }, { restart: { max: 2 } }).restart).toBeNull();
    expect(normalized({ workers: 2 }, { workers: { min: 4, max: 4 } }).workers).toEqual(fixed(2));
    expect(normalized({ inheritEnv: ['A'] }, { inheritEnv: ['B'] }).inheritEnv).toEqual(['A']);
  });

  test('neither is changed', () => {
    const defaults = Object.freeze({ env: Object.freeze({ A: '1' }) });
    const options = Object.freeze({ env: Object.freeze({ B: '2' }) });
    expect(normalized(options, defaults).env).toEqual({ A: '1', B: '2' });
    expect(defaults.env).toEqual({ A: '1' });
  });
});
