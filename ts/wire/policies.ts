/** The record by which a call says something of policies for itself. */

import type { Writer } from '../codec/index.js';
import * as header from './header.js';

/** Writes the record. It stands before the request. */
export function writePolicies(writer: Writer, policies: string): void {
  const start = writer.position;
  // JSON of our own options: every character is one byte.
  const end = start + header.HEADER_LENGTH + policies.length;
  writer.reserve(end - start);
  writer.buffer.write(policies, start + header.HEADER_LENGTH, 'latin1');
  header.writeHeader(writer.buffer, start, end, header.KIND_POLICIES, 0, 0, 0);
  writer.position = end;
}
