/** Workers that a command runs: which command, what they find, and what is told when they do not start. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  kwargs,
  type LogEvent,
  PythonError,
  SpawnError,
  type Synapse,
  TimeoutError,
  WorkerExitedError,
} from '../../ts/index.js';
import { checkSpawnOptions } from '../../ts/options/index.js';
import { createFolder, createSynapse, isAlive, until } from '../support/modules.js';
import { describeRuby, RUBY } from './support.js';

/** A worker that only says hello, with what it was told and where it is as its handler's name. */
const SAYS_HELLO = `
  const { writeSync } = require('node:fs');
  const { Socket } = require('node:net');
  const told = JSON.parse(process.env.SYNAPSE_WORKER);
  const about = { told, argv: process.argv.slice(2), cwd: process.cwd(), python: process.env.PYTHONPATH };
  const text = Buffer.from(JSON.stringify(about));
  const key = (name) => Buffer.from([0xa0 | name.length, ...Buffer.from(name)]);
  const head = Buffer.from([0xda, text.length >> 8, text.length & 255]);
  const hello = Buffer.concat([
    Buffer.from([0x84]), key('protocol'), Buffer.from([1]), key('mode'), key('synapse'),
    key('pid'), Buffer.from([0xce, 0, 0, 0, 1]), key('handlers'), Buffer.from([0x91, 0x81]),
    key('name'), head, text,
  ]);
  const frame = Buffer.alloc(12);
  frame.writeUInt32LE(hello.length + 8, 0);
  frame[4] = 1;
  writeSync(told.control, Buffer.concat([frame, hello]));
  new Socket({ fd: told.data_in }).on('end', () => process.exit(0)).resume();
`;

interface About {
  readonly told: Record<string, unknown>;
  readonly argv: string[];
  readonly cwd: string;
  readonly python?: string;
}

async function about(synapse: Synapse, folder: string, entry: string): Promise<About> {
  await synapse.spawn(folder, entry);
  return JSON.parse(synapse.handlers()[0] ?? '') as About;
}

describe('a command', () => {
  const node = process.execPath;

  test('is told in a variable what it is to do, and runs in its directory', async () => {
    const folder = createFolder({ 'worker.cjs': SAYS_HELLO });
    // No shell looks at it.
    const odd = '$(touch ran); "quoted" `touch ran` *';
    const command = [node, 'worker.cjs', '--flag', odd];
    const synapse = createSynapse({
      runtime: { command },
      concurrency: 3,
      heartbeat: { interval: 700 },
      limits: { frame: 65_536, depth: 100 },
      env: { PYTHONPATH: '/mine' },
    });
    const { told, argv, cwd, python } = await about(synapse, folder, 'worker.cjs');
    expect(told).toMatchObject({
      data_in: 3,
      data_out: 4,
      control: 5,
      directory: folder,
      entry: join(folder, 'worker.cjs'),
      concurrency: 3,
      heartbeat_ms: 700,
      limits: { frame: 65_536, depth: 100 },
      parent: process.pid,
    });
    expect({ argv, cwd, python }).toEqual({ argv: ['--flag', odd], cwd: folder, python: '/mine' });
    expect(existsSync(join(folder, 'ran'))).toBe(false);
  });

  test.each([
    ['worker.cjs', [node], 'the entry is appended', 0],
    ['worker', [node, 'worker.cjs'], 'the command names it with its extension', 0],
    ['worker.cjs', [node, './worker.cjs', 'x'], 'the command names it otherwise', 1],
  ])('%s by %j: %s', async (entry, command, _, words) => {
    const folder = createFolder({ 'worker.cjs': SAYS_HELLO });
    const found = await about(createSynapse({ runtime: { command } }), folder, entry);
    expect(found.told['entry']).toBe(join(folder, 'worker.cjs'));
    expect(found.argv).toHaveLength(words);
  });

  test('needs neither a requirements file nor an environment', async () => {
    const folder = createFolder({ 'worker.cjs': SAYS_HELLO });
    const { rmSync, readdirSync } = await import('node:fs');
    rmSync(join(folder, 'requirements.txt'));
    await createSynapse({ runtime: { command: [node] } }).spawn(folder, 'worker.cjs');
    expect(readdirSync(folder)).toEqual(['worker.cjs']);
  });

  test('that speaks another version of the protocol is told so, and is not used', async () => {
    const folder = createFolder({
      'worker.cjs': SAYS_HELLO.replace('Buffer.from([1]), key', 'Buffer.from([9]), key'),
    });
    const synapse = createSynapse({ runtime: { command: [node] } });
    await expect(synapse.spawn(folder, 'worker.cjs')).rejects.toMatchObject({
      code: 'PROTOCOL_MISMATCH',
      message: expect.stringMatching(/speaks protocol 9 and this package speaks 1/),
    });
    expect(synapse.workers()).toEqual([]);
  });

  test.each([
    [['no-such-program'], /there is no program "no-such-program" on the PATH/],
    [['./no-such-file'], /"\.\/no-such-file" in .*No such file/],
    [['sh', '-c', 'echo no luck >&2; exit 3'], /exited with code 3 before it was ready/],
    [['sh', '-c', 'kill -9 $$'], /SIGKILL .*before it was ready/],
  ])('%j that does not become a worker is told by name', async (command, message) => {
    const folder = createFolder({ 'worker.cjs': '' });
    const synapse = createSynapse({ runtime: { command } });
    const error = await synapse.spawn(folder, 'worker.cjs').catch((thrown: unknown) => thrown);
    expect(SpawnError.is(error)).toBe(true);
    expect(error).toMatchObject({ code: 'START_FAILED', message: expect.stringMatching(message) });
    if (command.join().includes('luck')) {
      expect(error).toMatchObject({ stderrTail: expect.stringContaining('no luck') });
    }
  });

  test.each([
    ['missing', 'worker', 'DIRECTORY_NOT_FOUND'],
    ['.', 'missing.rb', 'ENTRYPOINT_NOT_FOUND'],
  ])('%s, %s is checked before anything starts', async (directory, entry, code) => {
    const folder = createFolder({});
    const synapse = createSynapse({ runtime: { command: ['sh'] } });
    await expect(synapse.spawn(join(folder, directory), entry)).rejects.toMatchObject({ code });
  });

  test('what it prints is logged, and what it starts ends with it', async () => {
    const folder = createFolder({
      'worker.sh': `sleep 1000 & echo "$!"; echo oops >&2; exec ${node} ${join('.', 'worker.cjs')}`,
      'worker.cjs': SAYS_HELLO,
    });
    const synapse = createSynapse({ runtime: { command: ['sh', 'worker.sh'] } });
    const logs: LogEvent[] = [];
    synapse.on('log', (event) => logs.push(event));
    await synapse.spawn(folder, 'worker.sh');
    await until(() => logs.length >= 2);
    const text = (stream: string): string =>
      logs.flatMap((log) => (log.stream === stream ? [log.text] : [])).join('');
    expect(text('stderr')).toBe('oops\n');
    const pid = Number(text('stdout'));
    expect(isAlive(pid)).toBe(true);
    await synapse.dispose();
    await until(() => !isAlive(pid));
  });
});

describe('options that a worker in Node cannot follow are refused', () => {
  test.each([
    [{ mode: 'threads' } as const, 'option "mode" cannot be "threads" with runtime "node"'],
    [{ protocol: 'stdio' } as const, 'option "protocol" cannot be "stdio" with runtime "node"'],
  ])('%j', (options, message) => {
    expect(() => checkSpawnOptions({ runtime: 'node', ...options })).toThrow(message);
  });
});

describeRuby('the example in Ruby', () => {
  async function spawnRuby(concurrency = 1): Promise<Synapse> {
    const synapse = createSynapse({ runtime: { command: ['ruby', 'worker.rb'] }, concurrency });
    await synapse.spawn(RUBY, 'worker');
    return synapse;
  }

  test('has fewer than 120 lines', () => {
    expect(readFileSync(join(RUBY, 'worker.rb'), 'utf8').trimEnd().split('\n').length).toBeLessThan(
      120,
    );
  });

  test('answers, streams, raises, asks the host and yields to a deadline', async () => {
    const synapse = await spawnRuby();
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
    expect(await synapse.invoke('add', [1, kwargs({ b: 2, c: 3 })])).toBe(6);
    const items: unknown[] = [];
    for await (const item of synapse.stream('count', [300])) items.push(item);
    expect(items).toHaveLength(300);
    expect(items.at(-1)).toBe(299);
    const error = await synapse.invoke('fail', ['no']).catch((thrown: unknown) => thrown);
    expect(PythonError.is(error)).toBe(true);
    expect(error).toMatchObject({ message: 'no', pythonType: 'ArgumentError' });
    synapse.handle('getUser', (id: number) => ({ id }));
    expect(await synapse.invoke('ask', ['getUser', 7])).toEqual({ id: 7 });
    await expect(synapse.invoke('sleep', [60_000], { timeout: 50 })).rejects.toThrow(TimeoutError);
    expect(await synapse.invoke('add', [2, 2])).toBe(4);
    expect(synapse.stats().restarts).toBe(0);
  });

  test('a stream that is left is ended', async () => {
    const synapse = await spawnRuby();
    for await (const item of synapse.stream('count', [10_000_000])) if (item === 3) break;
    expect(await synapse.invoke('add', [1, 1])).toBe(2);
  });

  test('is replaced when it is killed', async () => {
    const synapse = await spawnRuby();
    const waiting = synapse.invoke('sleep', [60_000]).catch((thrown: unknown) => thrown);
    process.kill(synapse.workers()[0]?.pid ?? 0, 'SIGKILL');
    expect(WorkerExitedError.is(await waiting)).toBe(true);
    await new Promise((resolve) => synapse.once('worker:ready', resolve));
    expect(await synapse.invoke('add', [1, 2])).toBe(3);
  });
});
