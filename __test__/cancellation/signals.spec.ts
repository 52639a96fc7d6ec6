/** One `AbortSignal` for many calls: it gets one listener, so that Node suspects no leak. */

import { EventEmitter, getEventListeners, getMaxListeners } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { whenAborted } from '../../ts/abort.js';
import { Gate } from '../../ts/hub/gate.js';
import { spawnModule } from '../support/modules.js';

const MANY = 40;

const MODULE = `
  import time
  from synapse import handler

  @handler
  def wait(seconds):
      time.sleep(seconds)
      return seconds

  @handler
  def count(limit):
      yield from range(limit)
`;

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('whenAborted', () => {
  test('adds one listener however many wait, and takes it off with the last', () => {
    const { signal } = new AbortController();
    const releases = Array.from({ length: MANY }, () => whenAborted(signal, () => {}));
    expect(listeners(signal)).toBe(1);
    const last = releases.pop();
    for (const release of releases) release();
    expect(listeners(signal)).toBe(1);
    last?.();
    expect(listeners(signal)).toBe(0);
  });

  test('runs what waits in order, once, and nothing that was taken back', () => {
    const controller = new AbortController();
    const ran: string[] = [];
    const note = (name: string) => () => void ran.push(name);
    whenAborted(controller.signal, note('first'));
    const release = whenAborted(controller.signal, note('never'));
    const releaseLast = whenAborted(controller.signal, note('last'));
    release();
    release();
    controller.abort();
    controller.abort();
    releaseLast();
    expect(ran).toEqual(['first', 'last']);
    expect(listeners(controller.signal)).toBe(0);
  });

  test('does not run what an earlier action takes back', () => {
    const controller = new AbortController();
    const ran: string[] = [];
    whenAborted(controller.signal, () => {
      ran.push('first');
      release();
    });
    const release = whenAborted(controller.signal, () => ran.push('second'));
    controller.abort();
    expect(ran).toEqual(['first']);
  });

  test('waits anew after the last was taken back', () => {
    const controller = new AbortController();
    const ran: string[] = [];
    const release = whenAborted(controller.signal, () => ran.push('first'));
    release();
    whenAborted(controller.signal, () => ran.push('second'));
    // Of a listener that is gone already.
    release();
    controller.abort();
    expect(ran).toEqual(['second']);
  });
});

describe('many calls that share a signal', () => {
  test('add one listener to it, leave its limit alone, and leave nothing behind', async () => {
    const synapse = await spawnModule(MODULE);
    const { signal } = new AbortController();
    const calls = Array.from({ length: MANY }, () => synapse.invoke('wait', [0], { signal }));
    const streams = Array.from({ length: MANY }, () => synapse.stream('count', [3], { signal }));
    expect(listeners(signal)).toBe(1);
    expect(getMaxListeners(signal)).toBe(EventEmitter.defaultMaxListeners);
    expect(await Promise.all(calls)).toEqual(new Array(MANY).fill(0));
    for (const stream of streams) {
      const items: unknown[] = [];
      for await (const item of stream) items.push(item);
      expect(items).toEqual([0, 1, 2]);
    }
    expect(listeners(signal)).toBe(0);
  });

  test('are all ended by it', async () => {
    const synapse = await spawnModule(MODULE);
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: MANY }, () => synapse.invoke('wait', [60], { signal }));
    const settled = Promise.allSettled(calls);
    controller.abort('enough');
    expect(await settled).toEqual(calls.map(() => ({ status: 'rejected', reason: 'enough' })));
    expect(listeners(signal)).toBe(0);
    expect(await synapse.invoke('wait', [0])).toBe(0);
  });

  test('add none of their own in map', async () => {
    const synapse = await spawnModule(MODULE);
    const { signal } = new AbortController();
    const before = listeners(signal);
    const items = new Array(MANY).fill(0);
    expect(await synapse.map('wait', items, { signal, concurrency: MANY })).toEqual(items);
    expect(listeners(signal)).toBe(before);
  });

  test('add one while they wait at the gate of a group', async () => {
    const gate = new Gate('group "one"', 1, { max: null, maxGiven: false, timeoutMs: null });
    await gate.enter({ signal: undefined, timeout: 0 });
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = Array.from({ length: MANY }, () => gate.enter({ signal, timeout: 0 }));
    const settled = Promise.allSettled(waiting);
    expect(listeners(signal)).toBe(1);
    controller.abort('enough');
    expect(await settled).toEqual(waiting.map(() => ({ status: 'rejected', reason: 'enough' })));
    expect(gate.waiting).toBe(0);
  });
});
