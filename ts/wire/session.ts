/** The record that precedes a request of a session. `src/driver/batch.rs` reads it. */

import type { Writer } from '../codec/index.js';
import type { NormalizedSession } from '../options/session.js';
import * as header from './header.js';

/** Bytes before the id: the affinity and the time to live. */
const FIXED = 1 + 8;

/** Appends the record. */
export function writeSession(writer: Writer, { id, ttl, affinity }: NormalizedSession): void {
  const start = writer.position;
  const most = 3 * id.length;
  writer.reserve(header.HEADER_LENGTH + FIXED + most);
  const { buffer } = writer;
  const at = start + header.HEADER_LENGTH;
  buffer[at] = affinity;
  buffer.writeDoubleLE(ttl, at + 1);
  const end = at + FIXED + buffer.write(id, at + FIXED, most, 'utf8');
  header.writeHeader(buffer, start, end, header.KIND_SESSION, 0, 0, 0);
  writer.position = end;
}
