/** The record by which a call asks for more than the defaults. `src/driver/batch.rs` reads it. */

import type { CallTarget } from '../calls.js';
import type { Writer } from '../codec/index.js';
import type { NormalizedCallOptions } from '../options/index.js';
import * as header from './header.js';

/** Appends the record, which stands before the request, unless the call asks for nothing. */
export function writeOptions(
  writer: Writer,
  { timeout, ownTimeout, priority, worker, idempotent }: NormalizedCallOptions,
  { credit, resume }: CallTarget,
): void {
  const asksNothing = timeout === 0 && !ownTimeout && priority === 0 && worker === 0;
  if (asksNothing && !idempotent && credit === 0) return;
  const start = writer.position;
  writer.reserve(header.HEADER_LENGTH + header.OPTIONS_LENGTH);
  const at = start + header.HEADER_LENGTH;
  const end = at + header.OPTIONS_LENGTH;
  const { buffer } = writer;
  buffer.writeDoubleLE(timeout, at);
  buffer.writeInt32LE(priority, at + 8);
  buffer.writeUInt32LE(worker, at + 12);
  let flags = idempotent ? header.OPTION_IDEMPOTENT : 0;
  if (resume?.again) flags |= header.OPTION_RESUMABLE;
  if (ownTimeout) flags |= header.OPTION_OWN_TIMEOUT;
  buffer.writeUInt32LE(flags, at + 16);
  buffer.writeUInt32LE(credit, at + 20);
  buffer.writeDoubleLE(resume?.from ?? 0, at + 24);
  header.writeHeader(buffer, start, end, header.KIND_OPTIONS, 0, 0, 0);
  writer.position = end;
}
