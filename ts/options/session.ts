import { text } from './checks.js';

/** The id of the session that the call belongs to. */
export type SessionOption = string;

/** @returns null if the call belongs to none */
export function normalizeSession(value: unknown): string | null {
  return value === undefined ? null : text('session', value, 'an id');
}
