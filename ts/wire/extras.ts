/** The map that precedes the arguments of a request with the `extras` flag. */

import type { Writer } from '../codec/index.js';

/** `remaining` as MessagePack: a string of nine bytes. */
const REMAINING = Buffer.from('\xa9remaining', 'latin1');
const FLOAT64 = 0xcb;

/**
 * Appends the map. `remaining` comes first and as a float of 64 bits, for the engine puts it right when
 * it writes the request: until then the call may have waited.
 *
 * @param remaining milliseconds until the deadline; 0 for none
 * @param others further entries; undefined ones are left out
 */
export function writeExtras(
  writer: Writer,
  remaining: number,
  others: Readonly<Record<string, unknown>>,
): void {
  const entries = Object.entries(others).filter(([, value]) => value !== undefined);
  const count = entries.length + (remaining > 0 ? 1 : 0);
  writer.reserve(1 + REMAINING.length + 9);
  const { buffer } = writer;
  let at = writer.position;
  buffer[at++] = 0x80 | count;
  if (remaining > 0) {
    at += REMAINING.copy(buffer, at);
    buffer[at++] = FLOAT64;
    at = buffer.writeDoubleBE(remaining, at);
  }
  writer.position = at;
  for (const [name, value] of entries) {
    writer.encode(name);
    writer.encode(value);
  }
}
