import { oneOf } from './checks.js';

const CHOICES = ['strict', 'graceful'] as const;

/**
 * What becomes of a value that cannot cross from Python; default `strict`: the call rejects with an
 * `EncodeError` that names the path. `graceful`: a mark is in its place, see `isUnserializable`.
 */
export type ValuesOption = (typeof CHOICES)[number];

/** @throws unless it is one of the choices */
export function normalizeValues(value: unknown = 'strict'): ValuesOption {
  return oneOf('values', value, CHOICES);
}
