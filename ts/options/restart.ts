import { type Backoff, type BackoffOption, normalizeBackoff } from './backoff.js';
import { boolean, integer, isPlain, milliseconds } from './checks.js';
import { refusal } from './invalid.js';
import { knownNames } from './names.js';
import { normalizeTaint, type Taint, type TaintOption } from './taint.js';

/** What happens when a worker dies unasked. */
export interface RestartPolicy {
  /** Whether it is replaced; default true. */
  readonly enabled?: boolean | undefined;
  /** Restarts allowed within the window; above it calls fail at once. Default 5. */
  readonly max?: number | undefined;
  /** The window, in ms; default 60000. */
  readonly windowMs?: number | undefined;
  /** Delays between restarts; the first is immediate. */
  readonly backoff?: BackoffOption | undefined;
  /**
   * Workers that may die running the same handler with the same arguments; after that such a call is
   * refused until the window since the last death is over. 0 refuses none. Default 5.
   */
  readonly callDeaths?: number | undefined;
  /**
   * How long the place of a worker that crashed stays empty, in ms, or after which crashes; default no
   * longer than `backoff` says.
   */
  readonly taint?: TaintOption | undefined;
}

/** Whether and how workers that died are replaced; `false`: not at all. */
export type RestartOption = boolean | RestartPolicy;

/** The option with its defaults applied. */
export interface Restart {
  readonly max: number;
  readonly windowMs: number;
  readonly backoff: Backoff;
  readonly callDeaths: number;
  /** Null for none. */
  readonly taint: Taint | null;
}

/** @returns null if workers are not replaced */
export function normalizeRestart(value: unknown = true): Restart | null {
  if (value === false) return null;
  if (value !== true && !isPlain(value)) {
    throw refusal(
      'restart',
      'true, false or an object with enabled, max, windowMs, backoff, callDeaths, taint',
      value,
    );
  }
  const names = ['enabled', 'max', 'windowMs', 'backoff', 'callDeaths', 'taint'];
  const policy = knownNames('restart', value === true ? {} : value, names);
  const enabled = boolean('restart.enabled', policy['enabled'] ?? true);
  const restart = {
    max: integer('restart.max', policy['max'] ?? 5, 0, 0xffff_ffff),
    windowMs: milliseconds('restart.windowMs', policy['windowMs'] ?? 60_000, 1),
    backoff: normalizeBackoff('restart.backoff', policy['backoff']),
    callDeaths: integer('restart.callDeaths', policy['callDeaths'] ?? 5, 0, 0xffff_ffff),
    taint: normalizeTaint('restart.taint', policy['taint']),
  };
  return enabled ? restart : null;
}
