/**
 * Tables of Apache Arrow. The package `apache-arrow` is the user's: it is loaded when the first table
 * crosses, and told from other objects without being loaded.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { ExtensionValue } from './codec/index.js';

/** The extension type: the MessagePack array `[kind, bytes]`. */
const EXTENSION_ARROW = 4;

/** What an Arrow IPC stream holds: a table, or the only column of one. */
export type ArrowKind = 'table' | 'column';

/** What is used of the package. */
interface ArrowModule {
  readonly Table: new (...content: unknown[]) => ArrowTable;
  tableFromIPC(bytes: Uint8Array): ArrowTable;
  tableToIPC(table: ArrowTable, type: 'stream'): Uint8Array;
}

interface ArrowTable {
  getChildAt(index: number): unknown;
}

/**
 * An Arrow IPC stream as it is: what a table from Python arrives as where the package `apache-arrow`
 * is not installed, and a way to send one without that package.
 */
export class ArrowIpc {
  /** The stream, in the format of Arrow IPC. */
  readonly bytes: Uint8Array;
  /** `column` if the only column of the table is meant. */
  readonly kind: ArrowKind;

  /** @throws TypeError unless `bytes` are bytes and `kind` is one of the two */
  constructor(bytes: Uint8Array, kind: ArrowKind = 'table') {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('an ArrowIpc needs bytes');
    if (kind !== 'table' && kind !== 'column') {
      throw new TypeError(`kind must be "table" or "column", got ${JSON.stringify(kind)}`);
    }
    this.bytes = bytes;
    this.kind = kind;
  }
}

/** The hook of the encoder: anything but Arrow is none of its business. */
export function encodeArrow(value: object): ExtensionValue | undefined {
  if (value instanceof ArrowIpc) return extension(value.kind, value.bytes);
  const name = arrowName(value);
  if (name === undefined) return undefined;
  const arrow = load();
  if (arrow === undefined) throw new Error('the package apache-arrow is not found');
  const table =
    name === 'Table'
      ? (value as ArrowTable)
      : new arrow.Table(name === 'Vector' ? { '': value } : value);
  return extension(name === 'Vector' ? 'column' : 'table', arrow.tableToIPC(table, 'stream'));
}

/** The hook of the decoder. */
export function decodeArrow(type: number, data: Buffer): unknown {
  if (type !== EXTENSION_ARROW) return undefined;
  const content = contentOf(data);
  if (content === undefined) return undefined;
  // The columns of a table are views, aligned to 8 bytes: of memory that nobody else has.
  const bytes = new Uint8Array(content.bytes);
  const arrow = load();
  if (arrow === undefined) return new ArrowIpc(bytes, content.kind);
  const table = arrow.tableFromIPC(bytes);
  return content.kind === 'table' ? table : table.getChildAt(0);
}

/** Whether a value crosses as Arrow. */
export function isArrow(value: object): boolean {
  return value instanceof ArrowIpc || arrowName(value) !== undefined;
}

/** Which class of Arrow an object is of, whichever copy of the package made it. */
function arrowName(value: object): 'Table' | 'RecordBatch' | 'Vector' | undefined {
  const known = value as Readonly<Record<symbol, unknown>>;
  if (known[Symbol.for('apache-arrow/Table')] === true) return 'Table';
  if (known[Symbol.for('apache-arrow/RecordBatch')] === true) return 'RecordBatch';
  if (known[Symbol.for('apache-arrow/Vector')] === true) return 'Vector';
  return undefined;
}

let loaded: ArrowModule | undefined;

/** The package, from where this package or the program would find it. */
function load(): ArrowModule | undefined {
  if (loaded !== undefined) return loaded;
  const program = process.argv[1] ?? '';
  for (const from of [__filename, program, join(process.cwd(), 'index.js')]) {
    if (from === '') continue;
    try {
      loaded = createRequire(from)('apache-arrow') as ArrowModule;
      return loaded;
    } catch (error) {
      // One that is there and damaged is not passed over.
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

function extension(kind: ArrowKind, bytes: Uint8Array): ExtensionValue {
  const { length } = bytes;
  const width = length < 0x100 ? 1 : length < 0x10000 ? 2 : 4;
  const head = Buffer.alloc(3 + kind.length + width);
  head[0] = 0x92;
  head[1] = 0xa0 | kind.length;
  head.write(kind, 2, 'latin1');
  head[2 + kind.length] = 0xc4 + (width >> 1);
  head.writeUIntBE(length, 3 + kind.length, width);
  return { type: EXTENSION_ARROW, data: Buffer.concat([head, bytes]) };
}

/** The parts of a payload, if it is one. */
function contentOf(data: Buffer): { kind: ArrowKind; bytes: Buffer } | undefined {
  if (data[0] !== 0x92 || data.length < 4) return undefined;
  const size = (data[1] ?? 0) & 0x1f;
  const kind = data.toString('latin1', 2, 2 + size);
  if ((data[1] ?? 0) >> 5 !== 5 || (kind !== 'table' && kind !== 'column')) return undefined;
  const width = [1, 2, 4][(data[2 + size] ?? 0) - 0xc4];
  if (width === undefined || data.length < 3 + size + width) return undefined;
  const start = 3 + size + width;
  const length = data.readUIntBE(3 + size, width);
  if (start + length !== data.length) return undefined;
  return { kind, bytes: data.subarray(start) };
}
