/** The session that a call belongs to. */

import { milliseconds, oneOf, text } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

const AFFINITIES = ['hint', 'strict-queue', 'strict-fail'] as const;

/**
 * Which worker may run the calls of a session. `hint`: the one that ran the last, if it is free, else
 * any. `strict-queue`: that one, and calls wait for it. `strict-fail`: that one, and calls fail with
 * `WORKER_BUSY` while it is busy.
 */
export type Affinity = (typeof AFFINITIES)[number];

/** How a session is used. */
export interface SessionOptions {
  /** How long it lives untouched, in ms; `Infinity`: for ever. Default: as before, or `sessions.ttl`. */
  readonly ttl?: number | undefined;
  /** Default `hint`. */
  readonly affinity?: Affinity | undefined;
}

/** A session's id, and how it is used. */
export interface SessionReference extends SessionOptions {
  /** 1 to 512 characters. */
  readonly id: string;
}

/** The session that a call belongs to: its id, or with how it is used. */
export type SessionOption = string | SessionReference;

/** The option with its defaults applied. */
export interface NormalizedSession {
  readonly id: string;
  /** In ms; 0 leaves it as it is. */
  readonly ttl: number;
  /** Its place among the affinities. */
  readonly affinity: number;
}

/** The longest id, in characters. */
const LONGEST_ID = 512;

/** @returns undefined if the call belongs to none */
export function normalizeSession(value: unknown): NormalizedSession | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return { id: checkId('session', value), ttl: 0, affinity: 0 };
  const { id, ...options } = knownNames('session', value, ['id', 'ttl', 'affinity']);
  return { id: checkId('session.id', id), ...normalizeSessionOptions('session', options) };
}

/** @param path the option that holds them */
export function normalizeSessionOptions(
  path: string,
  options: unknown = {},
): Omit<NormalizedSession, 'id'> {
  const { ttl, affinity } = knownNames(path, options, ['ttl', 'affinity']);
  const choice = oneOf(`${path}.affinity`, affinity ?? 'hint', AFFINITIES);
  return {
    ttl: ttl === undefined ? 0 : timeToLive(`${path}.ttl`, ttl),
    affinity: AFFINITIES.indexOf(choice),
  };
}

/** A time to live in ms, at least 1; `Infinity` is for ever. */
export function timeToLive(option: string, value: unknown): number {
  return value === Number.POSITIVE_INFINITY ? value : milliseconds(option, value, 1);
}

/** An id: a string, not empty, of at most 512 characters. */
export function checkId(option: string, value: unknown): string {
  const id = text(option, value, 'an id');
  if (id.length > LONGEST_ID) throw refusal(option, `at most ${LONGEST_ID} characters`, value);
  return id;
}
