import { describe, expect, test } from '@jest/globals';
import { FunctionTable } from '../../ts/callbacks/index.js';
import { Decoder, Writer } from '../../ts/codec/index.js';

/** A table, and a way to encode values with it as calls do. */
function create(): { table: FunctionTable; send(call: number, value: unknown): number[] } {
  const table = new FunctionTable();
  const writer = new Writer({ extension: (value) => table.encode(value) });
  const send = (call: number, value: unknown): number[] => {
    writer.clear();
    writer.encode(value);
    const ids: number[] = [];
    const extension = (type: number, data: Buffer): unknown => {
      expect(type).toBe(5);
      ids.push(data.readUInt32BE(2));
      return null;
    };
    new Decoder({ extension }).decode(writer.buffer, 0, writer.position);
    expect(table.hasCollected).toBe(ids.length > 0);
    if (table.hasCollected) table.assign(call);
    return ids;
  };
  return { table, send };
}

const double = (value: unknown): number => Number(value) * 2;

describe('a function', () => {
  test('is found by the worker that it was sent to, wherever it lies in the value', () => {
    const { table, send } = create();
    const [first, second] = send(1, { a: [double], b: { c: double } }) as [number, number];
    expect(first).not.toBe(second);
    expect(first >= 0x8000_0000 && second >= 0x8000_0000).toBe(true);
    expect(table.find(3, first)).toBeUndefined();
    table.placed(1, 3);
    expect(table.find(3, first)).toBe(double);
    expect(table.find(4, first)).toBeUndefined();
  });

  test('outlives its call until it is released, by its own worker', () => {
    const { table, send } = create();
    const [id] = send(1, double) as [number];
    expect(table.carries(1)).toBe(true);
    table.placed(1, 3);
    table.settled(1);
    expect(table.carries(1)).toBe(false);
    table.release(4, id);
    expect(table.find(3, id)).toBe(double);
    table.release(3, id);
    expect(table.size).toBe(0);
  });

  test('of a call that was sent to nobody goes with it', () => {
    const { table, send } = create();
    send(1, double);
    table.settled(1);
    expect(table.size).toBe(0);
  });

  test('goes with its worker, unless the call is sent to another', () => {
    const { table, send } = create();
    const [kept] = send(1, double) as [number];
    send(2, double);
    table.placed(1, 3);
    table.placed(2, 3);
    table.settled(2);
    table.exited(3);
    expect(table.size).toBe(1);
    table.placed(1, 4);
    expect(table.find(4, kept)).toBe(double);
    table.settled(1);
    table.exited(4);
    expect(table.size).toBe(0);
  });

  test('in a value that cannot cross is forgotten', () => {
    const table = new FunctionTable();
    const writer = new Writer({ extension: (value) => table.encode(value) });
    expect(() => writer.encode([double, Symbol('x')])).toThrow('$[1]');
    table.discard();
    expect(table.size).toBe(0);
    expect(table.hasCollected).toBe(false);
  });

  test('inside a value that is encoded meanwhile belongs to that', () => {
    const { table, send } = create();
    const outer = new Writer({ extension: (value) => table.encode(value) });
    outer.encode([
      double,
      {
        get inner() {
          return table.apart(() => send(2, double)).length;
        },
      },
    ]);
    table.assign(1);
    table.settled(2);
    expect(table.size).toBe(1);
    table.settled(1);
    expect(table.size).toBe(0);
  });

  test('comes back as itself', () => {
    const { table, send } = create();
    const [id] = send(1, double) as [number];
    const data = Buffer.from([0x92, 0xce, 0, 0, 0, 0, 0xa0]);
    data.writeUInt32BE(id, 2);
    expect(table.decode(5, data)).toBe(double);
    expect(table.decode(6, data)).toBeUndefined();
    expect(table.decode(5, data.subarray(0, 5))).toBeUndefined();
    table.settled(1);
    expect(table.decode(5, data)).toBeUndefined();
  });

  test('has a name that Python shows, however long it is', () => {
    const { send } = create();
    const long = { ['ü'.repeat(500)]: () => 1 };
    expect(send(1, Object.values(long))).toHaveLength(1);
  });
});

describe('an input stream', () => {
  async function* items(): AsyncGenerator<number> {
    yield 1;
  }

  /** Encodes one for a call; answers its reference and its type. */
  function pass(table: FunctionTable, call: number, source: object): number {
    const found = table.encode(source);
    expect(found?.type).toBe(6);
    table.assign(call);
    return Buffer.from(found?.data ?? []).readUInt32BE(1);
  }

  test('is an async iterable, or an iterator that is iterable', () => {
    const table = new FunctionTable();
    for (const source of [items(), [1].values(), new Map().keys(), new ReadableStream()]) {
      expect(table.encode(source)?.type).toBe(6);
    }
    for (const value of [{}, { next() {} }, new (class Value {})(), Promise.resolve()]) {
      expect(table.encode(value)).toBeUndefined();
    }
  });

  test('goes with its call, though a worker has it', () => {
    const table = new FunctionTable();
    const source = items();
    const id = pass(table, 1, source);
    table.placed(1, 3);
    expect(table.find(3, id)).toBeDefined();
    table.settled(1);
    expect(table.size).toBe(0);
  });

  test('is ended unread by a release, and by the end of its call', async () => {
    for (const end of [
      (table: FunctionTable, id: number) => table.release(3, id),
      (table: FunctionTable) => table.settled(1),
    ]) {
      const table = new FunctionTable();
      const source = items();
      const id = pass(table, 1, source);
      table.placed(1, 3);
      end(table, id);
      expect(await source.next()).toEqual({ done: true, value: undefined });
    }
  });

  test('of a call that is sent again is read by the second worker, unless the first did', () => {
    const table = new FunctionTable();
    const id = pass(table, 1, items());
    table.placed(1, 3);
    table.exited(3);
    table.placed(1, 4);
    expect(table.find(4, id)?.()).toBeDefined();
    table.exited(4);
    table.placed(1, 5);
    expect(() => table.find(5, id)?.()).toThrow('cannot be taken again');
  });
});
