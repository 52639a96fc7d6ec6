import { isPlain } from './checks.js';
import { refusal } from './invalid.js';

/** What the handler finds in `context().metadata`. */
export type MetadataOption = Readonly<Record<string, unknown>>;

/** @throws unless it is a plain object; what it holds is checked when it is encoded */
export function normalizeMetadata(value: unknown): MetadataOption | undefined {
  if (value === undefined) return undefined;
  if (!isPlain(value)) throw refusal('metadata', 'a plain object', value);
  return value;
}
