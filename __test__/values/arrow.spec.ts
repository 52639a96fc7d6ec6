/** Tables and columns of Apache Arrow, in both directions. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  RecordBatch,
  Table,
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { decodeArrow, encodeArrow } from '../../ts/arrow.js';
import { Decoder, Writer } from '../../ts/codec/index.js';
import { ArrowIpc, type Synapse } from '../../ts/index.js';
import { runNode } from '../support/child.js';
import { libraries, withLibraries } from '../support/data.js';
import { createFolder, keepModule } from '../support/modules.js';

interface Golden {
  readonly name: string;
  readonly hex: string;
  readonly kind: string;
  readonly content: unknown;
}

const { values: vectors } = JSON.parse(
  readFileSync(join(__dirname, '../vectors/arrow.json'), 'utf8'),
) as { values: Golden[] };

const MODULE = `
  import datetime as dt
  import sys
  import pandas
  import polars
  import pyarrow
  from synapse import host, handler

  @handler
  def describe(value):
      name = type(value).__module__.split(".")[0] + "." + type(value).__name__
      return [name, value.to_pydict() if hasattr(value, "to_pydict") else value.to_pylist()]

  @handler
  def decode_bytes(data):
      from synapse._protocol.codec import decode
      return describe(decode(data))

  @handler
  def encode_table():
      from synapse._protocol.codec import encode
      return encode(pyarrow_table())

  @handler
  def echo(value):
      return value

  @handler
  def pyarrow_table():
      return pyarrow.table({"id": [1, 2, None], "name": ["a", None, "ü"]})

  @handler
  def record_batch():
      return {"batch": pyarrow.RecordBatch.from_pydict({"x": [1.5, -0.0]})}

  @handler
  def chunked():
      return pyarrow.chunked_array([[1, 2], [3]])

  @handler
  def pandas_frame():
      return pandas.DataFrame({"x": [1, 2], "s": ["a", "b"]})

  @handler
  def pandas_indexed():
      return pandas.DataFrame({"x": [1, 2]}, index=["first", "second"])

  @handler
  def pandas_column():
      return pandas.Series([0.5, None])

  @handler
  def polars_frame():
      return polars.DataFrame({"x": [1, 2], "s": ["a", "b"], "d": [dt.date(2024, 2, 29)] * 2})

  @handler
  def polars_column():
      return polars.Series("x", [True, None])

  @handler
  def lazy():
      return polars.LazyFrame({"x": [1]})

  @handler
  def empty():
      return pyarrow.table({"x": pyarrow.array([], "int32")})

  @handler
  def stream():
      for batch in pyarrow.table({"x": list(range(6))}).to_batches(max_chunksize=2):
          yield batch

  @handler
  def through_node(count):
      table = pyarrow.table({"x": list(range(count))})
      return host.double(table).result().column("x").to_pylist()

  @handler
  def indexed_again(value):
      return list(value.to_pandas().index)

  @handler
  def as_pandas(frame: pandas.DataFrame):
      return [type(frame).__module__.split(".")[0], frame["x"].tolist()]

  @handler
  def as_polars(frame: polars.DataFrame):
      return [type(frame).__module__.split(".")[0], frame["x"].to_list()]
`;

let synapse: Synapse;
const kept = keepModule();

beforeAll(async () => {
  synapse = await kept.spawn(MODULE, withLibraries);
});

afterAll(() => kept.dispose());

const rows = (table: unknown): unknown[] =>
  (table as Table).toArray().map((row: { toJSON(): unknown }) => row.toJSON());

describe('from Node', () => {
  test('a Table, a RecordBatch and a Vector arrive as pyarrow.Table and ChunkedArray', async () => {
    const table = tableFromArrays({ x: Int32Array.of(1, 2), s: ['a', 'b'] });
    const content = { x: [1, 2], s: ['a', 'b'] };
    expect(await synapse.invoke('describe', [table])).toEqual(['pyarrow.Table', content]);
    const [batch] = table.batches;
    expect(batch).toBeInstanceOf(RecordBatch);
    expect(await synapse.invoke('describe', [batch])).toEqual(['pyarrow.Table', content]);
    const vector = vectorFromArray([1.5, null]);
    expect(await synapse.invoke('describe', [vector])).toEqual([
      'pyarrow.ChunkedArray',
      [1.5, null],
    ]);
  });

  test('it comes back as it was, also from within other values', async () => {
    const table = tableFromArrays({ x: Float64Array.of(Number.NaN, -0, 2), n: [1n, 2n, 3n] });
    const { deep } = await synapse.invoke<{ deep: [Table] }>('echo', [{ deep: [table] }]);
    expect(deep[0]).toBeInstanceOf(Table);
    expect(rows(deep[0])).toEqual(rows(table));
    expect(deep[0].schema.fields.map(String)).toEqual(table.schema.fields.map(String));
  });

  test('a parameter annotated with a data frame gets one', async () => {
    const table = tableFromArrays({ x: Int32Array.of(1, 2) });
    expect(await synapse.invoke('as_pandas', [table])).toEqual(['pandas', [1, 2]]);
    expect(await synapse.invoke('as_polars', [table])).toEqual(['polars', [1, 2]]);
  });
});

describe('from Python', () => {
  test.each([
    [
      'pyarrow_table',
      [
        { id: 1n, name: 'a' },
        { id: 2n, name: null },
        { id: null, name: 'ü' },
      ],
    ],
    [
      'pandas_frame',
      [
        { x: 1n, s: 'a' },
        { x: 2n, s: 'b' },
      ],
    ],
    [
      'pandas_indexed',
      [
        { x: 1n, __index_level_0__: 'first' },
        { x: 2n, __index_level_0__: 'second' },
      ],
    ],
    [
      'polars_frame',
      [
        { x: 1n, s: 'a', d: Date.UTC(2024, 1, 29) },
        { x: 2n, s: 'b', d: Date.UTC(2024, 1, 29) },
      ],
    ],
    ['empty', []],
  ])('%s is a Table', async (name, expected) => {
    const table = await synapse.invoke(name);
    expect(table).toBeInstanceOf(Table);
    const found = rows(table).map((row) => {
      const { d, ...rest } = row as { d?: Date | number };
      return d === undefined ? rest : { ...rest, d: Number(d) };
    });
    expect(found).toEqual(expected);
  });

  test.each([
    ['chunked', [1n, 2n, 3n]],
    ['pandas_column', [0.5, null]],
    ['polars_column', [true, null]],
  ])('%s is a Vector', async (name, expected) => {
    const vector = await synapse.invoke(name);
    expect(vector).toBeInstanceOf(Vector);
    expect([...(vector as Vector)]).toEqual(expected);
  });

  test('a RecordBatch within another value is a Table', async () => {
    const { batch } = await synapse.invoke<{ batch: Table }>('record_batch');
    expect(rows(batch)).toEqual([{ x: 1.5 }, { x: -0 }]);
  });

  test('the index of a pandas.DataFrame survives the way there and back', async () => {
    const table = await synapse.invoke('pandas_indexed');
    expect(await synapse.invoke('indexed_again', [table])).toEqual(['first', 'second']);
  });

  test('batches are streamed', async () => {
    const found: unknown[] = [];
    for await (const table of synapse.stream('stream')) found.push(...rows(table));
    expect(found).toEqual([0n, 1n, 2n, 3n, 4n, 5n].map((x) => ({ x })));
  });

  test('tables cross in callbacks', async () => {
    synapse.handle('double', (table) =>
      tableFromArrays({
        x: [...((table as Table).getChild('x') ?? [])].map((x: bigint) => 2 * Number(x)),
      }),
    );
    expect(await synapse.invoke('through_node', [3])).toEqual([0, 2, 4]);
  });

  test('a lazy frame is refused with its path', async () => {
    await expect(synapse.invoke('lazy')).rejects.toMatchObject({
      code: 'ENCODE',
      path: '$',
      message: expect.stringContaining('collect()'),
    });
  });
});

describe('an IPC stream as it is', () => {
  test('reaches Python as a table, without the package', async () => {
    const bytes = tableToIPC(tableFromArrays({ x: Int32Array.of(7) }), 'stream');
    const expected = ['pyarrow.Table', { x: [7] }];
    expect(await synapse.invoke('describe', [new ArrowIpc(bytes)])).toEqual(expected);
    const column = new ArrowIpc(bytes, 'column');
    expect(await synapse.invoke('describe', [column])).toEqual(['pyarrow.ChunkedArray', [7]]);
  });

  test('bytes that are none fail the call, and the worker goes on', async () => {
    const refused = synapse.invoke('describe', [new ArrowIpc(Uint8Array.of(1, 2, 3))]);
    await expect(refused).rejects.toMatchObject({
      code: 'VALIDATION',
      message: expect.stringContaining('an Arrow table cannot be read'),
    });
    expect(await synapse.invoke('echo', [1])).toBe(1);
  });

  test('is made of bytes only', () => {
    expect(() => new ArrowIpc('text' as never)).toThrow(TypeError);
    expect(() => new ArrowIpc(new Uint8Array(), 'row' as never)).toThrow('"table" or "column"');
  });
});

describe('the golden bytes', () => {
  test.each(vectors)('$name', async ({ hex, kind, content }) => {
    const bytes = Buffer.from(hex, 'hex');
    const value = new Decoder({ extension: decodeArrow }).decode(bytes);
    const found =
      kind === 'column'
        ? [...(value as Vector)]
        : Object.fromEntries(
            (value as Table).schema.fields.map(({ name }) => [
              name,
              [...((value as Table).getChild(name) ?? [])],
            ]),
          );
    expect(found).toEqual(content);
    const [, told] = await synapse.invoke<[string, unknown]>('decode_bytes', [bytes]);
    expect(told).toEqual(content);
    // The header of ext 4, then [kind, bin], in the shortest form.
    const start = bytes.indexOf(kind) + kind.length;
    const length = bytes[start] === 0xc5 ? 3 : 2;
    const writer = new Writer({ extension: encodeArrow });
    writer.encode(new ArrowIpc(bytes.subarray(start + length), kind as 'table' | 'column'));
    expect(writer.buffer.subarray(0, writer.position).toString('hex')).toBe(hex);
  });

  test('are what Python writes', async () => {
    const bytes = await synapse.invoke<Buffer>('encode_table');
    expect(new Decoder({ extension: decodeArrow }).decode(bytes)).toBeInstanceOf(Table);
    expect(bytes.readInt8(bytes[0] === 0xc8 ? 3 : 2)).toBe(4);
  });
});

test('where the package is not installed a table arrives as its IPC stream', async () => {
  const table = await synapse.invoke('pyarrow_table');
  const expected = rows(table).map(String);
  const folder = createFolder({ 'main.py': MODULE });
  // No copy of the package is found from anywhere.
  const program = runNode(
    `
    const Module = require('node:module');
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function (name, ...rest) {
      if (name !== 'apache-arrow') return resolve.call(this, name, ...rest);
      throw Object.assign(new Error('hidden'), { code: 'MODULE_NOT_FOUND' });
    };
    const synapse = new Synapse({ python: ${JSON.stringify(libraries)} });
    (async () => {
      await synapse.spawn(folder, 'main');
      const value = await synapse.invoke('pyarrow_table');
      console.log('class ' + value.constructor.name + ' ' + value.kind);
      console.log('bytes ' + Buffer.from(value.bytes).toString('base64'));
      console.log('again ' + JSON.stringify(await synapse.invoke('describe', [value])));
      await synapse.dispose();
    })();
    `,
    folder,
  );
  expect(await program.line('class ')).toBe('ArrowIpc table');
  const bytes = Buffer.from(await program.line('bytes '), 'base64');
  expect(rows(tableFromIPC(bytes)).map(String)).toEqual(expected);
  expect(await program.line('again ')).toBe(
    JSON.stringify(['pyarrow.Table', { id: [1, 2, null], name: ['a', null, 'ü'] }]),
  );
  expect(await program.ended).toBe(0);
});
