/** Values as JSON can have them: a log line about an error must not fail for what the error carries. */

/** What stands for a value that contains itself. */
const CIRCLE = '[circular]';

/** A copy in which big integers are text, maps and sets arrays, and circles end where they close. */
export function jsonable(value: unknown, outer: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (outer.includes(value)) return CIRCLE;
  const inside = [...outer, value];
  const copy = (item: unknown): unknown => jsonable(item, inside);
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Map || value instanceof Set) return [...value].map(copy);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copy(item)]));
}
