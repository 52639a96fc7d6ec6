/** Writes what callbacks add to a tick's frames. */

import { EncodeFailure, type Writer } from '../codec/index.js';
import { fromCodec, type SynapseError } from '../errors/index.js';
import type { SharedMemory } from '../shared-memory.js';
import * as header from '../wire/header.js';
import type { FunctionTable } from './functions.js';
import type { AnswerKind, Asked, Asking } from './server.js';

const KINDS: Readonly<Record<AnswerKind, number>> = {
  response: header.KIND_RESPONSE,
  item: header.KIND_ITEM,
  error: header.KIND_ERROR,
};

/** Appends the record that says on whose behalf the request after it is made. */
export function writeAsked(writer: Writer, { worker, id, context }: Asking): void {
  const start = writer.position;
  const end = start + header.HEADER_LENGTH + 4;
  writer.reserve(header.HEADER_LENGTH + 4);
  writer.buffer.writeUInt32LE(id, end - 4);
  const flags = context.callId === undefined ? 0 : header.OF_CALL;
  header.writeHeader(writer.buffer, start, end, header.KIND_WORKER, flags, 0, worker);
  writer.position = end;
}

/** What values may refer to. */
export interface ValueParts {
  readonly functions: FunctionTable;
  readonly memory: SharedMemory;
}

/** Appends an answer to a callback; tells why it cannot, if it cannot. */
export function writeAnswer(
  writer: Writer,
  { functions, memory }: ValueParts,
  asked: Asked,
  kind: AnswerKind,
  value: unknown,
): SynapseError | undefined {
  const before = writer.position;
  try {
    const start = beginAnswer(writer, asked);
    if (kind !== 'error') memory.open(asked.worker, asked.id);
    writer.encode(value);
    // Only a call tells how long its functions are kept.
    if (functions.hasCollected) throw functions.refuse();
    const flags = memory.close() ? header.SHARED : 0;
    header.writeHeader(writer.buffer, start, writer.position, KINDS[kind], flags, 0, asked.id);
    return undefined;
  } catch (cause) {
    writer.position = before;
    functions.discard();
    memory.withdraw();
    if (cause instanceof EncodeFailure) return fromCodec(cause);
    throw cause;
  }
}

/** Appends the end of the stream that answers a callback. */
export function writeEnd(writer: Writer, asked: Asked): void {
  const start = beginAnswer(writer, asked);
  header.writeHeader(writer.buffer, start, writer.position, header.KIND_END, 0, 0, asked.id);
}

/** Appends the record that says where the answer goes, and makes room for the answer's own header. */
function beginAnswer(writer: Writer, { worker }: Asked): number {
  const start = writer.position;
  const end = start + header.HEADER_LENGTH;
  writer.reserve(2 * header.HEADER_LENGTH);
  header.writeHeader(writer.buffer, start, end, header.KIND_WORKER, 0, 0, worker);
  writer.position = end + header.HEADER_LENGTH;
  return end;
}
