/** Every way to get an option wrong: the message names the option and echoes the value. */

import { describe, expect, test } from '@jest/globals';
import {
  checkSpawnOptions,
  InvalidOptionError,
  normalizeSpawnOptions,
  OptionRangeError,
  type SpawnOptions,
} from '../../ts/options/index.js';
import { Synapse } from '../../ts/synapse.js';

function refused(options: unknown): Error & { code?: string } {
  try {
    checkSpawnOptions(options as SpawnOptions);
  } catch (error) {
    return error as Error;
  }
  throw new Error('the options were accepted');
}

/** The options, the name that the message gives, and how it shows the value. */
const types: [unknown, string, string][] = [
  [{ workers: 'two' }, 'workers', "'two'"],
  [{ workers: null }, 'workers', 'null'],
  [{ workers: { min: 1 } }, 'workers.max', 'undefined'],
  [{ workers: { max: 2, startupBatch: 5 } }, 'workers.startupBatch', '5'],
  [{ workers: { max: 2, startupBatch: {} } }, 'workers.startupBatch.size', 'undefined'],
  [{ concurrency: '4' }, 'concurrency', "'4'"],
  [{ mode: 'parallel' }, 'mode', "'parallel'"],
  [{ protocol: 5n }, 'protocol', '5n'],
  [{ values: 'lenient' }, 'values', "'lenient'"],
  [{ validate: 'no' }, 'validate', "'no'"],
  [{ runtime: 'deno' }, 'runtime', "'deno'"],
  [{ runtime: { command: [] } }, 'runtime.command', '[]'],
  [{ runtime: { command: ['x', 1] } }, 'runtime.command[1]', '1'],
  [{ strategy: 'x' }, 'strategy', "'x'"],
  [{ weights: 3 }, 'weights', '3'],
  [{ weights: [1, '2'] }, 'weights[1]', "'2'"],
  [{ queue: 5 }, 'queue', '5'],
  [{ queue: { max: 'all' } }, 'queue.max', "'all'"],
  [{ queue: { timeout: '1s' } }, 'queue.timeout', "'1s'"],
  [{ restart: 5 }, 'restart', '5'],
  [{ restart: { enabled: 1 } }, 'restart.enabled', '1'],
  [{ restart: { enabled: false, max: 'x' } }, 'restart.max', "'x'"],
  [{ restart: { backoff: [100] } }, 'restart.backoff', '[ 100 ]'],
  [{ restart: { taint: '1s' } }, 'restart.taint', "'1s'"],
  [{ restart: { taint: { on: 'oom' } } }, 'restart.taint.on', "'oom'"],
  [{ restart: { taint: { on: ['gpu'] } } }, 'restart.taint.on[0]', "'gpu'"],
  [{ profile: 'fast' }, 'profile', "'fast'"],
  [{ beforeReady: true }, 'beforeReady', 'true'],
  [{ redact: 'secret' }, 'redact', "'string'"],
  [{ redact: ['secret', 7] }, 'redact[1]', "'number'"],
  [{ limits: { frameTimeout: '1' } }, 'limits.frameTimeout', "'1'"],
  [{ limits: { streamTimeout: '1' } }, 'limits.streamTimeout', "'1'"],
  [{ recycle: true }, 'recycle', 'true'],
  [{ recycle: { calls: '5' } }, 'recycle.calls', "'5'"],
  [{ recycle: { rss: 1e9 }, heartbeat: false }, 'recycle.rss', '1000000000'],
  [{ heartbeat: true }, 'heartbeat', 'true'],
  [{ heartbeat: { action: 'kill' } }, 'heartbeat.action', "'kill'"],
  [{ limits: null }, 'limits', 'null'],
  [{ limits: { frame: '1 MiB' } }, 'limits.frame', "'1 MiB'"],
  [{ retry: true }, 'retry', 'true'],
  [{ retry: { codes: ['TIMEOUT', 'NOPE'] } }, 'retry.codes[1]', "'NOPE'"],
  [{ breaker: 3 }, 'breaker', '3'],
  [{ adaptiveTimeout: 'yes' }, 'adaptiveTimeout', "'yes'"],
  [{ cache: 5 }, 'cache', '5'],
  [{ python: '' }, 'python', "''"],
  [{ python: 3.12 }, 'python', '3.12'],
  [{ python: {} }, 'python.managed', 'undefined'],
  [{ python: { managed: 3.12 } }, 'python.managed', '3.12'],
  [{ python: { managed: 'latest' } }, 'python.managed', "'latest'"],
  [{ python: { managed: '3t' } }, 'python.managed', "'3t'"],
  [{ pythonPath: '/lib' }, 'pythonPath', "'/lib'"],
  [{ pythonPath: ['/lib', 1] }, 'pythonPath[1]', '1'],
  [{ installer: 'conda' }, 'installer', "'conda'"],
  [{ requirements: ['numpy'] }, 'requirements', "[ 'numpy' ]"],
  [{ offline: 'no' }, 'offline', "'no'"],
  [{ onProgress: {} }, 'onProgress', '{}'],
  [{ env: ['A=1'] }, 'env', "[ 'A=1' ]"],
  [{ env: { A: 1 } }, 'env.A', '1'],
  [{ env: { 'A=B': '' } }, 'env', "'A=B'"],
  [{ env: { A: 'a\0b' } }, 'env.A', "'a\\x00b'"],
  [{ inheritEnv: 'PATH' }, 'inheritEnv', "'PATH'"],
  [{ inheritEnv: [1] }, 'inheritEnv[0]', '1'],
  [{ cwd: 5 }, 'cwd', '5'],
  [{ stdout: true }, 'stdout', 'true'],
  [{ stderr: 'pipe' }, 'stderr', "'pipe'"],
  [{ startTimeout: '1s' }, 'startTimeout', "'1s'"],
  [{ graceMs: null }, 'graceMs', 'null'],
];

const ranges: [unknown, string, string][] = [
  [{ workers: -1 }, 'workers', '-1'],
  [{ workers: 0 }, 'workers', '0'],
  [{ workers: 1.5 }, 'workers', '1.5'],
  [{ workers: Number.NaN }, 'workers', 'NaN'],
  [{ workers: 1025 }, 'workers', '1025'],
  [{ workers: { min: 4, max: 2 } }, 'workers.min', '4'],
  [{ workers: { min: 2, max: 4, minReady: 3 } }, 'workers.minReady', '3'],
  [{ weights: [0] }, 'weights[0]', '0'],
  [{ restart: { callDeaths: -1 } }, 'restart.callDeaths', '-1'],
  [{ concurrency: 0 }, 'concurrency', '0'],
  [{ queue: { max: -1 } }, 'queue.max', '-1'],
  [{ queue: { max: 2.5 } }, 'queue.max', '2.5'],
  [{ queue: { timeout: -5 } }, 'queue.timeout', '-5'],
  [{ restart: { max: -1 } }, 'restart.max', '-1'],
  [{ restart: { windowMs: 0 } }, 'restart.windowMs', '0'],
  [{ restart: { backoff: { factor: 0.5 } } }, 'restart.backoff.factor', '0.5'],
  [{ recycle: { jitter: 2 } }, 'recycle.jitter', '2'],
  [{ heartbeat: { interval: 0 } }, 'heartbeat.interval', '0'],
  [{ heartbeat: { misses: 0 } }, 'heartbeat.misses', '0'],
  [{ limits: { frame: 5 } }, 'limits.frame', '5'],
  [{ limits: { frame: 2 ** 32 } }, 'limits.frame', '4294967296'],
  [{ limits: { depth: 4096 } }, 'limits.depth', '4096'],
  [{ limits: { memory: 0 } }, 'limits.memory', '0'],
  [{ limits: { frameTimeout: -1 } }, 'limits.frameTimeout', '-1'],
  [{ limits: { callTimeout: Number.NaN } }, 'limits.callTimeout', 'NaN'],
  [{ retry: -1 }, 'retry', '-1'],
  [{ breaker: { failures: 0 } }, 'breaker.failures', '0'],
  [{ adaptiveTimeout: { min: 10, max: 5 } }, 'adaptiveTimeout.max', '5'],
  [{ cache: { max: 0 } }, 'cache.max', '0'],
  [{ startTimeout: -1 }, 'startTimeout', '-1'],
  [{ graceMs: Number.POSITIVE_INFINITY }, 'graceMs', 'Infinity'],
];

function begins(option: string): RegExp {
  const name = option.replace(/[[\].]/g, '\\$&');
  return new RegExp(`^option "${name}" must be [^A-Z].*, got `);
}

describe('a value of the wrong type', () => {
  test.each(types)('%j', (options, option, shown) => {
    const error = refused(options);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).not.toBeInstanceOf(RangeError);
    expect(error.message).toMatch(begins(option));
    expect(error.message.endsWith(`, got ${shown}`)).toBe(true);
  });
});

describe('a number out of range', () => {
  test.each(ranges)('%j', (options, option, shown) => {
    const error = refused(options);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toBeInstanceOf(OptionRangeError);
    expect(error.code).toBe('ERR_OUT_OF_RANGE');
    expect(error.message).toMatch(begins(option));
    expect(error.message.endsWith(`, got ${shown}`)).toBe(true);
  });
});

describe('the refusal', () => {
  test('has the code that Node uses', () => {
    const error = refused({ workers: 'two' });
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('of a large value is short', () => {
    expect(refused({ python: ['x'.repeat(10_000)] }).message.length).toBeLessThan(300);
    expect(refused({ mode: 'x'.repeat(10_000) }).message.length).toBeLessThan(300);
  });

  test('lists the choices', () => {
    expect(refused({ mode: 'parallel' }).message).toBe(
      'option "mode" must be one of "auto", "serial", "async", "threads", got \'parallel\'',
    );
  });

  test('comes for the defaults of the constructor too, and for what is no object at all', () => {
    const target = { directory: '.', entrypoint: 'main', sdkPath: '/sdk' };
    const defaults = { workers: -1 };
    expect(() => new Synapse(defaults)).toThrow('option "workers" must be');
    expect(() => normalizeSpawnOptions(defaults, {}, target)).toThrow('option "workers" must be');
    expect(refused('fast').message).toBe("options must be an object, got 'fast'");
    expect(refused([]).message).toBe('options must be an object, got []');
    expect(refused(new Map()).message).toContain('options must be an object');
    expect(() => normalizeSpawnOptions({}, null as never, target)).toThrow(
      'options must be an object',
    );
  });
});

describe('an unknown name', () => {
  const cases: [unknown, string][] = [
    [{ worker: 2 }, 'unknown option "worker"; did you mean "workers"?'],
    [{ concurency: 2 }, 'unknown option "concurency"; did you mean "concurrency"?'],
    [{ WORKERS: 2 }, 'unknown option "WORKERS"; did you mean "workers"?'],
    [{ inheritENV: true }, 'unknown option "inheritENV"; did you mean "inheritEnv"?'],
    [{ queue: { maximum: 2 } }, 'unknown option "queue.maximum"; known are max, timeout'],
    [{ timeout: 500 }, 'unknown option "timeout"; did you mean "limits.callTimeout"?'],
    [{ abortSignal: 5 }, 'unknown option "abortSignal"'],
    [{ queue: { timeuot: 2 } }, 'unknown option "queue.timeuot"; did you mean "queue.timeout"?'],
    [
      { restart: { backoff: { initialMS: 2 } } },
      'unknown option "restart.backoff.initialMS"; did you mean "restart.backoff.initialMs"?',
    ],
    [{ maxQueue: 5 }, 'unknown option "maxQueue"; did you mean "queue.max"?'],
    [{ venv: '/x' }, 'unknown option "venv"; did you mean "python"?'],
    [{ colour: 'red' }, 'unknown option "colour"'],
    [{ toString: 'x' }, 'unknown option "toString"'],
    [{ fast: undefined }, 'unknown option "fast"'],
    [JSON.parse('{"__proto__": 1}'), 'unknown option "__proto__"'],
  ];

  test.each(cases)('%j', (options, message) => {
    const error = refused(options);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe(message);
  });
});
