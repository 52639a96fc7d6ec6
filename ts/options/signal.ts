import { refusal } from './invalid.js';

/** Aborts the call, which then rejects with `signal.reason`. */
export type SignalOption = AbortSignal;

/** @throws unless it behaves as an `AbortSignal`: one of another realm is fine */
export function normalizeSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (value instanceof AbortController) {
    throw refusal('signal', 'an AbortSignal, as its property "signal" is', value);
  }
  if (!isSignal(value)) throw refusal('signal', 'an AbortSignal', value);
  return value;
}

function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Record<string, unknown>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}
