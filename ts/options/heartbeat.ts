import { integer, isPlain, milliseconds, oneOf } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';

const ACTIONS = ['event', 'restart'] as const;

/** How a worker shows that its process is alive. */
export interface HeartbeatPolicy {
  /** Time between two beats, in ms; default 2000. */
  readonly interval?: number | undefined;
  /** Beats in a row that may be missing; default 3. */
  readonly misses?: number | undefined;
  /** What happens then; default `event`: `heartbeat:missed`, and nothing else. */
  readonly action?: (typeof ACTIONS)[number] | undefined;
}

/** Signs of life of a thread of the worker's own; `false`: none. */
export type HeartbeatOption = false | HeartbeatPolicy;

/** The option with its defaults applied. */
export interface Heartbeat {
  readonly intervalMs: number;
  readonly misses: number;
  readonly action: (typeof ACTIONS)[number];
}

/** @returns null if there is none */
export function normalizeHeartbeat(value: unknown = {}): Heartbeat | null {
  if (value === false) return null;
  if (!isPlain(value)) {
    throw refusal('heartbeat', 'false or an object with interval, misses, action', value);
  }
  const names = ['interval', 'misses', 'action'];
  const { interval, misses, action } = knownNames('heartbeat', value, names);
  return {
    intervalMs: milliseconds('heartbeat.interval', interval ?? 2000, 1),
    misses: integer('heartbeat.misses', misses ?? 3, 1, 0xffff_ffff),
    action: oneOf('heartbeat.action', action ?? 'event', ACTIONS),
  };
}
