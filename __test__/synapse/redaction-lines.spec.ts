/** The option `redact` and output that comes in parts: a line is looked at as a whole. */

import { describe, expect, test } from '@jest/globals';
import type { EngineEvent } from '../../ts/engine.js';
import type { LogEvent, Synapse } from '../../ts/index.js';
import { WholeLines } from '../../ts/whole-lines.js';
import { spawnModule, until } from '../support/modules.js';

const HANDLERS = `
  import os, subprocess, sys, time
  from synapse import handler, host

  @handler
  def halves():
      for write in (
          lambda text: print(text, end="", flush=True),
          lambda text: print(text, end="", flush=True, file=sys.stderr),
          lambda text: os.write(1, text.encode()),
          lambda text: os.write(2, text.encode()),
      ):
          for part in ("the key is sk-", "ab", "cd.\\n"):
              write(part)
              time.sleep(0.02)

  @handler
  def child():
      subprocess.run([sys.executable, "-c", """if True:
          import sys, time
          for part in ("of a child: sk-", "ab", "cd."):
              sys.stdout.write(part)
              sys.stdout.flush()
              time.sleep(0.02)
      """], check=True)

  @handler
  def ask():
      print("your name: ", end="", flush=True)
      return host.call("answer").result()

  @handler
  def unfinished():
      print("sk-", end="", flush=True)
      time.sleep(0.02)
      print("abcd", end="", flush=True)
      return "done"

  @handler
  def die():
      sys.stderr.write("last words: sk-")
      sys.stderr.flush()
      time.sleep(0.02)
      os.write(1, b"sk-")
      sys.stderr.write("abcd")
      sys.stderr.flush()
      time.sleep(0.02)
      os.write(1, b"abcd")
      os._exit(3)
`;

const redact = [/sk-[a-z]{4}/];

function textsOf(synapse: Synapse): string[] {
  const texts: string[] = [];
  synapse.on('log', ({ text }: LogEvent) => texts.push(text));
  return texts;
}

describe('with the option', () => {
  test('a secret that is flushed in parts is hidden, whatever writes it', async () => {
    const synapse = await spawnModule(HANDLERS, { redact });
    const texts = textsOf(synapse);
    const observed: string[] = [];
    synapse.instanceLogs.subscribe((text) => observed.push(text));
    await synapse.invoke('halves');
    await until(() => texts.length >= 4);
    expect(texts).toEqual(Array(4).fill('the key is [redacted].\n'));
    expect(observed).toEqual(Array(2).fill('🐍 Python: the key is [redacted].\n'));
    await synapse.invoke('child');
    await until(() => texts.length >= 5);
    expect(texts[4]).toBe('of a child: [redacted].');
  });

  test('a prompt comes while its call runs, though its line has no end', async () => {
    const synapse = await spawnModule(HANDLERS, { redact });
    const texts = textsOf(synapse);
    synapse.handle('answer', async () => {
      await until(() => texts.length > 0);
      return 'Ada';
    });
    expect(await synapse.invoke('ask')).toBe('Ada');
    expect(texts).toEqual(['your name: ']);
  });

  test('what a call has written is told before its caller goes on', async () => {
    const synapse = await spawnModule(HANDLERS, { redact });
    const texts = textsOf(synapse);
    expect(await synapse.invoke('unfinished')).toBe('done');
    expect(texts).toEqual(['[redacted]']);
  });

  test('what a worker has written is told before its exit, and its tail is whole', async () => {
    const synapse = await spawnModule(HANDLERS, { redact });
    const heard: string[] = [];
    synapse.on('log', ({ stream, text }) => heard.push(`${stream}: ${text}`));
    synapse.on('worker:exit', ({ stderrTail }) => heard.push(`exit: ${stderrTail}`));
    await expect(synapse.invoke('die')).rejects.toMatchObject({
      stderrTail: 'last words: [redacted]',
    });
    await until(() => heard.some((line) => line.startsWith('exit')));
    expect(heard.pop()).toBe('exit: last words: [redacted]');
    expect(heard.sort()).toEqual(['stderr: last words: [redacted]', 'stdout: [redacted]']);
  });
});

test('without the option nothing waits', async () => {
  const synapse = await spawnModule(HANDLERS);
  const texts = textsOf(synapse);
  await synapse.invoke('unfinished');
  expect(texts).toEqual(['sk-', 'abcd']);
});

describe('lines', () => {
  function log(text: string, about: Partial<LogEvent> = {}): EngineEvent {
    return { type: 'log', worker: 1, stream: 'stdout', text, ...about };
  }

  function collect(): { lines: WholeLines; told: unknown[] } {
    const told: unknown[] = [];
    return { lines: new WholeLines(({ text }) => told.push(text)), told };
  }

  test('of workers, streams and calls are apart; records of logging are whole', () => {
    const { lines, told } = collect();
    lines.take(log('one '));
    lines.take(log('two ', { worker: 2 }));
    lines.take(log('three ', { stream: 'stderr' }));
    lines.take(log('four ', { callId: 7 }));
    lines.take(log('record', { stream: 'logging' }));
    lines.take(log('end of one\n'));
    expect(told).toEqual(['record', 'one end of one\n']);
    lines.answered(7);
    lines.settle();
    lines.exited(2);
    expect(told.slice(2)).toEqual(['four ', 'two ']);
    lines.finish();
    expect(told.slice(4)).toEqual(['three ']);
  });

  test('an answer tells only what its own call has written, and once', () => {
    const { lines, told } = collect();
    lines.take(log('other', { callId: 8 }));
    lines.answered(7);
    lines.take(log('late', { callId: 7 }));
    lines.settle();
    expect(told).toEqual(['late']);
    lines.take(log('later', { callId: 7 }));
    lines.settle();
    expect(told).toEqual(['late']);
    lines.finish();
  });

  test('too much text is told as far as its lines go, or all of it if it has none', () => {
    const { lines, told } = collect();
    const large = 'x'.repeat(1024 * 1024);
    lines.take(log('first\nsecond'));
    lines.take(log(`${large}\nthird`));
    expect(told).toEqual([`first\nsecond${large}\n`]);
    lines.take(log(large));
    expect(told[1]).toBe(`third${large}`);
    lines.finish();
    expect(told).toHaveLength(2);
  });

  test('text that never ends is not held for ever', async () => {
    const { lines, told } = collect();
    const dots = setInterval(() => lines.take(log('.')), 10);
    await until(() => told.length > 0);
    clearInterval(dots);
    lines.finish();
    expect(told[0]).toMatch(/^\.{2,}$/);
  });
});
